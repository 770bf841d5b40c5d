"""Instructions that were not recorded, filled in by what was done (`anyorder.inference.missions`).

Legend: N episodes, M missions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from anyorder.elements.grid import encode
from anyorder.inference.calibrating import FEWEST_ANSWERS, temperature
from anyorder.inference.missions import Evidence, of_actions, rank_missions
from anyorder.models.contract import GridModel
from anyorder.types import FILLED_MISSION, Trajectory


@dataclass(frozen=True, eq=False)
class MissionFiller:
    """Fills missions in.

    Attributes:
        model: of grids, in evaluation mode.
        missions: M different instructions to choose among.
        temperature: that log-likelihoods are divided by, which makes the probabilities true.
        evidence: by which the model tells missions.
    """

    model: GridModel
    missions: Sequence[str]
    temperature: float = 1.0
    evidence: Evidence = of_actions

    def calibrated(self, episodes: Sequence[Trajectory]) -> MissionFiller:
        """The same with the temperature at which the missions of these episodes, which the model has not learned from, are most
        probable; 1 where there are too few."""
        known = [one for one in episodes if one.mission in set(self.missions) and _tells(one)]
        if len(known) < FEWEST_ANSWERS:
            return self
        logits = torch.tensor([self._log_likelihoods(one) for one in known])
        truth = torch.tensor([self.missions.index(one.mission) for one in known])
        return replace(self, temperature=temperature(logits, truth))

    def __call__(self, episode: Trajectory, threshold: float) -> Trajectory:
        """The episode with its most probable mission, if it has none and this one is at least as probable as ``threshold``."""
        if episode.mission or not _tells(episode):
            return episode
        shares = (torch.tensor(self._log_likelihoods(episode), dtype=torch.float64) / self.temperature).softmax(dim=0)
        sure, best = shares.max(dim=0)
        if sure < threshold:
            return episode
        filled = {**episode.filled, FILLED_MISSION: np.array([sure], np.float32)}
        return replace(episode, mission=self.missions[int(best)], filled=filled)

    @torch.no_grad()
    def _log_likelihoods(self, episode: Trajectory) -> list[float]:
        ranked = rank_missions(self.model, encode(episode, self.model.vocabulary), self.missions, self.evidence)
        found = {one.mission: one.log_likelihood for one in ranked}
        return [found[mission] for mission in self.missions]


def _tells(episode: Trajectory) -> bool:
    """False for an episode of which no action is known."""
    lost = episode.absent.get("actions")
    return lost is None or not bool(lost.all())
