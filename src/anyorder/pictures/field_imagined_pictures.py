"""Imagination in any environment beside the truth, as lines over time.

Legend: F frames of the picture, H imagined steps, S drawn futures, P' elements of an observation.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from anyorder.acting.field_imagination import given_actions, imagine_fields, observation_columns
from anyorder.elements.fields import encode_fields, frame_columns
from anyorder.elements.spec import ABSENT, Bins, Categories
from anyorder.evaluation.field_imagined import FieldPrefix
from anyorder.inference.field_answers import BAND, named_place
from anyorder.models.element.element_transformer import ElementTransformer
from anyorder.pictures.field_series import FieldSeries, shown_columns

FRAMES_BEFORE = 12
"""Observations before imagination begins that the picture shows at most."""
FUTURES_DRAWN = 64


def imagined_series(
    model: ElementTransformer, prefix: FieldPrefix, horizon: int, seed: int = 0
) -> tuple[list[FieldSeries], int]:
    """What the true actions lead to, up to the end of the episode, in many futures that are drawn from the model; and the step
    of the first frame.

    The answer to a number is the median of the futures, and its band holds 90% of them; that to a category is the most
    frequent one.
    """
    spec, horizon = model.spec, min(horizon, len(prefix.trajectory) - prefix.start)
    plan = given_actions([prefix.actions(horizon)] * FUTURES_DRAWN)
    generator = torch.Generator().manual_seed(seed)
    drawn = imagine_fields(model, [prefix.history(model)] * FUTURES_DRAWN, plan, horizon, generator)
    first, encoded = max(0, prefix.start + 1 - FRAMES_BEFORE), encode_fields(prefix.trajectory, spec)
    frames = slice(first, prefix.start + 1 + horizon)
    places = {column: place for place, column in enumerate(observation_columns(spec).tolist())}
    found = []
    for column, field in shown_columns(spec, frame_columns(spec).kind >= 0):
        values, numbers = encoded.frames[frames, column], encoded.frame_numbers[frames, column].double()
        answers = torch.full((len(values), 3), torch.nan, dtype=torch.float64)
        assert isinstance(field.values, (Bins, Categories))
        truth = numbers * field.scale + field.values.mean if isinstance(field.values, Bins) else values.double()
        if (place := places.get(column)) is not None:
            answers[-horizon:] = _told(field.values, drawn.values[..., place], drawn.numbers[..., place])
        found.append(
            FieldSeries(
                named_place(field.name, int(frame_columns(spec).place[column]), field.num_cells),
                field.values,
                truth.masked_fill(values == ABSENT, torch.nan).numpy(),
                ~np.isnan(answers[:, 0].numpy()),
                np.zeros(len(values), bool),
                *answers.numpy().T,
            )
        )
    return found, first


def _told(known: Bins | Categories, values: Tensor, numbers: Tensor) -> Tensor:
    """float64 ``[H, 3]``: the answer and both ends of its band, from the values and numbers of the futures, ``[S, H]`` each."""
    if isinstance(known, Bins):
        levels = torch.tensor([0.5, *BAND], dtype=torch.float64)
        return numbers.quantile(levels, dim=0).T * known.deviation + known.mean
    told = torch.full((values.shape[1], 3), torch.nan, dtype=torch.float64)
    told[:, 0] = values.mode(dim=0).values.double()
    return told
