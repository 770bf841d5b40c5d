"""``anyorder query``: ask one checkpoint anything about a trajectory."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jsonargparse import ArgumentParser

from anyorder.commands.asked import subject_of
from anyorder.commands.subject import AskedTrajectory, Subject
from anyorder.errors import AnyOrderError
from anyorder.files import read_json, replacing, write_json
from anyorder.inference.chain_rule import log_likelihood
from anyorder.inference.decoding import Decoder
from anyorder.inference.futures import chain_of, ranked_samples
from anyorder.inference.questions import DECODERS, QUERY_OPTIONS, DecoderChoice, decoder_of, query_of
from anyorder.masking.order import Order
from anyorder.masking.queries import QUERIES, Query, RolesQuery
from anyorder.options import add_trust_option, parse, parser
from anyorder.pictures.answer_tables import missions_table
from anyorder.seeding import stream
from anyorder.terminal import console

MISSION_QUERY = "mission"
"""Asks for the instruction; it is no order, since the model ranks whole missions by what they make of the actions."""


def query_parser() -> ArgumentParser:
    """The options of the command."""
    options = parser("query", "Ask a checkpoint about a trajectory of its data.")
    add = options.add_argument
    add("--checkpoint", type=str, required=True, help="e.g. outputs/run/checkpoints/best.pt")
    add("--query", type=str, help=f"what is asked: {', '.join([*QUERIES, MISSION_QUERY])}")
    for name, (kind, text) in QUERY_OPTIONS.items():
        add(f"--{name}", type=kind | None, help=text)
    add(
        "--roles",
        type=str,
        help="instead of --query: .npy or .json file of one role per element (0 dropped,"
        ' 1 context, 2 hidden, 3 target), or .json {"roles": [...], "ranks": [...]}',
    )
    add("--data", type=str, help="data set folder; default: the one it was trained on")
    add("--split", type=str, default="test", help="train, validation or test")
    add("--episode", type=int, default=0, help="number of the trajectory in the split, from 0")
    add(
        "--part",
        type=int,
        default=0,
        help="of a trajectory with more observations than the model of any environment reads at once: which part, from 0;"
        " steps count from its first observation",
    )
    add("--decoder", type=str | None, help="; ".join(f"{name}: {text}" for name, text in DECODERS.items()))
    add("--num_passes", type=int, default=8, help="number of passes of the decoder confidence")
    add("--unit_order", type=str, default="time", help="order of the decoders unit and cell: time, reverse or random")
    add("--temperature", type=float, default=0.0, help="0: the most probable value; above 0: values are drawn")
    add("--top_p", type=float, default=1.0, help="draw from the most probable values only, up to this share")
    add("--num_samples", type=int, default=1, help="draw so many answers and rank them by log-likelihood")
    add("--likelihood", action="store_true", help="also say how probable the model finds what happened; this takes more passes")
    add("--seed", type=int, default=0, help="of all random draws")
    add("--output", type=str, help="JSON file for the answer")
    add("--picture", type=str, help="PNG file: what happened, what was shown, what was answered")
    add_trust_option(options)
    return options


def query_command(arguments: Sequence[str]) -> None:
    """Ask, print the answer and, where a file is named, write it there."""
    torch.set_num_threads(1)
    chosen = parse(query_parser(), arguments)
    if chosen.query == MISSION_QUERY:
        _rank_missions(chosen)
    else:
        _ask_by_order(chosen)


def _ask_by_order(chosen: Any) -> None:
    """Print, and write, the answer to what an order asks."""
    query = _query(chosen)
    subject = subject_of(Subject(Path(chosen.checkpoint), chosen.data, chosen.split, chosen.episode, chosen.part))
    try:
        order = query(subject.batch.layout)
        subject.model.check_order(subject.batch.layout, order)
        result = _ask(chosen, subject, order)
    except ValueError as error:
        raise AnyOrderError(f"{chosen.query or chosen.roles}: {error}") from None
    if chosen.output:
        write_json(Path(chosen.output), result)
        print(f"the answer is in {chosen.output}")


def _rank_missions(chosen: Any) -> None:
    """Print, and write, which missions the trajectory may have had."""
    if given := [name for name in ("roles", "picture", "decoder", *QUERY_OPTIONS) if chosen[name] is not None]:
        raise AnyOrderError(f"--query {MISSION_QUERY} needs nothing else that says what is asked; leave out --{given[0]}")
    subject = subject_of(Subject(Path(chosen.checkpoint), chosen.data, chosen.split, chosen.episode, chosen.part))
    try:
        ranked = subject.missions()
    except ValueError as error:
        raise AnyOrderError(f"{error}; ask about another --episode") from None
    console().print(missions_table(ranked, subject.about["mission"]))
    if chosen.output:
        asked = {"query": MISSION_QUERY, "split": chosen.split, "episode": chosen.episode, **subject.about}
        write_json(Path(chosen.output), asked | {"missions": [one.to_json() for one in ranked]})
        print(f"the answer is in {chosen.output}")


def _ask(chosen: Any, subject: AskedTrajectory, order: Order) -> dict[str, Any]:
    """Print the answer; returns it as plain values."""
    decoder, screen, model, batch = _decoder(chosen, order), console(), subject.model, subject.batch
    generator = stream(chosen.seed, "query")
    truth = float(log_likelihood(model, batch, order, chain_of(order, decoder)).total) if chosen.likelihood else None
    asked = {
        "query": chosen.query or "roles",
        "split": chosen.split,
        "episode": chosen.episode,
        **subject.about,
        **({} if truth is None else {"truth_log_likelihood": truth}),
    }
    screen.print(f"{subject.title}, elements asked: {int(order.targets.sum())}", highlight=False)
    if chosen.num_samples > 1:
        read = partial(subject.read, order)
        samples = ranked_samples(model, batch, order, decoder, chosen.num_samples, generator, read)
        screen.print(subject.samples_table(samples, truth))
        decoded, answer = samples[0].decoded, samples[0].answer
        asked["samples"] = [
            {"log_likelihood": s.log_likelihood, "num_drawn": s.num_drawn, **s.answer.to_json()} for s in samples
        ]
    else:
        decoded = decoder(model, batch, order, generator)
        answer = subject.read(order, decoded)
        if truth is not None:
            screen.print(f"log-likelihood of what happened: {truth:.2f} nats", highlight=False)
    for table in subject.tables(answer):
        screen.print(table)
    if chosen.picture:
        with replacing(Path(chosen.picture)) as temporary:
            subject.draw(order, decoded, temporary)
        print(f"the picture is in {chosen.picture}")
    return asked | answer.to_json()


def _query(chosen: Any) -> Query:
    """The query that the options ask for.

    Raises:
        AnyOrderError: for an unknown query, an option that it does not have, or one that it needs and is not given.
    """
    given = {name: chosen[name] for name in QUERY_OPTIONS if chosen[name] is not None}
    if chosen.roles:
        if chosen.query or given:
            excess = "query" if chosen.query else next(iter(given))
            raise AnyOrderError(f"--roles says all that is asked; leave out --{excess}")
        return read_roles(Path(chosen.roles))
    if chosen.query not in QUERIES:
        found = chosen.query or "none"
        raise AnyOrderError(
            f"--query must be one of {', '.join([*QUERIES, MISSION_QUERY])}; found {found}; or give --roles FILE"
        )
    return query_of(chosen.query, given, chosen.seed, dashes="--")


def read_roles(path: Path) -> Query:
    """The query in a file of roles, and perhaps ranks: JSON, or a NumPy array of roles.

    Raises:
        AnyOrderError: for a file of anything else.
    """
    if path.suffix == ".npy":
        try:
            content: Any = np.load(path, allow_pickle=False)
        except (OSError, ValueError) as error:
            raise AnyOrderError(f"could not read the roles in {path}: {error}") from None
    else:
        content = read_json(path)
    roles, ranks = content, None
    try:
        if isinstance(content, dict):
            roles, ranks = content["roles"], content.get("ranks")
        return RolesQuery(_rows(roles), None if ranks is None else _rows(ranks))
    except (KeyError, TypeError, ValueError) as error:
        raise AnyOrderError(
            f"{path} must hold a list of roles, or {json.dumps({'roles': [], 'ranks': []})}; found something else ({error})"
        ) from None


def _rows(numbers: Any) -> torch.Tensor:
    """``[1, E]`` from a list of E numbers."""
    return torch.as_tensor(np.atleast_2d(numbers))


def _decoder(chosen: Any, order: Order) -> Decoder:
    if chosen.num_samples < 1:
        raise AnyOrderError(f"--num_samples must be at least 1; found {chosen.num_samples}")
    if chosen.num_samples > 1 and chosen.temperature == 0:
        raise AnyOrderError("several samples differ only if they are drawn; give --temperature 1")
    said = (chosen.decoder, chosen.num_passes, chosen.unit_order, chosen.temperature, chosen.top_p)
    return decoder_of(DecoderChoice(*said), order, dashes="--")
