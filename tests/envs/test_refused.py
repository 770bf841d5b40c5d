"""What cannot be learned is refused before it is stored, in a sentence that says what was found."""

import pickle

import pytest

from anyorder.data.collect import CollectSpec, collect
from anyorder.data.manifest import Failure, read_manifest
from anyorder.envs.episode import EpisodeFailed
from anyorder.envs.minigrid import make_env, reset
from anyorder.errors import AnyOrderError

pytestmark = pytest.mark.usefixtures("toy_levels")


@pytest.mark.parametrize(
    ("env_id", "message"),
    [
        ("EightActions-v0", r"actions must be MiniGrid's, .*; found Discrete\(8\) in 'EightActions-v0'; choose"),
        ("SevenColors-v0", r"below 11, 6 and 4; found up to \[\d+, 6, \d\], in 'SevenColors-v0'; choose"),
        ("Pictures-v0", r"below 11, 6 and 4; found up to \[\d+, \d+, \d+\], in 'Pictures-v0'; choose"),
        ("MissionList-v0", "mission must be a string; found list, in 'MissionList-v0'; choose"),
        ("NeedsPackage-v0", "'NeedsPackage-v0' needs a package that is not installed .*paint is missing.*; install it"),
    ],
)
def test_an_environment_that_is_not_minigrids_is_refused_before_anything_is_stored(tmp_path, env_id, message):
    with pytest.raises(AnyOrderError, match=message):
        collect(tmp_path / "data", CollectSpec(env_id, "random", 3, 0, 0), num_processes=1)
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(
    ("env_id", "reason"),
    [
        ("MissionChanges-v0", "the mission must stay the same within an episode; found 'then that' after 'first this'"),
        ("LateColor-v0", "the image must hold MiniGrid's numbers"),
        ("NoNumber-v0", "a reward must be a finite number; found nan"),
    ],
)
def test_an_episode_that_cannot_be_recorded_is_a_failure_with_its_reason(tmp_path, env_id, reason):
    collect(tmp_path, CollectSpec(env_id, "random", 3, 0, 0), num_processes=1)
    split = read_manifest(tmp_path).splits["train"]
    assert split.num_episodes == 0 and [failure.seed for failure in split.failures] == [0, 1, 2]
    assert all(failure.reason.startswith(reason) for failure in split.failures)


def test_an_environment_that_raises_costs_its_episodes(tmp_path):
    collect(tmp_path, CollectSpec("Breaks-v0", "random", 6, 0, 0), num_processes=1)
    split = read_manifest(tmp_path).splits["train"]
    assert split.failures == (
        Failure(0, "RuntimeError: no level"),
        Failure(1, "RuntimeError: it broke"),
        Failure(3, "RuntimeError: it broke"),
        Failure(4, "RuntimeError: no level"),
        Failure(5, "RuntimeError: it broke"),
    )
    assert split.num_episodes == 1


def test_fewer_actions_are_allowed():
    assert reset(make_env("FourActions-v0"), 0).mission


def test_a_failed_episode_reaches_another_process_whole():
    failed = pickle.loads(pickle.dumps(EpisodeFailed("the episode", "it broke")))
    assert failed.reason == "it broke" and str(failed).startswith("the episode failed (it broke)")
