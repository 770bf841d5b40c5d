"""``anyorder query`` on data of any environment."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from anyorder.build.elements import load_element_checkpoint, read_fields
from anyorder.build.headers import data_folder
from anyorder.config import DataConfig
from anyorder.elements.batch import Batch
from anyorder.elements.fields import EncodedFieldData, FieldLayout
from anyorder.errors import AnyOrderError
from anyorder.files import replacing
from anyorder.inference.chain_rule import log_likelihood
from anyorder.inference.decoding import Decoder
from anyorder.inference.field_answers import read_field_answers
from anyorder.inference.futures import chain_of
from anyorder.masking.queries import Query
from anyorder.masking.rounds import rounds_of_ranks
from anyorder.models.element.element_transformer import ElementTransformer
from anyorder.pictures.field_answer_tables import field_answer_table
from anyorder.pictures.field_plot import series_figure
from anyorder.pictures.field_series import field_series
from anyorder.seeding import stream
from anyorder.terminal import console


def ask_about_fields(chosen: Any, query: Query, decoder_for: Any) -> dict[str, Any]:
    """Ask, print the answers; returns them as plain values.

    Args:
        chosen: the options of the command.
        query: what is asked.
        decoder_for: from an order to the decoder that the options ask for.

    Raises:
        AnyOrderError: for an option that does not fit.
        ValueError: for a query that does not fit the trajectory.
    """
    if chosen.num_samples > 1:
        raise AnyOrderError("samples are ranked for grids alone; leave out --num_samples, and draw one with --temperature 1")
    loaded = load_element_checkpoint(Path(chosen.checkpoint))
    model, screen = loaded.model, console()
    batch = _part(chosen, model, data_folder(loaded.header, chosen.data, chosen.checkpoint))
    order = query(batch.layout)
    model.check_order(batch.layout, order)
    decoder: Decoder = decoder_for(chosen, order)
    decoded = decoder(model, batch, order, stream(chosen.seed, "query"))
    answers = read_field_answers(model.spec, batch, order, decoded)
    asked = {"query": chosen.query or "roles", "split": chosen.split, "episode": chosen.episode}
    if chosen.likelihood:
        truth = float(log_likelihood(model, batch, order, chain_of(order)).total)
        asked["truth_log_likelihood"] = truth
        screen.print(f"log-likelihood of what happened, in bins: {truth:.2f} nats", highlight=False)
    screen.print(field_answer_table(answers))
    if chosen.picture:
        if bool((rounds_of_ranks(order) > 0).any()):
            raise AnyOrderError("--picture shows answers of one pass; found a query with several ranks; leave --picture out")
        with replacing(Path(chosen.picture)) as temporary:
            series_figure(field_series(model, batch, order)).savefig(temporary, format="png", dpi=150)
        print(f"the picture is in {chosen.picture}")
    return asked | {"answers": [one.to_json() for one in answers]}


def _part(chosen: Any, model: ElementTransformer, folder: Path) -> Batch[FieldLayout]:
    """The trajectory, or as much of its beginning as the model reads at once, which a line on stderr says."""
    split = read_fields(DataConfig(str(folder)), chosen.split)
    if not 0 <= chosen.episode < len(split):
        allowed = f"between 0 and {len(split) - 1} in the split {chosen.split}"
        raise AnyOrderError(f"--episode must lie {allowed}; found {chosen.episode}")
    data = EncodedFieldData([split[chosen.episode]], model.spec, model.max_frames)
    if len(data) > 1:
        steps = f"the first {data.lengths[0] - 1} of {len(split[chosen.episode]):,} steps"
        print(f"the model reads {model.max_frames} observations at once: {steps} are shown to it", file=sys.stderr)
    return data.batch([0])
