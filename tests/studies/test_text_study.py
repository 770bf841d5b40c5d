"""A study of agents in words: its columns are those of its runs' evaluations."""

import json
import re

import pytest
import yaml
from toy_worlds import ARCHITECTURE, WORLD

from anyorder.cli import main
from anyorder.evaluation.statistics import Proportion
from anyorder.studies.text_measures import TEXT_SHARES, demonstrated_choices, success_share

STUDY = {
    "base": {
        "language_model": {"architecture": ARCHITECTURE, "long_texts": "parts", "rooms": {"observation": 16, "action": 8}},
        "training": {
            "num_updates": 3,
            "tokens_per_batch": 512,
            "num_validations": 1,
            "num_processes": 1,
            "num_threads": 1,
        },
    },
    "levels": {
        "row": {"env": WORLD, "policy": "gold", "data": "data/row", "num_episodes": 12, "num_validation": 4, "num_test": 4}
    },
    "seeds": [0, 1],
    "evaluation": {"num_episodes": 3, "num_seen_episodes": 2},
    "arms": {
        "imitation": {"masking": {"mixture": {"next_action": 1}}},
        "unit": {"masking": {"mixture": {"unit": 0.5, "next_action": 0.5}}},
    },
    "comparisons": {"Against imitation": ["imitation", "unit"]},
}


@pytest.fixture
def run_study(tmp_path, monkeypatch):
    monkeypatch.setenv("ANYORDER_ENV_MODULES", "")
    monkeypatch.chdir(tmp_path)

    def run(**change):
        (tmp_path / "study.yaml").write_text(yaml.safe_dump({**STUDY, **change}))
        main(["study", "--study", "study.yaml", "--output_dir", "out", "--num_workers", "1", "--env_module", "toy_worlds"])
        return json.loads((tmp_path / "out" / "full" / "results.json").read_text())

    return run


def test_arms_in_a_text_world(run_study, tmp_path):
    found = run_study()
    assert found["failed"] == []
    (table,) = found["tables"]
    for row in table["rows"]:
        metrics = [json.loads((tmp_path / "out" / run["files"][0]).read_text()) for run in row["runs"]]
        played = [success_share(one) for one in metrics]
        assert [one["count"] for one in played] == [3, 3], "on test tasks alone"
        assert row["scores"]["task success"]["successes"] == sum(one["successes"] for one in played)
        choices = [demonstrated_choices(one) for one in metrics]
        assert row["scores"]["demonstrated action chosen"]["count"] == sum(one["count"] for one in choices)
        words = [one["smoothing"]["observations"]["accuracy"] for one in metrics]
        whole = Proportion(sum(one["successes"] for one in words), sum(one["count"] for one in words))
        assert row["scores"]["hidden words of observations"]["rate"] == whole.rate
        assert row["scores"]["length"]["value"] == pytest.approx(
            sum(one["task_success"][0]["steps"]["value"] for one in metrics) / 2
        )
        assert set(TEXT_SHARES) <= set(row["scores"]) and "reward" not in row["scores"] and row["effort"]["tokens"] > 0
    (comparison,) = table["comparisons"]
    assert {"task success", "score", "next observation NLL, tokens"} <= set(comparison["rows"][0]["differences"])
    summary = (tmp_path / "out" / "RESULTS_SUMMARY.md").read_text()
    assert "| arm | updates | trajectories | tokens | elements per update |" in summary and "Against imitation (row)" in summary


def test_runs_in_a_text_world_are_laid_side_by_side(run_study, tmp_path):
    found = run_study(seeds=[0])
    rows = [run for row in found["tables"][0]["rows"] for run in row["runs"]]
    runs = [str((tmp_path / "out" / run["files"][0]).parent.parent) for run in rows]
    main(["report", *runs, "--output", str(tmp_path / "page.html")])
    page = re.sub("<[^>]+>", "", (tmp_path / "page.html").read_text())
    for run in rows:
        metrics = json.loads((tmp_path / "out" / run["files"][0]).read_text())
        for share in (success_share(metrics), demonstrated_choices(metrics), metrics["smoothing"]["observations"]["accuracy"]):
            assert str(Proportion(share["successes"], share["count"])) in page
    assert all(name in page for name in ("demonstrated action chosen", *TEXT_SHARES))


def test_curves_are_for_grids(run_study, tmp_path):
    with pytest.raises(SystemExit):
        run_study(curve_episodes=2)
    failed = json.loads((tmp_path / "out" / "full" / "results.json").read_text())["failed"]
    assert len(failed) == 4 and all(one["error"].startswith("curve_episodes must be 0") for one in failed)
