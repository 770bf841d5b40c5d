"""A tiny study, run once by the command itself, and a cluster that may run it."""

import os
from pathlib import Path

import pytest

from anyorder.cli import main

STUDY = """
base:
  model: {{width: 16, num_layers: 1, num_heads: 2}}
  training: {{frames_per_batch: 40, num_validations: 1}}
levels:
  Red: {{env: BabyAI-GoToRedBall-v0, data: {folder}/data, num_episodes: 12, num_validation: 4, num_test: 4,
        num_processes: 1, test_on: [BabyAI-GoToObj-v0], more: {{
          truth: {{data: {folder}/truth, seed: 50, num_episodes: 6, num_processes: 1}},
          films: {{data: {folder}/films, recorded: {folder}/truth, without: actions}}}}}}
sizes: [4, null]
updates: 3
seeds: [0, 1]
evaluation: {{num_episodes: 3, robustness: {{occlusion: [0.3]}}, robustness_forms: [told]}}
quick: {{seeds: [0], sizes: [4], updates: 2}}
arms:
  cell, mixed: {{masking: {{mixture: {{cell: 0.5, next_action: 0.5}}}}}}
  imitation: {{masking: {{mixture: {{next_action: 1.0}}}}, evaluation: {{metric: task_success}}}}
  filled: {{masking: {{mixture: {{cell: 1}}}}, evaluation: {{metric: task_success}}, sets: {{films: {{filled_by: imitation}}}}}}
  broken: {{model: {{num_heads: 3}}}}
comparisons:
  With and without cells: [imitation, "cell, mixed"]
  The broken one: [imitation, broken]
"""


@pytest.fixture(scope="session")
def study_file(tmp_path_factory):
    folder = tmp_path_factory.mktemp("study")
    (folder / "tiny.yaml").write_text(STUDY.format(folder=folder))
    return folder / "tiny.yaml"


@pytest.fixture(scope="session")
def run_study(study_file):
    """``run_study(*options)``: the exit status; results are in ``out`` beside the file."""

    def run(*options):
        with pytest.raises(SystemExit) as ending:
            main(
                [
                    "study",
                    "--study",
                    str(study_file),
                    "--output_dir",
                    str(study_file.parent / "out"),
                    "--num_workers",
                    "1",
                    *options,
                ]
            )
        return ending.value.code

    return run


@pytest.fixture(scope="session")
def cluster():
    """A Ray cluster of two machines, both here."""
    pytest.importorskip("ray")
    from ray.cluster_utils import Cluster

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        # The functions of tests are pickled by name, so the machines have to find their files.
        patch.setenv("PYTHONPATH", str(Path(__file__).parent), prepend=os.pathsep)
        nodes = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "object_store_memory": 10**8})
        nodes.add_node(num_cpus=1, object_store_memory=10**8)
        nodes.wait_for_nodes()
        yield nodes
        nodes.shutdown()
