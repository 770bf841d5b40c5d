"""Which instruction was this? Missions ranked by how probable they make what was done.

The policy says how probable each action is given a mission. So, by Bayes' rule and with all missions equally likely beforehand,
the probability of a mission is proportional to that of the trajectory's actions given the mission.

Legend: M missions, F frames.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import torch

from anyorder.elements.batch import Batch
from anyorder.elements.grid import Encoded, collate
from anyorder.elements.layout import Kind
from anyorder.inference.chain_rule import ChainInOnePass
from anyorder.masking.order import imitate
from anyorder.models.contract import GridModel

FRAMES_A_PASS = 256


@dataclass(frozen=True)
class RankedMission:
    """A mission that a trajectory may have had.

    Attributes:
        mission: the instruction.
        log_likelihood: nats, of the trajectory's actions given this mission and the observations before each.
        probability: among the missions it was ranked with, each as likely as the others beforehand.
    """

    mission: str
    log_likelihood: float
    probability: float

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


def rank_missions(model: GridModel, encoded: Encoded, missions: Sequence[str]) -> list[RankedMission]:
    """The missions, the most probable first; equally probable ones in the order given.

    Args:
        model: that was trained on orders that include imitation, in evaluation mode.
        encoded: one trajectory; its own mission is not looked at, and what was not recorded is neither shown nor asked for.
        missions: M different instructions, at least one.

    Raises:
        ValueError: for a trajectory without actions, which tells nothing.
    """
    asked = [_with_mission(model, encoded, mission) for mission in missions]
    if not collate(asked[:1], *model.view)[1].of_kind(Kind.ACTION).any():
        raise ValueError("a trajectory must have actions to tell its mission; found none")
    size = max(1, FRAMES_A_PASS // len(encoded.frames))
    found = []
    for first in range(0, len(asked), size):
        part = Batch(*collate(asked[first : first + size], *model.view))
        found += ChainInOnePass()(model, part, imitate(part.layout)).total.tolist()
    return _ranked(missions, found)


def ranked_by(likelihood: Callable[[str], float], missions: Sequence[str]) -> list[RankedMission]:
    """The missions, the most probable first; ``likelihood`` gives the log-likelihood of what was done under each, in nats."""
    return _ranked(missions, [likelihood(mission) for mission in missions])


def _ranked(missions: Sequence[str], found: Sequence[float]) -> list[RankedMission]:
    shares = torch.tensor(found, dtype=torch.float64).softmax(dim=0).tolist()
    ranked = [RankedMission(*one) for one in zip(missions, found, shares, strict=True)]
    return sorted(ranked, key=lambda one: -one.log_likelihood)


def _with_mission(model: GridModel, encoded: Encoded, mission: str) -> Encoded:
    words = torch.tensor(model.vocabulary.encode_mission(mission), dtype=torch.int64)
    return replace(encoded, mission=mission, words=words)
