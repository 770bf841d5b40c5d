"""The report says what was found, and shows only pictures that are there."""

import json

from rich.table import Table

from anyorder.evaluation.evaluate import EvaluationConfig
from anyorder.evaluation.findings import GridFindings, TaskScore
from anyorder.evaluation.statistics import Proportion
from anyorder.report.markdown import write_report
from anyorder.report.tables import markdown

FOUND = GridFindings("BabyAI-GoToRedBall-v0", {}, TaskScore(Proportion(3, 4), 0.5, 7.25, (30_000_000, 30_000_003)), [])
HEADER = {"env_id": "BabyAI-GoToObj-v0", "config": {"masking": {"mask_prob": 0.3}}}


def write(run):
    write_report(run / "report", run, HEADER, FOUND, EvaluationConfig(metric="task_success"))
    return (run / "report" / "report.md").read_text()


def test_a_table_becomes_markdown_row_by_row():
    table = Table("arm", "rate", title="Rates")
    table.add_row("cell", "0.3")
    table.add_section()
    table.add_row("unit", "0.5")
    assert markdown(table) == "## Rates\n\n| arm | rate |\n|---|---|\n| cell | 0.3 |\n| unit | 0.5 |"


def test_numbers_come_with_their_interval_and_seeds_and_the_configuration(tmp_path):
    text = write(tmp_path / "run")
    # The Wilson interval of 3 in 4, z = 1.96: (0.75 + 0.4802 -+ 1.96 sqrt(0.0469 + 0.0600)) / 1.9604.
    assert "| 4 | 30,000,000 to 30,000,003 | 75.0% [30.1, 95.4] | 0.500 | 7.2 |" in text
    assert "# Run run" in text and "Trained on BabyAI-GoToObj-v0, judged on BabyAI-GoToRedBall-v0" in text
    assert "mask_prob: 0.3" in text


def test_only_pictures_that_exist_are_shown(tmp_path):
    run = tmp_path / "run"
    assert "![" not in write(run)
    records = [
        {"update": 10, "section": "train", "loss": 2.0},
        {"update": 10, "section": "validation", "loss": 2.0, "action_accuracy": 0.5},
    ]
    (run / "metrics.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
    (run / "report" / "episodes.gif").write_bytes(b"")
    text = write(run)
    assert "(curves.png)" in text and "(episodes.gif)" in text and "(reconstruction.png)" not in text
    assert (run / "report" / "curves.png").exists()
