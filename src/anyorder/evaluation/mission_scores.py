"""Which instruction was this? How often a model can tell from what was done, and whether what it says fits."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import torch

from anyorder.elements.grid import encode
from anyorder.envs import minigrid
from anyorder.envs.instructions import fulfilled
from anyorder.errors import AnyOrderError
from anyorder.evaluation.statistics import Proportion
from anyorder.inference.missions import Evidence, of_actions, rank_missions
from anyorder.models.contract import GridModel
from anyorder.types import Trajectory


@dataclass(frozen=True)
class Instructed:
    """Whose missions are asked for, and how.

    Attributes:
        episodes: of levels of BabyAI, whose missions are among ``missions``; the others, those without success and those
            without actions are left out.
        missions: different instructions, among which a model chooses.
        evidence: by which it tells them.
    """

    episodes: Sequence[Trajectory]
    missions: Sequence[str]
    evidence: Evidence = of_actions


@dataclass(frozen=True)
class MissionScore:
    """Missions asked of a split, from the actions and the observations of whole episodes.

    Attributes:
        num_missions: how many instructions there were to choose among: all of the training split.
        mean_fitting: how many of them an episode fulfils, on average, "a ball" and "the ball" among them: what was done cannot
            tell these apart.
        first: share of the episodes whose true mission is the most probable one.
        among_fitting: share whose true mission is among as many most probable ones as fit the episode.
        first_fits: share whose most probable mission fits.
        mean_probability: of the true mission.
        chance: how often a guess among all would be right.
    """

    num_missions: int
    mean_fitting: float
    first: Proportion
    among_fitting: Proportion
    first_fits: Proportion
    mean_probability: float
    chance: float


@torch.no_grad()
def score_missions(model: GridModel, asked: Instructed, on_episode: Callable[[], None] = lambda: None) -> MissionScore:
    """Rank all missions for each episode, and compare with those that it fulfils when it is played again.

    Args:
        model: in evaluation mode.
        asked: episodes and missions.
        on_episode: called after each episode.

    Raises:
        AnyOrderError: when no episode is left, or for levels that are not BabyAI's.
    """
    missions = asked.missions
    make, known = cache(minigrid.make_env), set(missions)
    first, among, fits, probability, fitting = [], [], [], [], []
    for episode in asked.episodes:
        if episode.success and episode.mission in known and len(episode.actions):
            fulfilling = fulfilled(make(episode.env_id), episode.seed, episode.actions, missions)
            if fulfilling is None:
                raise AnyOrderError(f"BabyAI's own rules judge missions; found {episode.env_id}; choose another metric")
            ranked = rank_missions(model, encode(episode, model.vocabulary), missions, asked.evidence)
            place = [one.mission for one in ranked].index(episode.mission)
            first.append(place == 0)
            among.append(place < len(fulfilling))
            fits.append(ranked[0].mission in fulfilling)
            probability.append(ranked[place].probability)
            fitting.append(len(fulfilling))
        on_episode()
    if not first:
        raise AnyOrderError(
            "missions need test episodes with success whose missions are among those of the training split; found none; collect"
            " more demonstrations"
        )
    return MissionScore(
        num_missions=len(missions),
        mean_fitting=float(np.mean(fitting)),
        first=Proportion(sum(first), len(first)),
        among_fitting=Proportion(sum(among), len(first)),
        first_fits=Proportion(sum(fits), len(first)),
        mean_probability=float(np.mean(probability)),
        chance=1 / len(missions),
    )
