"""Which instruction was this? Missions ranked by what the model says of a trajectory and of them.

Two kinds of evidence. A policy says how probable each action is given a mission: by Bayes' rule, the probability of a mission
is proportional to that of the trajectory's actions given the mission (`of_actions`), times how frequent the mission is
(`OfActions`). A model that has learned missions as targets (the strategy `mission_words`) says how probable their words are
given all that was seen and done (`OfWords`). The two err in different places, so `OfBoth` believes each of them half.

Legend: M missions, F frames, W words, V vocabulary.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, TypeVar

import torch
from torch import Tensor

from anyorder.elements.batch import Batch
from anyorder.elements.grid import UNKNOWN_WORD, Encoded, GridLayout, collate
from anyorder.elements.layout import Kind
from anyorder.inference.chain_rule import ChainInOnePass
from anyorder.inference.decoding import ask
from anyorder.masking.order import Order, Role, imitate, reconstruct
from anyorder.models.contract import GridModel

KeyT = TypeVar("KeyT")
FRAMES_A_PASS = 256
IMPROBABLE = -20.0
"""Nats: what begins no more probably than this is not followed any further."""

MissionBeginning = tuple[int, tuple[int, ...]]
"""The number of words of a mission, and the first of them."""
Evidence = Callable[[GridModel, Encoded, Sequence[str]], list[float]]
"""From a model, a trajectory and M missions to the log-probabilities of the missions in nats, up to a constant that all of them
share."""


@dataclass(frozen=True)
class RankedMission:
    """A mission that a trajectory may have had.

    Attributes:
        mission: the instruction.
        log_likelihood: nats, see `Evidence`.
        probability: among the missions it was ranked with.
    """

    mission: str
    log_likelihood: float
    probability: float

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


def of_actions(model: GridModel, encoded: Encoded, missions: Sequence[str]) -> list[float]:
    """How probable each mission makes the trajectory's actions, each given what came before it.

    Raises:
        ValueError: for a trajectory without actions, which tells nothing.
    """
    asked = [_with_words(encoded, model.vocabulary.encode_mission(mission)) for mission in missions]
    if not collate(asked[:1], *model.view)[1].of_kind(Kind.ACTION).any():
        raise ValueError("a trajectory must have actions to tell its mission; found none")
    found: list[float] = []
    for part in _passes(model, asked):
        found += ChainInOnePass()(model, part, imitate(part.layout)).total.tolist()
    return found


@dataclass(frozen=True)
class OfActions:
    """`of_actions`, where missions are as likely beforehand as they are frequent in training.

    Attributes:
        shares: from a mission to its share of the trajectories in training.
    """

    shares: Mapping[str, float]

    @classmethod
    def after(cls, told: Iterable[str]) -> OfActions:
        """Of a model that was told these missions in training, each as often as it stands here."""
        return cls(_shares(told))

    def __call__(self, model: GridModel, encoded: Encoded, missions: Sequence[str]) -> list[float]:
        """See `Evidence`; the missions were told in training. Raises as `of_actions`."""
        found = of_actions(model, encoded, missions)
        return [math.log(self.shares[mission]) + one for mission, one in zip(missions, found, strict=True)]


@dataclass(frozen=True)
class OfWords:
    """How probable each mission is, given the trajectory: its words one after the other by the chain rule, given their number,
    and the number as often as it was in training, whatever the trajectory.

    What begins less probably than `IMPROBABLE` is as improbable as its beginning, which is an upper bound.

    Attributes:
        lengths: from a number of words to the share of the missions in training that had so many.
    """

    lengths: Mapping[int, float]

    @classmethod
    def after(cls, told: Iterable[str]) -> OfWords:
        """Of a model that was told these missions in training, each as often as it stands here."""
        return cls(_shares(len(mission.split()) for mission in told))

    def __call__(self, model: GridModel, encoded: Encoded, missions: Sequence[str]) -> list[float]:
        """See `Evidence`; the missions have as many words as some in training."""
        words = [tuple(model.vocabulary.encode_mission(mission)) for mission in missions]
        found: dict[MissionBeginning, float] = {(len(one), ()): math.log(self.lengths[len(one)]) for one in words}
        for place in range(max(len(one) for one in words)):
            reached = {(len(one), one[:place]) for one in words if len(one) > place}
            followed = sorted(one for one in reached if found.get(one, IMPROBABLE) > IMPROBABLE)
            said = dict(zip(followed, _next_words(model, encoded, followed), strict=True))
            for one in words:
                if (beginning := (len(one), one[:place])) in said:
                    found[len(one), one[: place + 1]] = found[beginning] + float(said[beginning][one[place]])
        return [_longest(found, one) for one in words]


@dataclass(frozen=True)
class OfBoth:
    """The mean of the probabilities that words and actions give to each of the missions.

    Attributes:
        words, actions: the two kinds of evidence.
    """

    words: OfWords
    actions: OfActions

    def __call__(self, model: GridModel, encoded: Encoded, missions: Sequence[str]) -> list[float]:
        """See `Evidence`; raises as `of_actions`."""
        found = (torch.tensor(one(model, encoded, missions)).double() for one in (self.words, self.actions))
        said, done = (one.log_softmax(dim=0) for one in found)
        return (torch.logaddexp(said, done) - math.log(2)).tolist()


def _shares(found: Iterable[KeyT]) -> dict[KeyT, float]:
    counts = Counter(found)
    return {key: count / counts.total() for key, count in counts.items()}


def _longest(found: Mapping[MissionBeginning, float], words: tuple[int, ...]) -> float:
    """What was found for the longest beginning of a mission."""
    beginnings = ((len(words), words[:place]) for place in range(len(words), -1, -1))
    return next(found[one] for one in beginnings if one in found)


def _next_words(model: GridModel, encoded: Encoded, beginnings: Sequence[MissionBeginning]) -> list[Tensor]:
    """float64 ``[V]`` each: log-probabilities of the word that follows each beginning of a mission of so many words."""
    padding = model.vocabulary.encode_mission(UNKNOWN_WORD)
    asked = [_with_words(encoded, [*first, *padding * (number - len(first))]) for number, first in beginnings]
    places = torch.tensor([len(first) for _, first in beginnings])
    found: list[Tensor] = []
    for part in _passes(model, asked):
        mission, place = part.layout.of_kind(Kind.MISSION), places[len(found) : len(found) + len(part.values)]
        order = reconstruct(part.layout, mission & (part.layout.cell == place[:, None]))
        hidden = order.roles.masked_fill(mission & (part.layout.cell > place[:, None]), Role.HIDDEN)
        found += list(ask(model, part, Order(hidden, order.ranks)).double().log_softmax(dim=-1))
    return found


def rank_missions(
    model: GridModel, encoded: Encoded, missions: Sequence[str], evidence: Evidence = of_actions
) -> list[RankedMission]:
    """The missions, the most probable first; equally probable ones in the order given.

    Args:
        model: that was trained on orders that include what the evidence asks, in evaluation mode.
        encoded: one trajectory; its own mission is not looked at, and what was not recorded is neither shown nor asked for.
        missions: M different instructions, at least one.
        evidence: `of_actions`, `OfActions`, `OfWords` or `OfBoth`.

    Raises:
        ValueError: for a trajectory that tells nothing.
    """
    return _ranked(missions, evidence(model, encoded, missions))


def ranked_by(likelihood: Callable[[str], float], missions: Sequence[str]) -> list[RankedMission]:
    """The missions, the most probable first; ``likelihood`` gives the log-likelihood of what was done under each, in nats."""
    return _ranked(missions, [likelihood(mission) for mission in missions])


def _ranked(missions: Sequence[str], found: Sequence[float]) -> list[RankedMission]:
    shares = torch.tensor(found, dtype=torch.float64).softmax(dim=0).tolist()
    ranked = [RankedMission(*one) for one in zip(missions, found, shares, strict=True)]
    return sorted(ranked, key=lambda one: -one.log_likelihood)


def _with_words(encoded: Encoded, words: Sequence[int]) -> Encoded:
    return replace(encoded, mission="", words=torch.tensor(words, dtype=torch.int64))


def _passes(model: GridModel, asked: Sequence[Encoded]) -> Iterator[Batch[GridLayout]]:
    """The trajectories in their order, as many to a batch as `FRAMES_A_PASS` allows."""
    size = max(1, FRAMES_A_PASS // max(len(one.frames) for one in asked)) if asked else 1
    for first in range(0, len(asked), size):
        yield Batch(*collate(asked[first : first + size], *model.view))
