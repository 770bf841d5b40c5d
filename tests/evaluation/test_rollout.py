"""What a rollout records is what happened, and it happens again."""

import numpy as np
import pytest

from anyorder.data.collect import SEEDS_PER_SPLIT, SPLIT_OFFSETS
from anyorder.evaluation.films import replay
from anyorder.evaluation.robustness import occlusion
from anyorder.evaluation.rollout import FIRST_SEED, perception_generator, policy_source, roll_out
from anyorder.policy import Policy

ENV_ID = "MiniGrid-DoorKey-5x5-v0"
pytestmark = pytest.mark.usefixtures("short_episodes")
SEEDS = [FIRST_SEED + 3, FIRST_SEED, FIRST_SEED + 1]


@pytest.fixture(scope="module")
def model(make_model, vocabulary):
    return make_model((7, 7), vocabulary)


def test_seeds_are_not_those_of_data_sets():
    assert FIRST_SEED >= max(SPLIT_OFFSETS.values()) + SEEDS_PER_SPLIT


def test_one_whole_episode_per_seed_in_order(model):
    trajectories = roll_out(Policy(model), ENV_ID, SEEDS)
    assert [t.seed for t in trajectories] == SEEDS
    assert all(t.terminated or t.truncated for t in trajectories)
    assert all(len(t.observations) == len(t.actions) + 1 for t in trajectories)


def test_what_is_recorded_is_the_truth_and_can_be_replayed(model):
    for trajectory in roll_out(Policy(model, temperature=1.0), ENV_ID, SEEDS, occlusion(0.6, declared=False)):
        frames = list(replay(trajectory, 100))  # compares each view with the record
        assert len(frames) == len(trajectory) + 1
        assert (trajectory.observations != 0).any(axis=(1, 2, 3)).all()


def test_a_replay_that_differs_is_refused(model):
    (trajectory,) = roll_out(Policy(model), ENV_ID, SEEDS[:1])
    trajectory.observations.flags.writeable = True
    trajectory.observations[1, 0, 0, 0] ^= 1
    with pytest.raises(ValueError, match="step 1"):
        list(replay(trajectory, 100))


class Witness(Policy):
    """Keeps the first observations that reach it."""

    first = None

    def actions(self, histories):
        if self.first is None:
            self.first = np.stack([history.encoded().frames.numpy() for history in histories])
        return super().actions(histories)


def test_holes_reach_the_policy_but_not_the_record(model):
    clean, occluded = Witness(model), Witness(model)
    there = roll_out(clean, ENV_ID, SEEDS)
    here = roll_out(occluded, ENV_ID, SEEDS, occlusion(0.5, declared=False))
    for one, other in zip(there, here):
        assert np.array_equal(one.observations[0], other.observations[0])
        assert one.mission == other.mission
    assert (clean.first != occluded.first).any(axis=(1, 2)).all()


def test_an_episode_does_not_depend_on_its_company(model):
    together = roll_out(Policy(model), ENV_ID, SEEDS, occlusion(0.5, declared=True))
    alone = [roll_out(Policy(model), ENV_ID, [seed], occlusion(0.5, declared=True))[0] for seed in SEEDS]
    assert [t.actions.tolist() for t in together] == [t.actions.tolist() for t in alone]


def test_corruption_does_not_follow_the_level():
    seed = SEEDS[0]
    assert perception_generator(seed).random() != np.random.default_rng(seed).random()
    assert perception_generator(seed).random() == perception_generator(seed).random()


def test_every_end_is_reported(model):
    ends = []
    roll_out(Policy(model), ENV_ID, SEEDS, on_finish=lambda: ends.append(1))
    assert len(ends) == len(SEEDS)


def test_a_policy_is_an_episode_source(model):
    played = list(policy_source(Policy(model), ENV_ID, batch=2)(SEEDS))
    expected = roll_out(Policy(model), ENV_ID, SEEDS)
    assert [t.actions.tolist() for t in played] == [t.actions.tolist() for t in expected]
