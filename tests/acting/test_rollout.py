"""What a rollout records is what happened, and it happens again."""

import numpy as np
import pytest
import torch

from anyorder.acting.corruptions import CORRUPTIONS, Occlusion, RepeatedActions, Untold
from anyorder.acting.policy import ModelPolicy
from anyorder.acting.rollout import FIRST_SEED, policy_source, roll_out
from anyorder.acting.stepwise import StepwisePolicy
from anyorder.data.collect import SEEDS_PER_SPLIT, SPLIT_OFFSETS
from anyorder.elements.grid import Attribute
from anyorder.pictures.films import episode_frames

ENV_ID = "MiniGrid-DoorKey-5x5-v0"
pytestmark = pytest.mark.usefixtures("short_episodes")
SEEDS = [FIRST_SEED + 3, FIRST_SEED, FIRST_SEED + 1]


@pytest.fixture(scope="module")
def model(make_model, vocabulary):
    return make_model((7, 7), vocabulary)


def test_seeds_are_not_those_of_data_sets():
    assert max(SPLIT_OFFSETS.values()) + SEEDS_PER_SPLIT <= FIRST_SEED


def test_one_whole_episode_per_seed_in_order(model):
    trajectories = roll_out(ModelPolicy(model), ENV_ID, SEEDS)
    assert [t.seed for t in trajectories] == SEEDS
    assert all(t.terminated or t.truncated for t in trajectories)
    assert all(len(t.observations) == len(t.actions) + 1 for t in trajectories)


def test_what_is_recorded_is_the_truth_and_can_be_replayed(model):
    for trajectory in roll_out(ModelPolicy(model, temperature=1.0), ENV_ID, SEEDS, Untold(Occlusion(0.6))):
        frames = list(episode_frames(trajectory, 100))  # compares each view with the record
        assert len(frames) == len(trajectory) + 1
        assert (trajectory.observations != 0).any(axis=(1, 2, 3)).all()


def test_a_replay_that_differs_is_refused(model):
    (trajectory,) = roll_out(ModelPolicy(model), ENV_ID, SEEDS[:1])
    trajectory.observations.flags.writeable = True
    trajectory.observations[1, 0, 0, 0] ^= 1
    with pytest.raises(ValueError, match="step 1"):
        list(episode_frames(trajectory, 100))


class Witness(ModelPolicy):
    """Keeps the first observations that reach it, the histories that it acts on, and what it chooses."""

    first = None

    def actions(self, histories):
        if self.first is None:
            self.first = np.stack([history.encoded().frames.numpy() for history in histories])
            self.histories, self.chosen = list(histories), {id(history): [] for history in histories}
        chosen = super().actions(histories)
        for history, action in zip(histories, chosen):
            self.chosen[id(history)].append(action)
        return chosen


def test_holes_reach_the_policy_but_not_the_record(model):
    clean, occluded = Witness(model), Witness(model)
    there = roll_out(clean, ENV_ID, SEEDS)
    here = roll_out(occluded, ENV_ID, SEEDS, Untold(Occlusion(0.5)))
    for one, other in zip(there, here):
        assert np.array_equal(one.observations[0], other.observations[0])
        assert one.mission == other.mission
    assert (clean.first != occluded.first).any(axis=(1, 2)).all()


@pytest.mark.parametrize("kind", CORRUPTIONS)
def test_the_mission_arrives_whole_and_only_what_was_corrupted_is_unknown(model, kind):
    told, untold = Witness(model, temperature=1.0), Witness(model, temperature=1.0)
    corruption = CORRUPTIONS[kind](0.5)
    for trajectory, history in zip(roll_out(told, ENV_ID, SEEDS, corruption), told.histories):
        assert history.mission == trajectory.mission
        unknown, frames = history.unknown_elements().numpy(), history.encoded().frames.numpy()
        assert unknown.any() and not unknown[:, -2].any()
        seen = (frames - model.vocabulary.frame_offsets(49))[:, :-3]
        changed = seen != trajectory.observations.reshape(len(seen), -1)
        assert not (changed & ~unknown[:, :-3]).any()
        assert unknown[:, :-3].any() == (kind != "repeated_actions")
        assert unknown[:, -3].any() == (kind == "dropped_frames")
        assert unknown[:, -1].any() == (kind == "repeated_actions")
    roll_out(untold, ENV_ID, SEEDS, Untold(corruption))
    assert not any(history.unknown_elements().any() for history in untold.histories)


def test_repeated_actions_are_recorded_as_executed_and_remembered_as_chosen(model):
    policy = Witness(model, temperature=1.0)
    played = roll_out(policy, ENV_ID, SEEDS, RepeatedActions(0.5))
    for trajectory, history in zip(played, policy.histories):
        frames, chosen = history.encoded().frames[:-1], policy.chosen[id(history)]
        repeated = history.unknown_elements()[:-1, -1].tolist()
        assert (frames[:, -1] - model.vocabulary.offsets[Attribute.ACTION]).tolist() == chosen
        executed = trajectory.actions.tolist()
        assert executed == [executed[t - 1] if again else chosen[t] for t, again in enumerate(repeated)]
        list(episode_frames(trajectory, 100))  # what was recorded as executed leads to what was recorded as seen
    assert any(trajectory.actions.tolist() != policy.chosen[id(h)] for trajectory, h in zip(played, policy.histories))


def test_an_episode_does_not_depend_on_its_company(model):
    together = roll_out(ModelPolicy(model), ENV_ID, SEEDS, Occlusion(0.5))
    alone = [roll_out(ModelPolicy(model), ENV_ID, [seed], Occlusion(0.5))[0] for seed in SEEDS]
    assert [t.actions.tolist() for t in together] == [t.actions.tolist() for t in alone]


def test_every_end_is_reported(model):
    ends = []
    roll_out(ModelPolicy(model), ENV_ID, SEEDS, on_finish=lambda: ends.append(1))
    assert len(ends) == len(SEEDS)


def test_a_policy_is_an_episode_source(model):
    played = list(policy_source(ModelPolicy(model), ENV_ID, batch=2)(SEEDS))
    expected = roll_out(ModelPolicy(model), ENV_ID, SEEDS)
    assert [t.actions.tolist() for t in played] == [t.actions.tolist() for t in expected]


def test_where_environments_take_turns_a_seed_says_whose_it_is(model):
    both = roll_out(StepwisePolicy(model), f"{ENV_ID}+BabyAI-OpenDoor-v0", SEEDS)
    assert [t.env_id for t in both] == ["BabyAI-OpenDoor-v0", ENV_ID, "BabyAI-OpenDoor-v0"]
    assert FIRST_SEED % 2 == 0 and len(list(episode_frames(both[0], 100))) == len(both[0]) + 1


def test_words_never_seen_are_one_unknown_word_and_can_be_played(model, vocabulary):
    (played,) = roll_out(StepwisePolicy(model), "BabyAI-OpenDoor-v0", [FIRST_SEED])
    words = played.mission.split()
    assert "open" in words and "open" not in vocabulary.words
    values = torch.tensor(vocabulary.encode_mission(played.mission))
    unknown = vocabulary.offsets[Attribute.WORD]
    assert [value == unknown for value in values.tolist()] == [word not in vocabulary.words for word in words]
