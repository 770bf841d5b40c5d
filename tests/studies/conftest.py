"""A tiny study, run once by the command itself."""

import pytest

from anyorder.cli import main

STUDY = """
base:
  model: {{width: 16, num_layers: 1, num_heads: 2}}
  training: {{frames_per_batch: 40, num_validations: 1}}
levels:
  Red: {{env: BabyAI-GoToRedBall-v0, data: {folder}/data, num_episodes: 12, num_validation: 4, num_test: 4,
        num_processes: 1, test_on: [BabyAI-GoToObj-v0]}}
sizes: [4, null]
updates: 3
seeds: [0, 1]
evaluation: {{num_episodes: 3, robustness: {{occlusion: [0.3]}}, robustness_forms: [told]}}
quick: {{seeds: [0], sizes: [4], updates: 2}}
arms:
  cell, mixed: {{masking: {{mixture: {{cell: 0.5, next_action: 0.5}}}}}}
  imitation: {{masking: {{mixture: {{next_action: 1.0}}}}, evaluation: {{metric: task_success}}}}
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
