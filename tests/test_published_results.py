"""Committed studies hold what they claim: every link leads to a file, every rate to the episodes it was counted from."""

import json
import re
import runpy
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
STUDIES = sorted((ROOT / "docs" / "results").glob("*/RESULTS_SUMMARY.md"))


def results_file(summary):
    (found,) = {summary.parent / link for link in re.findall(r"\(([^)]*results\.json)\)", summary.read_text())}
    return found


@pytest.mark.parametrize("summary", STUDIES, ids=lambda path: path.parent.name)
def test_every_link_leads_to_a_file(summary):
    links = re.findall(r"\]\(([^)#]+)\)", summary.read_text())
    assert len(links) > 20
    assert [link for link in set(links) if not (summary.parent / link).exists()] == []


@pytest.mark.parametrize("summary", STUDIES, ids=lambda path: path.parent.name)
def test_success_is_what_the_episodes_say(summary):
    rows = [row for table in json.loads(results_file(summary).read_text())["tables"] for row in table["rows"]]
    assert rows
    for row in rows:
        files = [summary.parent / run["files"][0] for run in row["runs"]]
        episodes = [json.loads(path.with_name("episodes.json").read_text()) for path in files]
        wins = [won for played in episodes for won in played["success"]]
        share = row["scores"]["task success"]
        assert (share["successes"], share["count"]) == (sum(wins), len(wins))
        assert share["text"] in summary.read_text()


def test_publishing_copies_what_is_linked_and_no_weights(tmp_path):
    study, target = tmp_path / "study", tmp_path / "docs"
    report = study / "full" / "A" / "seed_0" / "report"
    report.mkdir(parents=True)
    (report / "metrics.json").write_text('{\n  "success": 0.5\n}\n')
    (report.parent / "checkpoints").mkdir()
    (report.parent / "checkpoints" / "header.json").write_text("{}")
    (report.parent / "log.txt").write_text("noise")
    (study / "RESULTS_SUMMARY.md").write_text("[1](full/A/seed_0/report/metrics.json)")
    publish = runpy.run_path(str(ROOT / "scripts" / "publish_results.py"))["publish"]
    assert publish(study, target) == 2
    assert (target / "full/A/seed_0/report/metrics.json").read_text() == '{"success":0.5}\n'
    assert sorted(path.name for path in target.rglob("*") if path.is_file()) == ["RESULTS_SUMMARY.md", "metrics.json"]
