"""The commands around a study: what they default to, and what Ctrl-C leaves behind."""

import pytest

from anyorder.commands.ablate import ablate_parser
from anyorder.commands.study import run_study, study_parser
from anyorder.errors import AnyOrderError
from anyorder.options import parse

LONG = """
base: {{model: {{width: 16, num_layers: 1, num_heads: 2}}, training: {{frames_per_batch: 30}}}}
levels: {{Red: {{env: BabyAI-GoToRedBall-v0, data: {data}, num_episodes: 30, num_validation: 6, num_test: 6}}}}
updates: 100000
seeds: [0, 1, 2]
arms: {{imitation: {{masking: {{mixture: {{next_action: 1}}}}}}}}
comparisons: {{}}
"""


def test_the_ablations_are_a_study():
    assert parse(ablate_parser(), []).study == "configs/ablations.yaml"
    assert vars(parse(ablate_parser(), ["--study", "a.yaml"])) == vars(parse(study_parser(), ["--study", "a.yaml"]))


def test_a_study_has_to_be_named():
    with pytest.raises(AnyOrderError, match="study"):
        parse(study_parser(), [])


def test_weights_to_start_from_are_missed_before_anything_is_collected(tmp_path):
    arms = "arms: {imitation: {training: {init_from: nowhere/best.pt}}}"
    study = LONG.format(data=tmp_path / "data").replace("arms: {imitation: {masking: {mixture: {next_action: 1}}}}", arms)
    assert arms in study
    (tmp_path / "study.yaml").write_text(study)
    with pytest.raises(AnyOrderError, match="arm imitation must be a checkpoint; found none at nowhere/best.pt; train"):
        run_study(parse(study_parser(), ["--study", str(tmp_path / "study.yaml"), "--output_dir", str(tmp_path / "out")]))
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("num_workers", [1, 2])
def test_ctrl_c_keeps_what_is_done_and_says_how_to_continue(tmp_path, data_folder, interrupt, num_workers):
    (tmp_path / "long.yaml").write_text(LONG.format(data=data_folder))
    run = tmp_path / "out" / "full" / "Red" / "all_demonstrations" / "imitation" / "seed_0"
    command = ["study", "--study", tmp_path / "long.yaml", "--output_dir", tmp_path / "out", "--num_workers", num_workers]
    status, said = interrupt(command, lambda: (run / "metrics.jsonl").exists() and (run / "metrics.jsonl").stat().st_size)
    assert status == 130 and "finished runs are kept: run the same again to continue" in said
    assert not (tmp_path / "out" / "RESULTS_SUMMARY.md").exists() and not (run / "report").exists()
