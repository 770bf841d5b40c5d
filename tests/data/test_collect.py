"""A data set accounts for every seed, whoever plays and however often it was interrupted."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace

import gymnasium as gym
import pytest

from anyorder.data import collect as collect_module
from anyorder.data.collect import CollectSpec, collect
from anyorder.data.episodes import ExpertSource
from anyorder.data.manifest import Failure, read_manifest
from anyorder.data.storage import read_split
from anyorder.elements.grid import GridVocabulary
from anyorder.errors import AnyOrderError

SPEC = CollectSpec(num_episodes=25, num_validation=12, num_test=3)


@pytest.fixture(autouse=True)
def small_shards(monkeypatch):
    monkeypatch.setattr(collect_module, "SHARD_SIZE", 10)


def contents(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def counting(spec, stop_after=None):
    """An episode source that keeps the seeds it played and raises KeyboardInterrupt after so many."""
    played = []

    def source(seeds):
        for result in ExpertSource(spec.env_id, spec.policy, spec.noise, spec.time_limit, num_processes=1)(seeds):
            if len(played) == stop_after:
                raise KeyboardInterrupt
            played.append(result.seed)
            yield result

    return source, played


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data") / "whole"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(collect_module, "SHARD_SIZE", 10)
        collect(folder, SPEC, num_processes=1)
    return folder


def test_splits_hold_the_promised_disjoint_seeds(uninterrupted):
    seeds = {split: [t.seed for t in read_split(uninterrupted, split)] for split in ("train", "validation", "test")}
    assert seeds == {
        "train": list(range(25)),
        "validation": list(range(10_000_000, 10_000_012)),
        "test": list(range(20_000_000, 20_000_003)),
    }
    manifest = read_manifest(uninterrupted)
    assert manifest.complete and manifest.env_id == SPEC.env_id and manifest.spec["policy"] == "bot"
    assert len(manifest.splits["train"].shards) == 3


def test_the_number_of_processes_does_not_change_a_byte(uninterrupted, tmp_path):
    collect(tmp_path / "two", SPEC, num_processes=2)
    assert contents(tmp_path / "two") == contents(uninterrupted)


@pytest.mark.parametrize("stop_after", [0, 9, 10, 34])
def test_interrupted_and_continued_equals_uninterrupted(uninterrupted, tmp_path, stop_after):
    folder = tmp_path / "data"
    source, played = counting(SPEC, stop_after)
    with pytest.raises(KeyboardInterrupt, match="run the same again to continue"):
        collect(folder, SPEC, source=source)
    assert len(played) == stop_after
    if folder.exists():
        with pytest.raises(AnyOrderError, match="no split|unfinished"):
            read_split(folder, "test")
    source, played = counting(SPEC)
    collect(folder, SPEC, source=source)
    assert 40 - len(played) == {0: 0, 9: 0, 10: 10, 34: 25}[stop_after], "whole shards are not played again"
    assert contents(folder) == contents(uninterrupted)


def test_a_finished_data_set_is_left_alone(uninterrupted):
    source, played = counting(SPEC)
    before = contents(uninterrupted)
    assert collect(uninterrupted, SPEC, source=source) == read_manifest(uninterrupted)
    assert not played and contents(uninterrupted) == before


def test_a_damaged_or_missing_shard_is_made_anew(uninterrupted, tmp_path):
    folder = tmp_path / "data"
    collect(folder, SPEC, num_processes=1)
    (folder / "train-00000010.parquet").write_bytes(b"damaged")
    (folder / "test-20000000.parquet").unlink()
    source, played = counting(SPEC)
    collect(folder, SPEC, source=source)
    assert played == [*range(10, 20), *range(20_000_000, 20_000_003)]
    assert contents(folder) == contents(uninterrupted)


@pytest.mark.parametrize("change", [{"policy": "random"}, {"seed": 1}, {"num_test": 4}, {"env_id": "BabyAI-GoTo-v0"}])
def test_a_folder_of_another_data_set_is_refused(uninterrupted, change):
    before = contents(uninterrupted)
    name = next(iter(change))
    with pytest.raises(AnyOrderError, match=f"another data set .*{name}: .* there, {change[name]} here"):
        collect(uninterrupted, replace(SPEC, **change))
    assert contents(uninterrupted) == before


def test_every_failure_is_listed(tmp_path):
    spec = CollectSpec("BabyAI-KeyInBox-v0", num_episodes=12, num_validation=0, num_test=0)
    manifest = collect(tmp_path / "data", spec, num_processes=1)
    split = manifest.splits["train"]
    assert [failure.seed for failure in split.failures] == list(range(12)) and split.num_episodes == 0
    assert all(failure.reason.startswith("AssertionError") for failure in split.failures)
    with pytest.raises(AnyOrderError, match="all 12 episodes.*failed.*AssertionError"):
        read_split(tmp_path / "data", "train")


ORDERED = CollectSpec("BabyAI-OpenDoorsOrderN4Debug-v0", num_episodes=12, num_validation=0, num_test=0)


def test_successes_are_counted_and_episodes_without_can_be_left_out(tmp_path):
    everything = collect(tmp_path / "all", ORDERED, num_processes=1).splits["train"]
    kept = collect(tmp_path / "some", replace(ORDERED, successes_only=True), num_processes=1).splits["train"]
    won = [trajectory.success for trajectory in read_split(tmp_path / "all", "train")]
    assert 0 < sum(won) < len(won) == everything.num_episodes, "the bot is expected to fail at times"
    assert everything.num_successes == kept.num_successes == kept.num_episodes == sum(won)
    assert read_manifest(tmp_path / "some").splits["train"] == kept
    assert {failure.reason for failure in kept.failures} == {"no success"} and len(kept.failures) == len(won) - sum(won)
    assert all(trajectory.success for trajectory in read_split(tmp_path / "some", "train"))


def test_an_older_manifest_is_read_and_its_collection_continued(uninterrupted, tmp_path):
    """It says nothing of successes."""
    folder = tmp_path / "data"
    shutil.copytree(uninterrupted, folder)
    manifest = json.loads((folder / "manifest.json").read_text())
    del manifest["spec"]["successes_only"]
    for split in manifest["splits"].values():
        del split["num_successes"]
        for shard in split["shards"]:
            del shard["num_successes"]
    (folder / "manifest.json").write_text(json.dumps(manifest))
    assert read_manifest(folder).splits["train"].num_successes is None
    (folder / "train-00000010.parquet").unlink()
    source, played = counting(SPEC)
    collect(folder, SPEC, source=source)
    assert played == list(range(10, 20)) and len(read_split(folder, "train")) == 25


def test_endless_episodes_are_failures_among_trajectories(tmp_path):
    spec = CollectSpec("BabyAI-GoToImpUnlock-v0", num_episodes=8, num_validation=0, num_test=0, time_limit=1.0)
    split = collect(tmp_path / "data", spec, num_processes=1).splits["train"]
    assert Failure(6, "time limit") in split.failures
    assert split.num_episodes + len(split.failures) == 8


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"env_id": "BabyAI-Nothing-v0"}, "no environment"),
        ({"policy": "oracle"}, "no policy"),
        ({"policy": "noisy_bot"}, "noise"),
        ({"env_id": "MiniGrid-Empty-5x5-v0"}, "level must be one of BabyAI"),
    ],
)
def test_a_mistake_leaves_no_folder(tmp_path, changes, message):
    with pytest.raises(AnyOrderError, match=message):
        collect(tmp_path / "data", replace(SPEC, **changes), num_processes=1)
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(
    "changes", [{"num_episodes": -1}, {"seed": -1}, {"seed": 9_999_990}, {"time_limit": 0.0}, {"num_test": 10_000_001}]
)
def test_impossible_specs_are_refused(changes):
    with pytest.raises(AnyOrderError):
        replace(SPEC, **changes)


def test_a_source_that_skips_seeds_is_caught(tmp_path):
    with pytest.raises(ValueError, match="expected 0, found nothing"):
        collect(tmp_path / "data", SPEC, source=lambda seeds: [])
    source, _ = counting(SPEC)
    with pytest.raises(ValueError, match="expected 0, found seed 1"):
        collect(tmp_path / "data", SPEC, source=lambda seeds: source(seeds[1:]))


SCRIPT = """
import sys
from pathlib import Path
from anyorder.data import collect as module
module.SHARD_SIZE = 50
if __name__ == "__main__":
    try:
        module.collect(Path(sys.argv[1]), module.CollectSpec(num_episodes=100_000), num_processes=2)
    except KeyboardInterrupt as interrupted:
        sys.exit(str(interrupted))
"""


def test_ctrl_c_ends_all_processes_without_a_traceback(tmp_path):
    script, folder = tmp_path / "script.py", tmp_path / "data"
    script.write_text(SCRIPT)
    command = [sys.executable, str(script), str(folder)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    # A background job of a shell ignores Ctrl-C, and would hand that on.
    heed = lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)  # noqa: E731
    process = subprocess.Popen(command, **pipes, text=True, start_new_session=True, preexec_fn=heed)
    try:
        deadline = time.monotonic() + 60
        while not (folder / "manifest.json").exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        os.killpg(process.pid, signal.SIGINT)  # as the terminal does: to the whole group
        stdout, stderr = process.communicate(timeout=30)  # returns only when every process has closed its output
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
    assert process.returncode == 1 and stdout == ""
    assert "Traceback" not in stderr and "run the same again to continue" in stderr
    assert read_manifest(folder).splits["train"].num_seeds_done >= 50


def test_several_environments_take_turns_and_are_the_same_episodes_as_alone(tmp_path):
    names = ["BabyAI-GoToRedBall-v0", "BabyAI-PickupLoc-v0"]
    spec = CollectSpec("+".join(names), num_episodes=7, num_validation=2, num_test=0)
    manifest = collect(tmp_path / "both", spec, num_processes=1)
    assert manifest.env_id == read_manifest(tmp_path / "both").env_id == "BabyAI-GoToRedBall-v0+BabyAI-PickupLoc-v0"
    both = read_split(tmp_path / "both", "train")
    assert [t.env_id for t in both] == [names[seed % 2] for seed in range(7)]
    for trajectory in both:
        (alone,) = ExpertSource(trajectory.env_id, num_processes=1)([trajectory.seed])
        assert (trajectory.mission, trajectory.actions.tolist()) == (alone.mission, alone.actions.tolist())
        assert (trajectory.observations == alone.observations).all()
    words = set(GridVocabulary.of(both).words)
    assert {"go", "ball"} <= words and {"pick", "up"} <= words


def test_environments_of_different_views_do_not_share_a_data_set(tmp_path):
    gym.register("SmallView-v0", entry_point="minigrid.envs:EmptyEnv", kwargs={"agent_view_size": 5})
    try:
        spec = CollectSpec("BabyAI-GoToRedBall-v0+SmallView-v0", "random", 2, 0, 0)
        with pytest.raises(AnyOrderError, match=r"one size; found BabyAI-GoToRedBall-v0 \(7, 7, 3\), SmallView-v0 \(5, 5, 3\)"):
            collect(tmp_path / "mixed", spec, num_processes=1)
    finally:
        del gym.registry["SmallView-v0"]
    assert not (tmp_path / "mixed").exists()
