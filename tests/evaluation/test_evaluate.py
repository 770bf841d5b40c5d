"""One evaluation from end to end, and the settings it refuses."""

import json
from dataclasses import replace
from io import StringIO

import pytest
from rich.console import Console

from anyorder.acting.rollout import FIRST_SEED
from anyorder.errors import AnyOrderError
from anyorder.evaluation.evaluate import Evaluation, EvaluationConfig
from anyorder.evaluation.stored import read_findings
from anyorder.pictures.evaluation import write_pictures

ENV_ID = "MiniGrid-Empty-5x5-v0"
pytestmark = pytest.mark.usefixtures("short_episodes")


@pytest.fixture(scope="module")
def evaluation(make_model, vocabulary, encoded):
    def make(**options):
        config = EvaluationConfig(num_episodes=2, num_gif_episodes=1, robustness={"occlusion": [0.2]}, **options)
        return Evaluation(make_model((7, 7), vocabulary), encoded, encoded, ENV_ID, config)

    return make


def test_everything_is_written_with_counts_intervals_and_seeds(evaluation, tmp_path):
    asked = evaluation()
    findings = asked.run(tmp_path)
    written = json.loads((tmp_path / "metrics.json").read_text())
    assert written["env_id"] == ENV_ID and written["config"]["num_episodes"] == 2
    assert set(written["smoothing"]["groups"]) >= {"object", "cell", "object_cell", "changed_cell"}
    assert set(written["next_action"]["groups"]) == {"action"}
    for mode in ("forward", "filtering", "smoothing"):
        assert {"accuracy", "nll_per_element"} <= set(written[mode]["positions"]["changed_cell"]["3-5"])
        calibration = written[mode]["calibration"]
        assert calibration["expected_calibration_error"] > 0
        assert sum(entry["count"] for entry in calibration["bins"]) == calibration["count"]
    action = written["next_action"]["groups"]["action"]
    for predictor in ("accuracy", "most_frequent", "copy_last"):
        assert set(action[predictor]) == {"rate", "low", "high", "successes", "count"}
    assert written["task_success"]["seeds"] == [FIRST_SEED, FIRST_SEED + 1]
    assert [(arm["kind"], arm["strength"], arm["form"]) for arm in written["robustness"]] == [
        ("occlusion", 0.2, "untold"),
        ("occlusion", 0.2, "told"),
    ]
    assert {"clean", "corrupted", "share_kept", "won", "lost", "p_value"} <= set(written["robustness"][0])
    assert written["robustness"][0]["seeds"] == written["task_success"]["seeds"]
    assert {path.name for path in tmp_path.iterdir()} == {"metrics.json", "episodes.json"}
    console = Console(record=True, width=140, file=StringIO())
    for table in findings.tables(asked.config.metrics):
        console.print(table)
    text = console.export_text()
    assert all(mode in text for mode in ("forward", "filtering", "smoothing", "next_action"))
    for shown in ("By position in the episode", "expected calibration error", "30,000,000 to 30,000,001"):
        assert shown in text


@pytest.mark.parametrize(
    ("metric", "keys"),
    [
        ("accuracy", {"forward", "filtering", "smoothing", "next_action"}),
        ("task_success", {"task_success"}),
        ("dynamics", {"inverse_dynamics", "forward_dynamics"}),
    ],
)
def test_only_what_is_asked_is_judged(evaluation, tmp_path, metric, keys):
    asked = evaluation(metric=metric)
    findings = asked.run(tmp_path)
    assert set(json.loads((tmp_path / "metrics.json").read_text())) == {"config", "env_id", "sha256", *keys}
    assert len(findings.tables(asked.config.metrics)) == 1


@pytest.mark.usefixtures("toy_levels")
def test_episodes_that_break_are_counted_and_said_and_read_back(evaluation, tmp_path):
    asked = replace(evaluation(), env_id="Breaks-v0")
    asked = replace(asked, config=replace(asked.config, num_episodes=3))
    findings = asked.run(tmp_path)
    assert findings.task_success.success.count == 3, "an episode that failed is one without success"
    assert findings.robustness[0].clean.count == 3
    written = json.loads((tmp_path / "metrics.json").read_text())
    arms = ("clean", "occlusion 0.2, untold", "occlusion 0.2, told")
    assert written["failures"] == [
        {"arm": arm, "seed": FIRST_SEED + number, "reason": f"RuntimeError: {reason}"}
        for arm in arms
        for number, reason in enumerate(("no level", "it broke"))
    ]
    episodes = json.loads((tmp_path / "episodes.json").read_text())
    assert episodes["failure"] == ["RuntimeError: no level", "RuntimeError: it broke", None]
    assert episodes["length"][:2] == [0, 0] and len(episodes["actions"][2]) == episodes["length"][2] > 0
    assert read_findings(tmp_path / "metrics.json")[0].to_json() == findings.to_json()
    table = findings.tables(asked.config.metrics)[-1]
    assert "failed" in table.title and table.row_count == 3
    write_pictures(replace(asked, config=replace(asked.config, metric="task_success")), replace(findings, modes={}), tmp_path)
    assert not (tmp_path / "episodes.gif").exists(), "the only episode to film failed"


@pytest.mark.usefixtures("toy_levels")
def test_where_all_episodes_break_the_scores_of_the_test_split_are_kept(evaluation, tmp_path):
    asked = replace(evaluation(), env_id="MissionChanges-v0")
    findings = asked.run(tmp_path)
    assert findings.task_success is None and findings.modes and len(findings.failures) == 6
    assert read_findings(tmp_path / "metrics.json")[0].to_json() == findings.to_json()


def test_goals_are_those_of_a_bot(evaluation, tmp_path):
    asked = replace(evaluation(metric="goals"), env_id="BabyAI-GoToRedBall-v0")
    findings = asked.run(tmp_path)
    goals = json.loads((tmp_path / "metrics.json").read_text())["goals"]
    assert goals["success"]["count"] + goals["num_left_out"] == 2 and goals["mean_length"] <= 64
    assert findings.tables(asked.config.metrics)[0].row_count == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"metric": "loss"}, "world_model_nll"),
        ({"num_episodes": 0}, "at least 1"),
        ({"first_seed": 5}, "30,000,000"),
        ({"cell_rate": 0.0}, "cell_rate"),
        ({"robustness": {"occlusion": [1.2]}}, "between 0 and 1"),
        ({"robustness_forms": ["shown"]}, "untold, told, rebuilt"),
    ],
)
def test_bad_settings_are_refused(options, message):
    with pytest.raises(AnyOrderError, match=message):
        EvaluationConfig(**options)
