"""Episodes for the player: the world, what the agent saw, what it believed, and how it chose.

Legend: F frames, X columns and Y rows of a view.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from anyorder.acting.corruptions import Corruption, Occlusion
from anyorder.acting.rollout import finished, roll_out
from anyorder.acting.stepwise import quickest_policy
from anyorder.elements.batch import EncodedTrajectories
from anyorder.envs.minigrid import ACTIONS, level_of, make_env, num_actions_of
from anyorder.evaluation.modes import Filtering, Mode, WholeTrajectory
from anyorder.masking.order import reconstruct
from anyorder.masking.strategies import ForwardDynamics
from anyorder.pages.views import bits, frame
from anyorder.pictures.films import percepts
from anyorder.report.answered import action_chances, answered, unknown_elements
from anyorder.report.replay import replay
from anyorder.report.run import ReportedRun
from anyorder.report.trajectories import rebuilt_frame, spread
from anyorder.types import Trajectory

PLAYED_PER_SHOWN = 10
"""So many episodes are played for each that is shown, to find solved ones and failed ones."""
EXPECTED = "The right view is what the model, as its own world model, expected to see before it saw it."
NUM_PARTS = 6
BELIEVED = "The right view is what the agent believed to be behind the holes."


@dataclass(frozen=True)
class PlayableEpisode:
    """An episode to choose from.

    Attributes:
        seed: of the environment.
        success: whether it was solved.
        actions: what the agent did; at least one.
    """

    seed: int
    success: bool
    actions: Sequence[int]


def episode_groups(run: ReportedRun, num_shown: int, on_part: Callable[[], None] = lambda: None) -> list[dict[str, Any]]:
    """Groups of films: up to ``num_shown`` solved and as many failed episodes, on clean views and on views with holes.

    Those on clean views are taken from what the evaluation stored; where it stored none, some are played now. ``on_part``
    is called `NUM_PARTS` times, after each playing and each group, for progress bars.

    Raises:
        AnyOrderError: when the environment cannot be made.
    """
    rate = run.judged_by.cell_rate
    help_ = f"{rate:.0%} of each view are hidden from the agent, and it knows which. {BELIEVED}"
    clean = _stored(run) or _play(run, Corruption(), num_shown)
    on_part()
    groups = _groups(run, clean, Corruption(), num_shown, "", EXPECTED, on_part)
    with_holes = _play(run, Occlusion(rate), num_shown)
    on_part()
    return groups + _groups(run, with_holes, Occlusion(rate), num_shown, ", with holes in its view", help_, on_part)


def _stored(run: ReportedRun) -> list[PlayableEpisode]:
    """The episodes that the evaluation stored, without those that failed; empty if it stored no actions, as older ones did
    not."""
    columns = (run.outcomes.get(name, []) for name in ("seed", "success", "actions"))
    episodes = [PlayableEpisode(*row) for row in zip(*columns)]
    return [episode for episode in episodes if episode.actions]


def _play(run: ReportedRun, corruption: Corruption, num_shown: int) -> list[PlayableEpisode]:
    config = run.judged_by
    policy = quickest_policy(run.model, config.temperature, config.seed, config.tried_penalty)
    seeds = range(config.first_seed, config.first_seed + PLAYED_PER_SHOWN * num_shown)
    played = finished(roll_out(policy, run.played_on, seeds, corruption))
    return [PlayableEpisode(one.seed, one.success, one.actions.tolist()) for one in played]


def _groups(
    run: ReportedRun,
    played: Sequence[PlayableEpisode],
    corruption: Corruption,
    num_shown: int,
    words: str,
    help_: str,
    on_part: Callable[[], None],
) -> list[dict[str, Any]]:
    groups = []
    for name, success, verb in (("Solved", True, "solved"), ("Failed", False, "not solved")):
        some = [episode for episode in played if episode.success == success]
        shown = [episode for episode in some if run.can_show(len(episode.actions))]
        chosen = [shown[index] for index in spread([len(e.actions) for e in shown], num_shown)]
        text = f"{len(some):,} of {len(played):,} episodes were {verb}. {help_}"
        films = [_film(run, episode, corruption) for episode in chosen]
        groups.append({"name": name + words, "help": text, "films": films})
        on_part()
    return groups


def _film(run: ReportedRun, episode: PlayableEpisode, corruption: Corruption) -> dict[str, Any]:
    level = level_of(run.played_on, episode.seed)
    trajectory, worlds = replay(level, episode.seed, episode.actions)
    batch = EncodedTrajectories([trajectory], run.model.vocabulary).batch([0])
    shown = percepts(trajectory, corruption)
    holes = np.stack([_unknown(percept.unknown, trajectory) for percept in shown])
    unknown = unknown_elements(batch, holes)
    answer = answered(run.model, batch, _asked(unknown, bool(holes.any())), torch.Generator())
    chances = action_chances(run.model, batch, unknown, num_actions_of(make_env(level)))
    view = dict(zip(("columns", "rows"), trajectory.observations.shape[1:3]))
    world = dict(zip(("columns", "rows"), worlds[0].cells.shape[:2]))
    last = "What it believed" if holes.any() else "What it had expected"
    outcome = "solved" if trajectory.success else "not solved"
    return {
        "name": f"{trajectory.mission} · {len(trajectory)} steps · seed {trajectory.seed}",
        "title": trajectory.mission,
        "note": f"{outcome} after {len(trajectory)} steps",
        "panels": [
            {"title": "The world", **world, "plain": True},
            {"title": "What the agent saw", **view},
            {"title": last, **view},
        ],
        "steps": [
            {
                "views": [
                    worlds[step].frame(),
                    frame(percept.view.image, hidden=bits(np.repeat(holes[step, ..., None], 3, axis=-1))),
                    rebuilt_frame(answer, step),
                ],
                "said": "",
                **_choice(trajectory, chances, step),
            }
            for step, percept in enumerate(shown)
        ],
    }


def _unknown(unknown: np.ndarray | None, trajectory: Trajectory) -> np.ndarray:
    """bool ``[X, Y]``; True for the cells that were hidden from the agent."""
    return np.zeros(trajectory.observations.shape[1:3], bool) if unknown is None else unknown


def _asked(unknown: torch.Tensor, holes: bool) -> Mode:
    """Asks what is behind the holes, at each step from what was known by then; without holes, asks for every next view."""
    if holes:
        return Filtering(lambda layout, generator: reconstruct(layout, unknown))
    return WholeTrajectory(ForwardDynamics())


def _choice(trajectory: Trajectory, chances: np.ndarray, step: int) -> dict[str, Any]:
    if step == len(trajectory):
        end = "solved" if trajectory.success else "not solved: the steps ran out" if trajectory.truncated else "not solved"
        return {"action": {"name": "", "end": end}}
    name = ACTIONS[trajectory.actions[step]]
    percents = [round(100 * float(chance)) for chance in chances[step]]
    return {"action": {"name": name}, "chances": dict(zip(ACTIONS, percents))}
