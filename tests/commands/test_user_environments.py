"""Environments of a user's own module: found in the current folder, kept with their module, and run at the user's word only."""

import json
import subprocess
import sys
from pathlib import Path

import gymnasium as gym
import pytest

from anyorder.cli import main
from anyorder.data.manifest import read_manifest
from anyorder.data.storage import read_split
from anyorder.envs import minigrid, modules
from anyorder.errors import AnyOrderError

LEVELS = """
import gymnasium as gym
from minigrid.envs import EmptyEnv

class Corner(EmptyEnv):
    def __init__(self, **options):
        super().__init__(size=5, max_steps=10, **options)
        self.action_space = gym.spaces.Discrete(4)

    def step(self, action):
        assert action < 4, action
        return super().step(action)

gym.register("Corner-v0", entry_point=Corner)
"""
ENV_ID = "corner_levels:Corner-v0"
TINY = """
data: {{path: {data}}}
masking: {{mixture: {{cell: 0.5, next_action: 0.5}}}}
model: {{width: 16, num_layers: 1, num_heads: 2}}
training: {{num_epochs: 1, num_processes: 1, num_threads: 1}}
"""


@pytest.fixture
def stranger(monkeypatch):
    """Nothing is allowed, and the module was never imported; at the end again."""

    def forget():
        monkeypatch.setenv("ANYORDER_ENV_MODULES", "")
        sys.modules.pop("corner_levels", None)
        gym.registry.pop("Corner-v0", None)

    path = list(sys.path)
    forget()
    yield forget
    forget()
    sys.path[:] = path


@pytest.fixture
def folder(tmp_path, monkeypatch, stranger):
    (tmp_path / "corner_levels.py").write_text(LEVELS)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def collect(*options):
    counts = ["--num_episodes", "20", "--num_validation", "4", "--num_test", "4"]
    main(["collect", "--env", ENV_ID, "--policy", "random", *counts, "--output_dir", "data", *options])


def test_the_console_script_finds_a_module_of_the_current_folder(folder):
    script = Path(sys.executable).with_name("anyorder")
    if not script.exists():
        pytest.skip("the package is not installed with its script")
    options = ["--env", ENV_ID, "--policy", "random", "--num_episodes", "40", "--num_processes", "2", "--output_dir", "data"]
    done = subprocess.run([script, "collect", *options], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert len(read_split(folder / "data", "train")) == 40


def test_the_module_is_kept_and_runs_at_the_users_word_only(folder, stranger, capsys):
    collect()
    assert read_manifest(folder / "data").env_id == ENV_ID
    assert {trajectory.env_id for trajectory in read_split(folder / "data", "test")} == {ENV_ID}
    (folder / "tiny.yaml").write_text(TINY.format(data=folder / "data"))
    main(["train", "--config", "tiny.yaml", "--output_dir", "run"])
    checkpoint = ["--checkpoint", "run/checkpoints/best.safetensors"]
    played = ["--metric", "task_success", "--num_episodes", "3", "--pictures", "false"]
    commands = [
        ["evaluate", *checkpoint, *played],
        ["imagine", *checkpoint, "--horizon", "2", "--num_episodes", "2"],
        ["report", "run", "--num_shown", "1"],
    ]
    for command in commands:
        stranger()
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main(command)
        assert ended.value.code == 2
        assert "'corner_levels'" in (said := capsys.readouterr().err) and "--env_module corner_levels" in said
        assert "corner_levels" not in sys.modules, "a file's word must not run code"
        main([*command, "--env_module", "corner_levels"])
    stranger()
    main(["evaluate", *checkpoint, *played, "--env", ENV_ID])
    metrics = json.loads((folder / "run" / "report" / "metrics.json").read_text())
    assert metrics["env_id"] == ENV_ID and "failures" not in metrics, "the agent stays within the four actions"


def test_an_older_record_without_the_module_is_played_once_the_module_is_named(folder):
    with pytest.raises(AnyOrderError, match="no environment 'Corner-v0'.*module:id"):
        minigrid.make_env("Corner-v0")
    modules.allow_module("corner_levels")
    minigrid.make_env("Corner-v0")


def test_a_module_that_is_not_there_is_named(folder):
    with pytest.raises(AnyOrderError, match="'no_such_module' .*could not be imported.*current folder"):
        modules.allow_module("no_such_module")


def test_collecting_says_who_succeeded(tmp_path, capsys):
    options = ["--num_episodes", "8", "--num_validation", "0", "--num_test", "0", "--num_processes", "1"]
    main(["collect", "--env", "BabyAI-OpenDoorsOrderN4Debug-v0", *options, "--output_dir", str(tmp_path)])
    said = capsys.readouterr().out
    assert "with success (" in said and "--successes_only" in said


@pytest.mark.parametrize(
    ("env_id", "reason"), [("BabyAI-KeyInBox-v0", "AssertionError"), ("NeedsPackage-v0", "paint is missing")]
)
@pytest.mark.usefixtures("toy_levels")
def test_where_nothing_can_be_collected_the_status_and_the_reason_say_so(tmp_path, capsys, env_id, reason):
    policy = "bot" if env_id.startswith("BabyAI") else "random"
    options = ["--policy", policy, "--num_episodes", "3", "--num_processes", "1", "--output_dir", str(tmp_path / "data")]
    with pytest.raises(SystemExit) as ended:
        main(["collect", "--env", env_id, *options])
    assert ended.value.code == 2 and reason in capsys.readouterr().err
