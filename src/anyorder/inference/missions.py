"""Which instruction was this? Missions ranked by what the model says of a trajectory and of them.

Two kinds of evidence. A policy says how probable each action is given a mission: by Bayes' rule, with all missions equally
likely beforehand, the probability of a mission is proportional to that of the trajectory's actions given the mission
(`of_actions`). A model that has learned missions as targets (the strategy `mission_words`) says how probable their words are
given all that was seen and done (`of_words`).

Legend: M missions, F frames, W words, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import torch
from torch import Tensor

from anyorder.elements.batch import Batch
from anyorder.elements.grid import END_WORD, Encoded, GridLayout, collate
from anyorder.elements.layout import Kind
from anyorder.inference.chain_rule import ChainInOnePass
from anyorder.inference.decoding import ask
from anyorder.masking.order import imitate, reconstruct
from anyorder.models.contract import GridModel

FRAMES_A_PASS = 256
IMPROBABLE = -20.0
"""Nats: what begins no more probably than this is not followed any further."""


@dataclass(frozen=True)
class RankedMission:
    """A mission that a trajectory may have had.

    Attributes:
        mission: the instruction.
        log_likelihood: nats; of the trajectory's actions given this mission and the observations before each, or of the
            mission's words given the trajectory.
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


def of_words(model: GridModel, encoded: Encoded, missions: Sequence[str]) -> list[float]:
    """How probable each mission is, given the trajectory: its words and its end, one after the other by the chain rule.

    What begins less probably than `IMPROBABLE` is as improbable as its beginning, which is an upper bound.

    Args:
        model: whose vocabulary has an end for missions.
        encoded: one trajectory; its own mission is not looked at.
        missions: M instructions.
    """
    words = [tuple(model.vocabulary.encode_mission(mission)) for mission in missions]
    found: dict[tuple[int, ...], float] = {(): 0.0}
    for place in range(max(map(len, words))):
        reached = {one[:place] for one in words if len(one) > place}
        followed = sorted(one for one in reached if found.get(one, IMPROBABLE) > IMPROBABLE)
        said = dict(zip(followed, _next_words(model, encoded, followed), strict=True))
        for one in words:
            if len(one) > place and (beginning := one[:place]) in said:
                found[one[: place + 1]] = found[beginning] + float(said[beginning][one[place]])
    return [_longest(found, one) for one in words]


def _longest(found: Mapping[tuple[int, ...], float], words: tuple[int, ...]) -> float:
    """What was found for the longest beginning of a mission."""
    return next(found[words[:place]] for place in range(len(words), -1, -1) if words[:place] in found)


def _next_words(model: GridModel, encoded: Encoded, beginnings: Sequence[tuple[int, ...]]) -> list[Tensor]:
    """float64 ``[V]`` each: log-probabilities of the word that follows each beginning of a mission, all of the same length."""
    asked = [_with_words(encoded, [*first, *model.vocabulary.encode_mission(END_WORD)[:1]]) for first in beginnings]
    found: list[Tensor] = []
    for part in _passes(model, asked):
        last = part.layout.of_kind(Kind.MISSION) & (part.layout.cell == len(beginnings[0]))
        found += list(ask(model, part, reconstruct(part.layout, last)).double().log_softmax(dim=-1))
    return found


def rank_missions(model: GridModel, encoded: Encoded, missions: Sequence[str]) -> list[RankedMission]:
    """The missions, the most probable first; equally probable ones in the order given.

    Args:
        model: in evaluation mode. One whose vocabulary ends missions, since it was trained to say them, is asked for their
            words, another one for the actions under each.
        encoded: one trajectory; its own mission is not looked at, and what was not recorded is neither shown nor asked for.
        missions: M different instructions, at least one.

    Raises:
        ValueError: for a trajectory that tells nothing.
    """
    evidence = of_words if model.vocabulary.ends_missions else of_actions
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
