"""The page has what was found, in full, and needs nothing else."""

import hashlib
import json
import re
import shutil
from base64 import b64encode
from dataclasses import replace

import pytest
from said import without_notes

from anyorder.cli import main
from anyorder.evaluation.statistics import Proportion
from anyorder.files import read_json
from anyorder.report.comparison import comparison_table, success_less
from anyorder.report.page import num_parts, report_page
from anyorder.report.run import read_run
from anyorder.report.sections import further_sets


def data_of(page, name):
    return json.loads(re.search(rf'<script type="application/json" id="data-{name}">(.*?)</script>', page)[1])


def test_it_is_one_file_that_asks_for_nothing(report):
    page = report.read_text()
    assert "default-src 'none'" in page and "connect-src 'none'" in page
    assert not re.findall(r"""(?:src|href)=["'](?!data:|#)[^"']+""", page)
    assert not re.findall(r"url\((?!#|data:)", page)


def test_its_heading_names_the_run(report, run_folder):
    assert f"<h1>Run {run_folder.name}</h1>" in report.read_text()


def test_every_figure_of_the_tables_is_on_it(report, run_folder):
    page, metrics = report.read_text(), read_json(run_folder / "report" / "metrics.json")
    shares = [
        group[key]
        for mode in ("forward", "filtering", "smoothing", "next_action")
        for group in metrics[mode]["groups"].values()
        for key in ("accuracy", "most_frequent", "copy_last")
    ]
    shares += [metrics["task_success"]["success"], *(score["corrupted"] for score in metrics["robustness"])]
    assert len(shares) > 30
    for share in shares:
        rate, interval = str(Proportion(share["successes"], share["count"])).split(" ", 1)
        assert f'{rate} <small class="quiet">{interval}</small>' in page


def test_every_script_is_allowed_by_its_hash_and_no_other(report):
    page = report.read_text()
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]+)"', page)[1]
    scripts = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    hashes = {b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in scripts}
    assert len(scripts) == 4 and set(re.findall(r"'sha256-([^']+)'", policy)) == hashes
    assert not re.findall(r"<[^>]+ on\w+=", page[: page.index('<script type="application/json"')])


def test_it_says_what_was_learned_from(report):
    page = report.read_text()
    for text in (
        "BabyAI-GoToRedBall-v0",
        "8 of 8",
        "steps; seeds 0 to 7",
        "3 validation, 3 test",
        "cell 0.4, next_step 0.6",
        "12 updates",
    ):
        assert text in page


def test_films_show_the_truth_and_mark_what_was_asked(report):
    for group in data_of(report.read_text(), "trajectories-0"):
        assert len(group["films"]) == 2
        for film in group["films"]:
            rated = sum(sum(mark > 0 for mark in step["views"][2]["marks"]) for step in film["steps"])
            right = sum(sum(mark == 1 for mark in step["views"][2]["marks"]) for step in film["steps"])
            assert film["note"].startswith(f"{right:,} of {rated:,} hidden cells right") and rated
            for step in film["steps"]:
                truth, rebuilt = step["views"][0]["cells"], step["views"][2]
                for cell, guess, mark in zip(truth, rebuilt["cells"], rebuilt["marks"]):
                    assert (cell == guess) == (mark != 2)


def test_episodes_are_those_that_were_played(report, run_folder):
    played = read_json(run_folder / "report" / "episodes.json")
    groups = {group["name"]: group for group in data_of(report.read_text(), "episodes-0")}
    solved = sum(played["success"])
    assert groups["Solved"]["help"].startswith(f"{solved} of 6 episodes were solved")
    lengths = dict(zip(played["seed"], played["length"]))
    films = groups["Solved"]["films"] + groups["Failed"]["films"]
    assert films
    for film in films:
        seed = int(film["name"].rsplit(" ", 1)[1])
        assert len(film["steps"]) == lengths[seed] + 1


def test_several_runs_are_compared(run_folder, tmp_path):
    other = tmp_path / run_folder.name
    shutil.copytree(run_folder, other, symlinks=True)
    main(["report", str(run_folder), str(other), "--num_shown", "1", "--output", str(tmp_path / "both.html")])
    page = (tmp_path / "both.html").read_text()
    assert page.index('id="compared"') < page.index('id="what-0"') < page.index('id="what-1"')
    assert len(data_of(page, "episodes-1")) == 4
    common = page[page.index('id="compared"') : page.index('id="what-0"')]
    assert ">a run (1)<" in common and ">a run (2)<" in common, "of the same name, yet two lines and two rows"
    assert '+0.0 <small class="quiet">[' in common and "not distinguishable" in common and "Loss, nats · all runs" in common


def test_each_run_has_a_row_with_its_own_figures(run_folder):
    run = read_run(run_folder)
    share = {"task_success": {"success": Proportion(3, 4).to_json()}}
    table = comparison_table({"one": run, "two": replace(run, metrics=share), "three": replace(run, metrics={})})
    cells = {column.header: list(column.cells) for column in table.columns}
    # The Wilson interval of 3 in 4, z = 1.96: (0.75 + 0.4802 -+ 1.96 sqrt(0.0469 + 0.0600)) / 1.9604.
    assert cells["run"] == ["one", "two", "three"] and cells["task success"][1:] == ["75.0% [30.1, 95.4]", ""]
    assert re.fullmatch(r"\d+\.\d{4}", cells["next action NLL"][0]) and cells["next action NLL"][1] == ""


def test_success_is_compared_on_the_same_episodes_or_not_at_all(run_folder):
    run = read_run(run_folder)
    played = lambda *success: replace(run, outcomes={"seed": list(range(len(success))), "success": list(success)})  # noqa: E731
    assert success_less(played(*[True] * 8), played(*[False] * 8)).verdict() == "better"
    assert success_less(played(*[False] * 8), played(*[True] * 8)).verdict() == "worse"
    found = success_less(played(True, True, False), played(True, False, False))
    assert found.value == pytest.approx(1 / 3) and found.verdict() == "not distinguishable"
    assert success_less(played(True, False), played(True)) is None
    assert success_less(replace(run, outcomes={}), played(True)) is None


def test_a_run_whose_data_are_gone_shows_its_episodes_and_says_so(run_folder, tmp_path):
    run = replace(read_run(run_folder), manifest=None)
    called = []
    page = report_page([run], 1, lambda: called.append(None))
    assert "is not there any more, so no test trajectories are shown" in page
    assert 'data-films="episodes-0"' in page and 'data-films="trajectories-0"' not in page
    assert len(called) == num_parts([run]) < num_parts([read_run(run_folder)])


def test_a_run_that_was_not_evaluated_says_so(run_folder, tmp_path, capsys):
    run = tmp_path / "fresh"
    shutil.copytree(run_folder, run, symlinks=True, ignore=shutil.ignore_patterns("report"))
    main(["report", str(run), "--num_shown", "1"])
    assert "It was not evaluated: run `anyorder evaluate" in capsys.readouterr().out
    page = (run / "report" / "report.html").read_text()
    assert "It was not evaluated" in page and 'id="findings-0"' not in page
    assert data_of(page, "episodes-0") and 'data-films="episodes-0"' in page


@pytest.mark.parametrize(
    ("break_it", "parts"),
    [
        (lambda run: shutil.rmtree(run), ["there is no run in", "anyorder train"]),
        (lambda run: shutil.rmtree(run / "checkpoints"), ["has no checkpoints/best.safetensors"]),
        (lambda run: (run / "report" / "metrics.json").write_text("{"), ["metrics.json is not valid JSON"]),
        (lambda run: (run / "report" / "metrics.json").write_text("{}"), ["metrics.json is damaged", "anyorder evaluate"]),
        (lambda run: (run / "metrics.jsonl").write_text('{"update": 1}\n'), ["metrics.jsonl is damaged at line 1"]),
        (lambda run: (run / "checkpoints" / "best.safetensors").write_bytes(b"1"), ["best.safetensors"]),
        (lambda run: (run / "report" / "episodes.json").write_text("[1]"), ["episodes.json is damaged"]),
    ],
)
def test_bad_input_ends_in_one_sentence(run_folder, tmp_path, capsys, break_it, parts):
    run = tmp_path / "broken"
    shutil.copytree(run_folder, run, symlinks=True)
    break_it(run)
    with pytest.raises(SystemExit) as ending:
        main(["report", str(run)])
    said = without_notes(capsys.readouterr().err).strip().splitlines()
    assert ending.value.code == 2 and len(said) == 1
    assert all(part in said[0] for part in parts)


def test_all_data_sets_of_a_run_are_named():
    film = {"path": "data/films", "share": 0.25, "num_demonstrations": None, "episodes": "successes", "masking": None}
    play = {**film, "path": "data/play", "share": None, "num_demonstrations": 70, "masking": {"mixture": {"cell": 2}}}
    config = {"data": {"path": "data/raw", "sets": [film, play]}, "masking": {"mixture": {"next_step": 0.6}}}
    assert further_sets(config) == [
        ("beside it", "data/films", "25% of the batches; all of its successes; orders: next_step 0.6"),
        ("beside it", "data/play", "as many as it has; 70 of its successes; orders: cell 2"),
    ]
    assert further_sets({"data": {"path": "data/raw"}}) == [], "of a run from before there were several"
