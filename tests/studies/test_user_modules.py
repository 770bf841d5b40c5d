"""A study whose environment is registered by a module of the user runs with every engine."""

import json
import sys

import gymnasium as gym
import pytest

from anyorder.cli import main

LEVELS = """
import gymnasium as gym
from minigrid.envs import EmptyEnv

class Nook(EmptyEnv):
    def __init__(self, **options):
        super().__init__(size=5, max_steps=10, **options)

gym.register("Nook-v0", entry_point=Nook)
"""
STUDY = """
base:
  model: {width: 16, num_layers: 1, num_heads: 2}
  training: {frames_per_batch: 40, num_validations: 1}
levels:
  Nook: {env: "nook_levels:Nook-v0", policy: random, data: data, num_episodes: 6, num_validation: 2, num_test: 2,
         num_processes: 2}
sizes: [6]
updates: 2
seeds: [0]
evaluation: {num_episodes: 2, metric: task_success}
arms:
  cell: {masking: {mixture: {cell: 0.5, next_action: 0.5}}}
  imitation: {masking: {mixture: {next_action: 1.0}}}
comparisons: {Cells: [imitation, cell]}
"""


@pytest.fixture
def study(tmp_path, monkeypatch):
    """``study(*options)``: the runs of the study that have a result, and those that failed."""
    monkeypatch.setenv("ANYORDER_ENV_MODULES", "")
    monkeypatch.chdir(tmp_path)
    path = list(sys.path)
    (tmp_path / "nook_levels.py").write_text(LEVELS)
    (tmp_path / "nook.yaml").write_text(STUDY)

    def run(*options):
        main(["study", "--study", "nook.yaml", "--output_dir", "out", "--env_module", "nook_levels", *options])
        found = json.loads((tmp_path / "out" / "full" / "results.json").read_text())
        return sum(len(row["runs"]) for table in found["tables"] for row in table["rows"]), found["failed"]

    yield run
    sys.path[:] = path
    sys.modules.pop("nook_levels", None)
    gym.registry.pop("Nook-v0", None)


@pytest.mark.parametrize("num_workers", ["1", "2"])
def test_on_the_cores_of_this_machine(study, num_workers):
    assert study("--num_workers", num_workers) == (2, [])


@pytest.mark.cluster
def test_on_a_cluster(study, cluster):
    assert study("--cluster", cluster.address) == (2, [])
