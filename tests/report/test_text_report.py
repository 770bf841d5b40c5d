"""The page of a run on conversations: turns that were hidden, episodes with what the agent could have done."""

import json
import re

import numpy as np
import pytest
from toy_worlds import ARCHITECTURE, WORLD

from anyorder.cli import main
from anyorder.report.any_run import read_any_run
from anyorder.training.journal import read_metrics


@pytest.fixture(scope="module")
def allowed():
    """The module of the world may be imported while the fixtures of this file run, and not by whatever runs afterwards."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ANYORDER_ENV_MODULES", "")
        yield ["--env_module", "toy_worlds"]


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory, allowed):
    """The folder of a run, trained for a moment and evaluated on four tasks."""
    folder = tmp_path_factory.mktemp("texts")
    data, run = str(folder / "data"), folder / "a run"
    numbers = ["--num_episodes", "12", "--num_validation", "4", "--num_test", "4", "--num_processes", "1"]
    main(["collect", "--env", WORLD, "--policy", "gold", *numbers, "--output_dir", data])
    model = ["--language_model.architecture", json.dumps(ARCHITECTURE), "--masking.mixture", "{next_action: 1.0}"]
    few = ["--training.num_updates", "4", "--training.num_processes", "1", "--training.num_threads", "1"]
    main(["train", "--data.path", data, "--output_dir", str(run), *model, *few, "--training.tokens_per_batch", "512"])
    main(["evaluate", "--checkpoint", str(run / "checkpoints" / "best.pt"), "--num_episodes", "4", *allowed])
    return run


@pytest.fixture(scope="module")
def page(run_folder, allowed):
    main(["report", str(run_folder), "--num_shown", "2", *allowed])
    return (run_folder / "report" / "report.html").read_text()


def test_what_was_found_is_read_back(run_folder):
    record = read_any_run(run_folder)
    stored = json.loads((run_folder / "report" / "metrics.json").read_text())
    again = json.loads(json.dumps(record.findings.to_json()))
    assert again == {name: value for name, value in stored.items() if name not in ("config", "sha256")}
    assert record.judged_by.num_episodes == 4 and record.missing() == []


def test_the_page_shows_figures_turns_and_choices(page, run_folder):
    record = read_any_run(run_folder)
    (played,) = record.findings.played
    assert f"success, {played.split}" in page and str(played.success).split(" ")[0] in page
    assert page.count('class="talk"') == 2 + min(2, sum(record.outcomes["success"])) + min(
        2, sum(not won for won in record.outcomes["success"])
    )
    assert "Success, %: words" in page and "Success, %: observations" in page and len(record.findings.robustness) == 8
    assert "You are in the cellar." in page and "Take the lamp." in page
    assert page.count("turn action hidden") + page.count("turn observation hidden") > 0
    said = re.findall(r'answer (right|wrong)"><span class="label">said, (right|wrong), (\d+)% sure', page)
    assert said and all(verdict == words for verdict, words, _ in said)


def test_at_every_step_the_shares_are_those_of_all_that_could_be_done(page, run_folder):
    lists = re.findall(r'<ol class="candidates" aria-label="4 admissible actions">(.*?)</ol>', page)
    assert lists
    for shown in lists:
        shares = [float(share) for share in re.findall(r'class="share">([\d.]+)%', shown)]
        assert len(shares) == 4 and sum(shares) == pytest.approx(100, abs=0.3) and shares == sorted(shares, reverse=True)
        assert shown.count("class=done") == 1


def test_validation_on_conversations_speaks_of_no_objects(run_folder):
    (*_, last) = [record for record in read_metrics(run_folder) if record["section"] == "validation"]
    assert "object_accuracy" not in last and np.isfinite(last["loss"])


def test_a_world_that_is_not_there_any_more_costs_only_its_episodes(run_folder, tmp_path):
    main(["report", str(run_folder), "--output", str(tmp_path / "page.html"), "--num_shown", "1"])
    page = (tmp_path / "page.html").read_text()
    assert "Episodes are not shown" in page and 'class="talk"' in page
