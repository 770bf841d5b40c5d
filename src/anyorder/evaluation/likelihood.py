"""How well hidden elements are rebuilt: accuracy and NLL over the targets alone, beside two baselines.

Everything is a sum over a count, added up over the whole split before it is divided.

Legend: B trajectories, F frames, S cells of a view, E elements, K targets, V vocabulary.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from anyorder.data.batch import Batch, EncodedTrajectories
from anyorder.data.grid import NUM_VALUES, WALL, GridShape
from anyorder.data.layout import Kind
from anyorder.evaluation.baselines import Baselines
from anyorder.evaluation.statistics import Proportion
from anyorder.masking.order import Order, Role
from anyorder.masking.strategies import Strategy
from anyorder.seeding import stream

MODEL, MOST_FREQUENT, COPY_LAST = "model", "most_frequent", "copy_last"
CELL_GROUPS = ("cell", "object_cell", "changed_cell")


@dataclass(frozen=True)
class GroupScore:
    """The score of one group of questions; a question is a hidden element, or a hidden cell in `CELL_GROUPS`.

    Attributes:
        accuracy: of the model; a cell is right if all of its hidden attributes are.
        most_frequent, copy_last: accuracy of the baselines on exactly the same questions.
        num_elements: hidden elements in these questions.
        nll_per_element: nats, of the true values under the model.
        most_frequent_nll_per_element: nats, under the values' shares in the training split.
    """

    accuracy: Proportion
    most_frequent: Proportion
    copy_last: Proportion
    num_elements: int
    nll_per_element: float
    most_frequent_nll_per_element: float


@dataclass(frozen=True)
class Scores:
    """The scores of a split under one strategy.

    Attributes:
        num_trajectories: in the split.
        hidden_fraction: hidden observation and action elements / all of them, as it was realised.
        groups: by name; a group without questions is left out. Every attribute (``object``, ``color``, ``state``,
            ``direction``, ``action``); ``cell``: all grid squares; ``object_cell``: those whose true object is above
            wall; ``changed_cell``: those that differ from the same place of the view one step earlier (never in a
            first frame).
    """

    num_trajectories: int
    hidden_fraction: float
    groups: dict[str, GroupScore]


@torch.no_grad()
def score(
    model: nn.Module,
    data: EncodedTrajectories,
    strategy: Strategy,
    baselines: Baselines,
    frames_per_batch: int,
    seed: int,
    on_batch: Callable[[int], None] = lambda num_trajectories: None,
) -> Scores:
    """Score a model on a split. The same arguments give the same questions; the strategy draws all that is random.

    Args:
        model: a grid model; left in evaluation mode.
        data: the split.
        strategy: which elements are hidden, and what may be seen.
        baselines: counted on the training split.
        frames_per_batch: observations in one pass; another size draws other questions.
        seed: of the draws.
        on_batch: called with the number of trajectories of each batch, for progress bars.
    """
    device = next(model.parameters()).device
    baselines = baselines.to(device)
    model.eval()
    tallies: dict[str, _Tally] = defaultdict(_Tally)
    hidden, total = 0, 0
    for number, index in enumerate(data.in_order(frames_per_batch)):
        batch = data.batch(index)
        order = strategy(batch.layout, stream(seed, "evaluation", number)).to(device)
        batch = batch.to(device)
        _tally(tallies, batch, order, model(batch.values, batch.layout, order), baselines)
        maskable = batch.layout.of_kind(Kind.OBSERVATION) | batch.layout.of_kind(Kind.ACTION)
        hidden += int((maskable & (order.roles >= Role.HIDDEN)).sum())
        total += int(maskable.sum())
        on_batch(len(index))
    groups = {name: tallies[name].score() for name in (*_ATTRIBUTES, *CELL_GROUPS) if tallies[name].count}
    return Scores(len(data), hidden / total, groups)


@dataclass
class _Tally:
    """What one group adds up to."""

    count: int = 0
    num_elements: int = 0
    right: Counter[str] = field(default_factory=Counter)
    nll: Counter[str] = field(default_factory=Counter)

    def add(self, asked: Tensor, answers: _Answers) -> None:
        """Add the questions where ``asked`` (bool, shaped like the answers) is True."""
        self.count += int(asked.sum())
        self.num_elements += int(answers.num_elements[asked].sum())
        self.right.update({name: int(right[asked].sum()) for name, right in answers.right.items()})
        self.nll.update({name: float(nll[asked].double().sum()) for name, nll in answers.nll.items()})

    def score(self) -> GroupScore:
        return GroupScore(
            accuracy=Proportion(self.right[MODEL], self.count),
            most_frequent=Proportion(self.right[MOST_FREQUENT], self.count),
            copy_last=Proportion(self.right[COPY_LAST], self.count),
            num_elements=self.num_elements,
            nll_per_element=self.nll[MODEL] / self.num_elements,
            most_frequent_nll_per_element=self.nll[MOST_FREQUENT] / self.num_elements,
        )


@dataclass(frozen=True, eq=False)
class _Answers:
    """Every predictor's answers to every question, as tensors of one shape: ``[B, E]``, or ``[B, F, S]`` for cells.

    Attributes:
        num_elements: int64, hidden elements of each question; 0 where nothing is asked.
        right: bool by predictor; True where all hidden elements of the question are right.
        nll: float by predictor, nats, summed over the hidden elements of each question.
    """

    num_elements: Tensor
    right: Mapping[str, Tensor]
    nll: Mapping[str, Tensor]

    def of_cells(self, shape: GridShape) -> _Answers:
        """From elements to grid squares."""
        hidden = shape.cells(self.num_elements)
        return _Answers(
            hidden.sum(dim=-1),
            {name: (shape.cells(right) | (hidden == 0)).all(dim=-1) for name, right in self.right.items()},
            {name: shape.cells(nll).sum(dim=-1) for name, nll in self.nll.items()},
        )


def _tally(tallies: dict[str, _Tally], batch: Batch, order: Order, logits: Tensor, baselines: Baselines) -> None:
    answers = _answers(batch, order, logits, baselines)
    for name, attribute in _ATTRIBUTES.items():
        tallies[name].add(order.targets & (batch.layout.attribute == attribute), answers)
    cells = answers.of_cells(batch.layout.shape_of_grid)
    truth = batch.layout.shape_of_grid.cells(batch.values)
    asked = cells.num_elements > 0
    for name, chosen in zip(CELL_GROUPS, (asked, asked & (truth[..., 0] > WALL), asked & _changed(truth))):
        tallies[name].add(chosen, cells)


_ATTRIBUTES = {attribute.name.lower(): attribute for attribute in NUM_VALUES}


def _answers(batch: Batch, order: Order, logits: Tensor, baselines: Baselines) -> _Answers:
    """Answers by element; ``logits`` is ``[K, V]``, of the targets in row-major order."""
    asked, values = order.targets, batch.values
    predicted = values.new_zeros(values.shape).masked_scatter(asked, logits.argmax(dim=-1))
    nll = nn.functional.cross_entropy(logits, values[asked], reduction="none")
    return _Answers(
        asked.long(),
        {
            MODEL: predicted == values,
            MOST_FREQUENT: baselines.frequent(batch.layout) == values,
            COPY_LAST: baselines.copied(batch, order) == values,
        },
        {MODEL: nll.new_zeros(values.shape).masked_scatter(asked, nll), MOST_FREQUENT: baselines.nll[values] * asked},
    )


def _changed(truth: Tensor) -> Tensor:
    """bool ``[B, F, S]``; True where ``truth`` (``[B, F, S, 3]``) differs from the frame before; never in the first."""
    changed = torch.zeros(truth.shape[:3], dtype=torch.bool, device=truth.device)
    changed[:, 1:] = (truth[:, 1:] != truth[:, :-1]).any(dim=-1)
    return changed
