"""What was reached by chance becomes a goal that was reached on purpose."""

import numpy as np
import pytest

from anyorder.build.elements import element_job
from anyorder.config import DataConfig, RunConfig
from anyorder.data.arrays import write_arrays
from anyorder.elements.hindsight import GOAL, REACHED, with_hindsight
from anyorder.errors import AnyOrderError
from anyorder.types import FieldTrajectory


def episode(seed, num_actions):
    rng = np.random.default_rng(seed)
    reached = rng.normal(size=(num_actions + 1, 2))
    observations = {REACHED: reached, GOAL: np.full((num_actions + 1, 2), 9.0)}
    ends = np.arange(num_actions) == num_actions - 1
    actions = {"action": rng.normal(size=(num_actions, 1))}
    absent = {"action": rng.random((num_actions, 1)) < 0.3, GOAL: np.ones((num_actions + 1, 2), bool)}
    return FieldTrajectory("Made-v0", seed, observations, actions, np.zeros(num_actions), ends, ~ends & False, absent=absent)


def test_beginnings_end_at_their_goals():
    episodes = [episode(seed, 12) for seed in range(3)]
    found = with_hindsight(episodes, 5, seed=0)
    assert [one for one in found if one in episodes] == episodes and len(found) == 18
    lengths = set()
    for number, one in enumerate(found):
        if number % 6:
            source = episodes[number // 6]
            lengths.add(len(one))
            assert (one.observations[GOAL] == source.observations[REACHED][len(one)]).all()
            assert np.array_equal(one.observations[REACHED], source.observations[REACHED][: len(one) + 1])
            assert np.array_equal(one.absent["action"], source.absent["action"][: len(one)]) and GOAL not in one.absent
            assert one.success and one.rewards.sum() == 1 and one.terminations.tolist() == [False] * (len(one) - 1) + [True]
    assert len(lengths) > 4
    again = with_hindsight(episodes, 5, seed=0)
    assert [len(one) for one in again] == [len(one) for one in found]


def test_without_goals_it_is_refused():
    plain = FieldTrajectory("Made-v0", 0, {"observation": np.zeros(3)}, {}, np.zeros(2), np.zeros(2, bool), np.zeros(2, bool))
    assert with_hindsight([plain], 0, seed=0) == [plain]
    with pytest.raises(AnyOrderError, match="needs observations named desired_goal and achieved_goal; desired_goal is missing"):
        with_hindsight([plain], 1, seed=0)


def test_the_spec_is_that_of_what_was_recorded(tmp_path):
    rng = np.random.default_rng(0)
    walks = [rng.normal(size=(9, 2)).cumsum(axis=0) for _ in range(12)]
    episodes = [
        {"observations": {REACHED: walk, GOAL: np.tile(walk[-1:], (9, 1))}, "actions": np.diff(walk, axis=0)} for walk in walks
    ]
    write_arrays(tmp_path / "data", episodes)
    jobs = [
        element_job(RunConfig(data=DataConfig(str(tmp_path / "data"), hindsight=copies)), tmp_path / "run", resume=False)
        for copies in (0, 4)
    ]
    plain, more = (job.model.spec for job in jobs)
    assert plain == more and len(jobs[1].train) > 3 * len(jobs[0].train)
