"""Imagination against what really happened, step by step into the future.

A model goes on from a prefix of a real episode with the actions that were really taken; nothing of what follows is
shown to it. It is compared with a copy of the last real frame: most of a view stays, so a world model is only as good
as what it adds to that copy. Every figure is a sum divided by a count.

Legend: N prefixes, H steps, X columns and Y rows of a view.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from rich.table import Table

from anyorder.acting.imagination import Imagined, given, imagine
from anyorder.acting.policy import History
from anyorder.elements.grid import WALL
from anyorder.envs.minigrid import View
from anyorder.evaluation.beginnings import Beginning
from anyorder.evaluation.statistics import Proportion
from anyorder.evaluation.whereabouts import seen_before
from anyorder.inference.decoding import Decoder, SinglePass
from anyorder.models.contract import GridModel
from anyorder.seeding import stream
from anyorder.terminal import titled_table
from anyorder.types import Trajectory

IMAGINED_GROUPS = ("cell", "changed_cell", "object_cell", "seen_cell", "seen_object_cell", "direction", "frame")
PREFIXES_AT_ONCE = 64
NO_ACTION = 6
"""The action that is imagined after the end of a real episode; what follows it is not scored."""


class Prefix(Beginning[Trajectory]):
    """The beginning of an episode in a grid."""

    def history(self, model: GridModel) -> History:
        """Observations up to ``start`` and the actions before it."""
        trajectory, history = self.trajectory, History(model.vocabulary, self.trajectory.mission)
        for step in range(self.start + 1):
            if step:
                history.act(int(trajectory.actions[step - 1]))
            history.observe(View(trajectory.observations[step], int(trajectory.directions[step]), trajectory.mission))
        return history

    def actions(self, horizon: int) -> np.ndarray:
        """int64 ``[H]``: the actions from ``start`` on, `NO_ACTION` after the end."""
        real = self.trajectory.actions[self.start : self.start + horizon]
        return np.concatenate([real, np.full(horizon - len(real), NO_ACTION)]).astype(np.int64)


@dataclass(frozen=True)
class Comparison:
    """The same questions answered twice.

    Attributes:
        model: share that was imagined right.
        copy_last: share that a copy of the last real frame gets right.
    """

    model: Proportion
    copy_last: Proportion

    def to_json(self) -> dict[str, Any]:
        return {"model": self.model.to_json(), "copy_last": self.copy_last.to_json()}


@dataclass(frozen=True)
class HorizonScore:
    """Open-loop accuracy at one horizon.

    Attributes:
        horizon: number of steps ahead; 1 is the observation after the first imagined action.
        groups: comparisons by name; a group without questions is left out. ``cell``: grid squares, right if object, color
            and state are; ``changed_cell``: those whose true value differs from the same place of the last real frame;
            ``object_cell``: those whose true object is above wall; ``seen_cell``, ``seen_object_cell``: those whose
            place in the world was in sight up to the last real frame, which is all that can be remembered;
            ``direction``; ``frame``: whole observations, right if every cell and the direction are.
    """

    horizon: int
    groups: dict[str, Comparison]

    def to_json(self) -> dict[str, Any]:
        return {"horizon": self.horizon, "groups": {name: group.to_json() for name, group in self.groups.items()}}


def score_imagination(
    model: GridModel,
    prefixes: Sequence[Prefix],
    horizon: int,
    decoder: Decoder = SinglePass(),
    seed: int = 0,
    on_batch: Callable[[int], None] = lambda num_prefixes: None,
) -> list[HorizonScore]:
    """Go on from each prefix with the true actions and compare with what happened, up to its episode's end.

    Args:
        model: a grid model in evaluation mode.
        prefixes: of any episodes, at least one.
        horizon: H, at least 1.
        decoder: see `anyorder.acting.imagination.imagine`.
        seed: of a decoder that draws.
        on_batch: called with the number of prefixes of each batch, for progress bars.

    Returns:
        One score for each horizon 1..H that at least one episode reaches.
    """
    tally = {name: np.zeros((3, horizon), dtype=np.int64) for name in IMAGINED_GROUPS}
    generator = stream(seed, "imagined", "decoder")
    by_start = sorted(prefixes, key=lambda prefix: prefix.start)
    for first in range(0, len(by_start), PREFIXES_AT_ONCE):
        batch = by_start[first : first + PREFIXES_AT_ONCE]
        imagined = _go_on(model, batch, horizon, decoder, generator)
        for row, prefix in enumerate(batch):
            _count(tally, prefix, imagined.observations[row], imagined.directions[row])
        on_batch(len(batch))
    return [_score(tally, step) for step in range(horizon) if tally["frame"][0, step]]


def _go_on(
    model: GridModel, prefixes: Sequence[Prefix], horizon: int, decoder: Decoder, generator: torch.Generator
) -> Imagined:
    actions = np.stack([prefix.actions(horizon) for prefix in prefixes])
    return imagine(model, [p.history(model) for p in prefixes], given(actions), horizon, decoder, generator)


def _count(tally: dict[str, np.ndarray], prefix: Prefix, observations: np.ndarray, directions: np.ndarray) -> None:
    """Add the questions of a prefix, and those that the model and the copy answer right, to the counts.

    Args:
        tally: int64 ``[3, H]`` by group (asked, right by the model, right by the copy); changed in place.
        prefix: with its true future.
        observations, directions: imagined, uint8 ``[H, X, Y, 3]`` and ``[H]``.
    """
    now, trajectory = prefix.start, prefix.trajectory
    true_cells, true_directions = trajectory.observations[now + 1 :], trajectory.directions[now + 1 :]
    steps = min(len(true_cells), len(observations))
    true_cells, true_directions = true_cells[:steps], true_directions[:steps]
    right = (observations[:steps] == true_cells).all(axis=-1), directions[:steps] == true_directions
    copied = (trajectory.observations[now] == true_cells).all(axis=-1), trajectory.directions[now] == true_directions
    everything = np.ones(steps, bool)
    is_object, seen = true_cells[..., 0] > WALL, seen_before(trajectory, now)[:steps]
    asked_cells = {
        "cell": np.ones_like(seen),
        "changed_cell": ~copied[0],
        "object_cell": is_object,
        "seen_cell": seen,
        "seen_object_cell": seen & is_object,
    }
    for name, asked in asked_cells.items():
        tally[name][:, :steps] += [(asked & answer).sum(axis=(1, 2)) for answer in (asked, right[0], copied[0])]
    tally["direction"][:, :steps] += [everything, right[1], copied[1]]
    whole = [cells.all(axis=(1, 2)) & direction for cells, direction in (right, copied)]
    tally["frame"][:, :steps] += [everything, *whole]


def _score(tally: dict[str, np.ndarray], step: int) -> HorizonScore:
    counts = {name: numbers[:, step].tolist() for name, numbers in tally.items() if numbers[0, step]}
    return HorizonScore(
        step + 1,
        {name: Comparison(Proportion(model, n), Proportion(copy, n)) for name, (n, model, copy) in counts.items()},
    )


def imagination_table(scores: Sequence[HorizonScore], copied: str = "frame") -> Table:
    """Accuracy by horizon, beside the copy of the last real frame, or of whatever else was ``copied``."""
    numbers = ("count", "model", f"copy of the last {copied}")
    title = "Open-loop imagination: share right, with 95% intervals"
    table = titled_table(title, "steps ahead", "group", *numbers, right=("steps ahead", *numbers))
    for score in scores:
        for name, group in score.groups.items():
            table.add_row(str(score.horizon), name, f"{group.model.count:,}", str(group.model), str(group.copy_last))
        table.add_section()
    return table
