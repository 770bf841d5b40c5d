"""How well hidden elements are rebuilt: accuracy and NLL over the targets alone, beside two baselines.

Every figure is a sum divided by a count; both are added up over the whole split first.

Legend: B trajectories, F frames, S cells of a view, E elements, K targets, V vocabulary, P positions, C columns.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from anyorder.elements.batch import Batch, Budget, EncodedData
from anyorder.elements.grid import NUM_VALUES, WALL, GridLayout
from anyorder.elements.layout import Kind
from anyorder.evaluation.baselines import Baselines
from anyorder.evaluation.calibration import Calibration, ConfidenceSums
from anyorder.evaluation.knowable import knowable
from anyorder.evaluation.modes import Mode
from anyorder.evaluation.predictors import COLUMNS, COPY_LAST, MODEL, MOST_FREQUENT, PREDICTORS, Predictions
from anyorder.evaluation.sights import Sights
from anyorder.evaluation.statistics import Proportion
from anyorder.inference.decoding import ask, decide_all
from anyorder.masking.order import Order
from anyorder.models.contract import GridModel
from anyorder.seeding import stream

CELL_GROUPS = ("cell", "object_cell", "changed_cell")
KNOWABLE_GROUPS = ("object_cell", "direction")
"""Groups of which an oracle can say what is knowable."""
POSITIONS = {"0": 0, "1-2": 1, "3-5": 3, "6-10": 6, "11+": 11}
"""Ranges of steps of an episode: name -> first step."""


@dataclass(frozen=True)
class GroupScore:
    """The score of one group of questions; a question is a hidden element, or a hidden cell in `CELL_GROUPS`.

    Attributes:
        accuracy: of the model; a cell is right if all of its hidden attributes are.
        most_frequent, copy_last: accuracy of the baselines on exactly the same questions.
        num_elements: number of hidden elements in these questions.
        nll_per_element: nats, of the true values under the model.
        most_frequent_nll_per_element: nats, under the values' shares in the training split.
        copy_last_nll_per_element: nats, if what was last visible stays as often as in the training split (see
            `Baselines.copied_nll`).
        knowable: share of the questions whose answer what is visible gives away, see `anyorder.evaluation.knowable`; None where
            nobody can say, and outside of `KNOWABLE_GROUPS`.
        right_of_knowable: accuracy of the model on those; None where there are none.
    """

    accuracy: Proportion
    most_frequent: Proportion
    copy_last: Proportion
    num_elements: int
    nll_per_element: float
    most_frequent_nll_per_element: float
    copy_last_nll_per_element: float
    knowable: Proportion | None = None
    right_of_knowable: Proportion | None = None

    @classmethod
    def of(cls, sums: Tensor, judged: bool = False) -> GroupScore:
        """``sums`` is float64 ``[C]``, of the `COLUMNS`; ``judged`` is True if an oracle said what is knowable."""
        total = dict(zip(COLUMNS, sums.tolist()))
        count, num_elements = int(total["count"]), int(total["num_elements"])
        right = {name: Proportion(int(total[f"{name} right"]), count) for name in PREDICTORS}
        nll = {name: total[f"{name} nll"] / num_elements for name in PREDICTORS}
        known = int(total["knowable"])
        return cls(
            accuracy=right[MODEL],
            most_frequent=right[MOST_FREQUENT],
            copy_last=right[COPY_LAST],
            num_elements=num_elements,
            nll_per_element=nll[MODEL],
            most_frequent_nll_per_element=nll[MOST_FREQUENT],
            copy_last_nll_per_element=nll[COPY_LAST],
            knowable=Proportion(known, count) if judged else None,
            right_of_knowable=Proportion(int(total["knowable right"]), known) if judged and known else None,
        )


@dataclass(frozen=True)
class Scores:
    """The scores of a split in one mode.

    Attributes:
        num_trajectories: number of trajectories in the split.
        hidden_fraction: share of the observation and action elements that were in fact asked for.
        groups: by name; a group without questions is left out. Every attribute (``object``, ``color``, ``state``,
            ``direction``, ``action``); ``cell``: all grid squares; ``object_cell``: those whose true object is above
            wall; ``changed_cell``: those that differ from the same place of the view one step earlier (never in a
            first frame).
        positions: scores of the `CELL_GROUPS`, by name and then by the range of `POSITIONS` in which the observation's
            step lies; what has no questions is left out.
        calibration: of the model's own probability of each element that was asked for, taken alone.
    """

    num_trajectories: int
    hidden_fraction: float
    groups: dict[str, GroupScore]
    positions: dict[str, dict[str, GroupScore]]
    calibration: Calibration


@torch.no_grad()
def score(
    model: GridModel,
    data: EncodedData[GridLayout],
    mode: Mode,
    baselines: Baselines,
    budget: Budget,
    seed: int,
    on_batch: Callable[[int], None] = lambda num_trajectories: None,
    sights: Sights | None = None,
) -> Scores:
    """Score a model on a split. The same arguments give the same questions; the mode draws all that is random.

    Args:
        model: left in evaluation mode.
        data: the split.
        mode: which elements are hidden, and what may be seen, pass by pass.
        baselines: counted on the training split.
        budget: size of one pass; with another one, other elements are hidden.
        seed: of the draws.
        on_batch: called with the number of trajectories of each batch, for progress bars.
        sights: of the split, to tell what is knowable; None where its episodes cannot be played again.
    """
    device = next(model.parameters()).device
    baselines = baselines.to(device)
    model.eval()
    tally, total = _Tally(sights is not None), 0
    for number, index in enumerate(data.in_order(budget)):
        batch = data.batch(index)
        total += int((batch.layout.of_kind(Kind.OBSERVATION) | batch.layout.of_kind(Kind.ACTION)).sum())
        seen = None if sights is None else sights.batch(index)
        for part, order, rows in mode(batch, stream(seed, "evaluation", number)):
            known = None if seen is None else knowable(part, order, seen[rows, : part.layout.grid.num_frames]).to(device)
            logits = ask(model, part, order)
            chosen, _ = decide_all(model, part, order, logits)
            tally.add(part.to(device), order.to(device), logits.to(device), chosen.to(device), baselines, known)
        on_batch(len(index))
    return tally.scores(len(data), total)


class _Tally:
    """Sums over a split: float64 ``[P, C]`` for every group; ``judged`` is True if an oracle says what is knowable."""

    def __init__(self, judged: bool) -> None:
        self._judged = judged
        self._sums: dict[str, Tensor] = defaultdict(lambda: torch.zeros(len(POSITIONS), len(COLUMNS)).double())
        self._confidence = ConfidenceSums()

    def add(
        self,
        batch: Batch[GridLayout],
        order: Order,
        logits: Tensor,
        chosen: Tensor,
        baselines: Baselines,
        known: Tensor | None,
    ) -> None:
        """Add one pass; ``logits`` is ``[K, V]``, ``chosen`` int64 ``[K]``, ``known`` bool ``[B, E]``."""
        layout, shape = batch.layout, batch.layout.grid
        answers = Predictions.of(batch, order, logits, chosen, baselines, known)
        for name, attribute in _ATTRIBUTES.items():
            self._group(name, order.targets & (layout.attribute == attribute), answers, layout.step)
        cells, truth = answers.of_cells(shape), shape.cells(batch.values)
        asked = cells.num_elements > 0
        for name, chosen in zip(CELL_GROUPS, (asked, asked & (truth[..., 0] > WALL), asked & _changed(truth))):
            self._group(name, chosen, cells, shape.cells(layout.step)[..., 0])
        sure, likely = logits.softmax(dim=-1).max(dim=-1)
        self._confidence.add(sure, likely == batch.values[order.targets])

    def _group(self, name: str, chosen: Tensor, answers: Predictions, step: Tensor) -> None:
        position = torch.bucketize(step[chosen].cpu(), _FIRST_STEPS, right=True) - 1
        self._sums[name].index_add_(0, position, answers.records(chosen).cpu())

    def scores(self, num_trajectories: int, num_elements: int) -> Scores:
        """The scores of all that was added; ``num_elements`` counts those of observations and actions, asked for or not."""
        groups = {
            name: GroupScore.of(sums, self._knows(name))
            for name in (*_ATTRIBUTES, *CELL_GROUPS)
            if _asks(sums := self._sums[name].sum(dim=0))
        }
        positions = {
            name: {at: GroupScore.of(row, self._knows(name)) for at, row in zip(POSITIONS, self._sums[name]) if _asks(row)}
            for name in CELL_GROUPS
            if name in groups
        }
        calibration = self._confidence.calibration()
        asked = sum(groups[name].num_elements for name in _MASKABLE if name in groups)
        return Scores(num_trajectories, asked / num_elements, groups, positions, calibration)

    def _knows(self, group: str) -> bool:
        return self._judged and group in KNOWABLE_GROUPS


_ATTRIBUTES = {attribute.name.lower(): attribute for attribute in NUM_VALUES}
_MASKABLE = tuple(name for name in _ATTRIBUTES if name != "return")
_FIRST_STEPS = torch.tensor(list(POSITIONS.values()))


def _asks(sums: Tensor) -> bool:
    return bool(sums[COLUMNS.index("count")] > 0)


def _changed(truth: Tensor) -> Tensor:
    """bool ``[B, F, S]``; True where ``truth`` (``[B, F, S, 3]``) differs from the frame before; never in the first."""
    changed = torch.zeros(truth.shape[:3], dtype=torch.bool, device=truth.device)
    changed[:, 1:] = (truth[:, 1:] != truth[:, :-1]).any(dim=-1)
    return changed
