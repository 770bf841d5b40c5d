"""Any environment is collected as a grid is: by processes or by one, interrupted or not, every seed accounted for."""

import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import toy_cards  # noqa: F401  (registers the games)

from anyorder.cli import main
from anyorder.config import SpecConfig
from anyorder.data.collect import NO_SUCCESS, CollectSpec, collect
from anyorder.data.episodes import TIME_LIMIT, ExpertSource
from anyorder.data.field_storage import read_field_split
from anyorder.data.manifest import Failure, read_manifest
from anyorder.envs.modules import allow_module
from anyorder.errors import AnyOrderError

SPEC = CollectSpec("Cards-v0", "random", num_episodes=40, num_validation=20, num_test=0)


def files(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.suffix in (".parquet", ".json")}


@pytest.fixture
def allowed(monkeypatch):
    monkeypatch.setenv("ANYORDER_ENV_MODULES", "")
    allow_module("toy_cards")


def test_a_module_that_the_package_does_not_know_is_collected_by_its_own_policy(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("ANYORDER_ENV_MODULES", "")
    monkeypatch.chdir(Path(__file__).parent.parent)
    where = str(tmp_path / "cards")
    options = ["--env", "toy_cards:Cards-v0", "--policy", "toy_cards:play_well", "--num_processes", "2", "--output_dir", where]
    main(["collect", *options, "--num_episodes", "40", "--num_validation", "10", "--num_test", "0"])
    printed = capsys.readouterr().out
    assert "40 episodes      200 steps, 40 with success (100.0%)" in printed
    assert "left out: observation/mission (it is the mission)" in printed
    manifest = read_manifest(tmp_path / "cards")
    assert manifest.content == "fields" and manifest.env_id == "toy_cards:Cards-v0"
    assert set(manifest.fields.names) >= {"mission", "hand/cards", "hand/suits", "table", "money", "action/keep", "action/bet"}
    (first, *_) = read_field_split(tmp_path / "cards", "train")
    assert first.env_id == "toy_cards:Cards-v0" and first.success is True and len(first) == 5


def test_processes_and_interruptions_change_no_byte(tmp_path, monkeypatch, allowed):
    monkeypatch.setattr("anyorder.data.collect.SHARD_SIZE", 8)
    spec = replace(SPEC, env_id="toy_cards:Cards-v0")
    collect(tmp_path / "one", spec, num_processes=1)
    played = ExpertSource(spec.env_id, spec.policy, num_processes=1)

    def broken(seeds):
        yield from played(seeds[:20])
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt, match="16 episodes are kept"):
        collect(tmp_path / "two", spec, source=broken)
    assert read_manifest(tmp_path / "two").fields is None
    collect(tmp_path / "two", spec, num_processes=2)
    assert files(tmp_path / "one") == files(tmp_path / "two") and len(files(tmp_path / "one")) == 5 + 3 + 1
    assert read_manifest(tmp_path / "two").fields is not None


def test_an_episode_is_a_function_of_its_seed(tmp_path):
    source = ExpertSource("Cards-v0", "random", num_processes=1)
    (alone,) = source([7])
    (among,) = [one for one in source(range(10)) if one.seed == 7]
    assert all(np.array_equal(alone.actions[path], among.actions[path]) for path in alone.actions)
    other = next(iter(source([8])))
    assert any(not np.array_equal(alone.actions[path], other.actions[path]) for path in alone.actions)


def test_failures_are_recorded_with_their_reasons(tmp_path):
    collect(tmp_path, replace(SPEC, env_id="Broken-v0", num_episodes=5, num_validation=0), num_processes=1)
    split = read_manifest(tmp_path).splits["train"]
    assert [(one.seed, one.reason.split(";")[0]) for one in split.failures] == [
        (0, "RuntimeError: the table fell"),
        (1, "table must lie in Discrete(14, start=-1)"),
        (3, "table must lie in Discrete(14, start=-1)"),
        (4, "RuntimeError: the table fell"),
    ]
    assert split.num_episodes == 1


def test_an_endless_episode_ends_at_the_time_limit(tmp_path):
    spec = replace(SPEC, env_id="Endless-v0", num_episodes=1, num_validation=0, time_limit=0.2)
    collect(tmp_path, spec, num_processes=1)
    assert read_manifest(tmp_path).splits["train"].failures == (Failure(0, TIME_LIMIT),)


def test_successes_only_needs_to_know_them(tmp_path):
    spec = replace(SPEC, env_id="FrozenLake-v1", num_episodes=200, num_validation=0, successes_only=True)
    split = collect(tmp_path / "ice", spec, num_processes=1).splits["train"]
    assert 0 < split.num_episodes == split.num_successes < 50
    assert {failure.reason for failure in split.failures} == {NO_SUCCESS}
    with pytest.raises(AnyOrderError, match=r"--successes_only needs .*; Silent-v0 does not"):
        collect(tmp_path / "cards", replace(spec, env_id="Silent-v0"), num_processes=1)
    assert not (tmp_path / "cards" / "manifest.json").exists()


def test_settings_of_fields_reach_the_spec_and_can_be_changed(tmp_path):
    collect(tmp_path, SPEC, num_processes=1, fields=SpecConfig(leave_out=["hand/cards"], action_bins=8))
    assert "hand/cards" not in read_manifest(tmp_path).fields.names
    before = files(tmp_path)
    collect(tmp_path, SPEC, num_processes=1)
    assert files(tmp_path) == before
    fields = collect(tmp_path, SPEC, num_processes=1, fields=SpecConfig(leave_out=["table"])).fields
    assert "hand/cards" in fields.names and "table" not in fields.names
    with pytest.raises(AnyOrderError, match=r"data\.fields is for environments that are no grids; found BabyAI"):
        collect(tmp_path / "grid", CollectSpec(num_episodes=1), fields=SpecConfig(action_bins=8))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--env", "CartPole-v1"], "the bot's level must be one of BabyAI's; found CartPole-v1"),
        (
            ["--env", "CartPole-v1", "--policy", "expert"],
            r"no expert of CartPole-v1 is known, only of BabyAI-\*, LunarLander\*",
        ),
        (["--env", "CartPole-v1", "--policy", "oracle"], "there is no policy 'oracle'; choose one of .*, module:function"),
        (["--env", "CartPole-v1", "--policy", "noisy_expert"], "the noise of 'noisy_expert' must be above 0"),
        (["--env", "CartPole-v1", "--policy", "toy_cards:fold"], "must be a function of the module 'toy_cards'"),
        (["--env", "CartPole-v1", "--policy", "no_module_here:fold"], "the module 'no_module_here' .* could not be imported"),
        (["--env", "Graphs-v0", "--policy", "random"], "graph must be made of"),
        (["--env", "PointMaze_UMaze-v3", "--policy", "expert"], "did you mean .*pointmaze/UMaze-v3"),
    ],
)
def test_a_mistake_is_a_sentence_and_leaves_no_folder(tmp_path, monkeypatch, capsys, options, message):
    monkeypatch.setenv("ANYORDER_ENV_MODULES", "")
    with pytest.raises(SystemExit, match="2"):
        main(["collect", *options, "--num_episodes", "2", "--num_processes", "1", "--output_dir", str(tmp_path / "data")])
    said = capsys.readouterr().err
    assert said.splitlines()[-1].startswith("anyorder: ") and "Traceback" not in said
    assert re.search(message, said)
    assert not (tmp_path / "data").exists()


def test_a_policy_of_a_module_that_the_user_did_not_name_is_refused(monkeypatch):
    monkeypatch.setenv("ANYORDER_ENV_MODULES", "")
    with pytest.raises(AnyOrderError, match="the policy 'toy_cards:play_well' needs code of the module 'toy_cards'"):
        ExpertSource("Cards-v0", "toy_cards:play_well", num_processes=1)([0])


def test_the_example_of_a_policy_runs(tmp_path):
    folder = Path(__file__).parents[2] / "examples"
    counts = ["--num_episodes", "5", "--num_validation", "0", "--num_test", "0", "--num_processes", "1"]
    command = ["collect", "--env", "CartPole-v1", "--policy", "own_policy:balance", "--output_dir", str(tmp_path), *counts]
    done = subprocess.run([sys.executable, "-m", "anyorder", *command], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "5 with success (100.0%)" in done.stdout
