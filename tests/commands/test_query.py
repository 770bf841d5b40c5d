"""Asking a checkpoint from the command line."""

import json
import re
import shlex
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from querying import query_answer, query_complaint

from anyorder.build.checkpoints import load_model
from anyorder.build.collecting import CollectOptions, run_collect
from anyorder.cli import main
from anyorder.commands.query import query_command
from anyorder.data.storage import read_split
from anyorder.elements.batch import EncodedTrajectories
from anyorder.elements.grid import Attribute, encode
from anyorder.errors import AnyOrderError
from anyorder.inference.answers import cell_name
from anyorder.inference.chain_rule import ChainByRounds
from anyorder.inference.decoding import SinglePass
from anyorder.inference.missions import OfActions, rank_missions
from anyorder.masking.order import Role
from anyorder.masking.queries import ForwardDynamicsQuery, FutureQuery, NextActionQuery


@pytest.fixture(scope="module")
def checkpoint(finished_run):
    return finished_run / "checkpoints" / "best.pt"


@pytest.fixture(scope="module")
def model(checkpoint):
    return load_model(checkpoint)[0].cpu()


@pytest.fixture(scope="module")
def batch(data_folder, model):
    return EncodedTrajectories([read_split(data_folder, "test")[1]], model.vocabulary).batch([0])


@pytest.fixture(scope="module")
def encoded(data_folder, model):
    return encode(read_split(data_folder, "test")[1], model.vocabulary)


@pytest.fixture
def ask(checkpoint, tmp_path, capsys):
    """``ask("--query", ...)``: what is written and what is printed."""
    return partial(query_answer, checkpoint, tmp_path, capsys, "--episode", "1")


@pytest.fixture
def complaint(checkpoint, capsys):
    return partial(query_complaint, checkpoint, capsys)


def test_the_next_action_comes_with_its_distribution(ask, model, batch):
    found, printed = ask("--query", "next_action", "--step", 1, "--likelihood")
    with torch.no_grad():
        logits = model(batch.values, batch.layout, NextActionQuery(1)(batch.layout))[0]
    start = model.vocabulary.offsets[Attribute.ACTION]
    expected = logits[start : start + 7].softmax(dim=0)
    (action,) = found["elements"]
    torch.testing.assert_close(torch.tensor(list(action["distribution"].values())), expected)
    assert action["answer"] == list(action["distribution"])[int(expected.argmax())]
    assert action["probability"] == pytest.approx(float(expected.max()))
    assert found["truth_log_likelihood"] == pytest.approx(float(np.log(action["distribution"][action["truth"]])))
    assert action["answer"] in printed and "what happened" in printed and "█" in printed


def test_what_nobody_asked_for_is_not_computed(ask, monkeypatch):
    monkeypatch.setattr("anyorder.commands.query.log_likelihood", None)
    found, printed = ask("--query", "next_action", "--step", 1)
    assert "truth_log_likelihood" not in found and "log-likelihood" not in printed


def test_the_next_view_is_told_cell_by_cell(ask, model, batch):
    found, printed = ask("--query", "forward_dynamics", "--step", 0)
    order = ForwardDynamicsQuery(0)(batch.layout)
    answer = SinglePass()(model, batch, order, torch.Generator()).values
    (view,) = found["observations"]
    cells = batch.layout.grid.cells(answer == batch.values).all(dim=-1)[0, 1]
    assert view["step"] == 1 and view["num_asked"] == 49 == len(view["cells"])
    assert view["num_right"] == int(cells.sum()) == sum(cell["right"] for cell in view["cells"])
    assert all(0 < cell["probability"] <= 1 for cell in view["cells"])
    assert f"{view['num_right']} of 49 asked cells right" in printed


@pytest.mark.parametrize("autoregressive", ["false", "true"])
def test_futures_are_ranked_by_their_likelihood(ask, model, batch, autoregressive):
    found, printed = ask(
        "--query",
        "future",
        "--step",
        0,
        "--horizon",
        2,
        "--autoregressive",
        autoregressive,
        "--num_samples",
        5,
        "--temperature",
        1,
        "--likelihood",
    )
    likelihoods = [sample["log_likelihood"] for sample in found["samples"]]
    assert likelihoods == sorted(likelihoods, reverse=True) and sum(s["num_drawn"] for s in found["samples"]) == 5
    assert found["elements"] == found["samples"][0]["elements"] and "Samples by log-likelihood" in printed
    if autoregressive == "false":
        truth = ChainByRounds("unit", "time")(model, batch, FutureQuery(0, 2)(batch.layout)).total
        assert found["truth_log_likelihood"] == pytest.approx(float(truth), rel=1e-5)


@pytest.mark.parametrize(
    "options",
    [
        ["--query", "inverse_dynamics", "--step", 1],
        ["--query", "backward_dynamics", "--step", 0],
        ["--query", "goal_conditioned", "--step", 0, "--goal_step", 2, "--mission", "true"],
        ["--query", "waypoints", "--step", 0, "--waypoints", "[1,2]"],
        ["--query", "infill", "--start", 0, "--stop", 2, "--decoder", "unit", "--unit_order", "reverse"],
        ["--query", "hidden_cells", "--rate", 0.3, "--until", 1, "--decoder", "confidence", "--num_passes", 3],
    ],
)
def test_every_query_is_answered_and_drawn(ask, tmp_path, options):
    found, _ = ask(*options, "--picture", tmp_path / "p.png")
    assert found["elements"] or found["observations"]
    picture = np.asarray(Image.open(tmp_path / "p.png"))
    assert picture.shape[0] > 500 and len(np.unique(picture.reshape(-1, 3), axis=0)) > 20


def test_a_film_has_no_mission_to_tell(checkpoint, data_folder, tmp_path):
    run_collect(CollectOptions(recorded=str(data_folder), without="actions", output_dir=str(tmp_path / "film")))
    with pytest.raises(AnyOrderError, match="must have actions to tell its mission"):
        query_command(["--checkpoint", str(checkpoint), "--query", "mission", "--data", str(tmp_path / "film")])


def test_a_mission_is_asked_for(ask, model, batch, encoded, data_folder):
    answer, shown = ask("--query", "mission")
    missions = [one["mission"] for one in answer["missions"]]
    assert batch.layout.missions[0] == answer["mission"] and answer["mission"] in missions
    told = OfActions.after(trajectory.mission for trajectory in read_split(data_folder, "train"))
    assert answer["missions"] == [one.to_json() for one in rank_missions(model, encoded, sorted(missions), told)]
    assert sum(one["probability"] for one in answer["missions"]) == pytest.approx(1.0)
    assert f"{answer['mission']} (true)" in shown


def test_any_roles_from_a_file(ask, batch, tmp_path):
    order = NextActionQuery(1)(batch.layout)
    np.save(tmp_path / "roles.npy", order.roles.numpy())
    both = {"roles": order.roles[0].tolist(), "ranks": order.ranks[0].tolist()}
    (tmp_path / "roles.json").write_text(json.dumps(both))
    by_name, _ = ask("--query", "next_action", "--step", 1, "--likelihood")
    with_ranks, _ = ask("--roles", tmp_path / "roles.json")
    assert with_ranks["elements"] == by_name["elements"]
    without, _ = ask("--roles", tmp_path / "roles.npy")
    assert [e["step"] for e in without["elements"]] == [1] and without["elements"] != by_name["elements"]


@pytest.mark.parametrize(
    ("options", "parts"),
    [
        ([], ["--query must be one of next_action, forward_dynamics", "--roles FILE"]),
        (["--query", "next_move"], ["--query must be one of next_action", "found next_move"]),
        (["--query", "next_action"], ["next_action needs --step"]),
        (["--query", "mission", "--step", 1], ["mission needs nothing else", "leave out --step"]),
        (["--query", "next_action", "--step", 999], ["step must be between 0 and", "found 999"]),
        (["--query", "next_action", "--step", 0, "--rate", 0.3], ["no option --rate", "it has --step"]),
        (["--query", "next_action", "--step", 0, "--episode", 6], ["--episode must lie between 0 and 5", "found 6"]),
        (["--query", "next_action", "--step", 0, "--split", "exam"], ["no split 'exam'", "train, validation, test"]),
        (["--query", "next_action", "--step", 0, "--decoder", "beam"], ["single, confidence, unit, cell, ranks", "found beam"]),
        (["--query", "next_action", "--step", 0, "--num_samples", 3], ["--temperature 1"]),
        (["--query", "next_action", "--step", 0, "--top_p", 0], ["top_p must lie in (0, 1]"]),
        (["--query", "future", "--step", 0, "--autoregressive", "true", "--decoder", "unit"], ["--decoder must be ranks"]),
        (["--query", "next_action", "--roles", "x.npy"], ["leave out --query"]),
        (["--roles", "nowhere.npy"], ["nowhere.npy"]),
        (["--roles", "nowhere.json"], ["no file nowhere.json"]),
    ],
)
def test_what_is_impossible_is_said_in_one_sentence(complaint, options, parts):
    said = complaint(*options)
    assert all(part in said for part in parts), said


def test_roles_of_another_length_are_said(complaint, tmp_path):
    (tmp_path / "roles.json").write_text(json.dumps([int(Role.TARGET)] * 3))
    assert "found torch.int64 [1, 3]" in complaint("--roles", tmp_path / "roles.json")


@pytest.mark.parametrize(
    ("cell", "name"),
    [
        ([1, 0, 0], "empty"),
        ([2, 5, 0], "wall"),
        ([6, 0, 0], "red ball"),
        ([4, 1, 2], "locked green door"),
        ([6, 0, 1], "red ball (state 1)"),
        ([2, 0, 0], "red wall"),
        ([1, 0, 1], "red empty (state 1)"),
        ([0, 0, 0], "unseen"),
    ],
)
def test_cells_have_minigrids_names(cell, name):
    assert cell_name(np.array(cell, np.uint8)) == name


def test_only_equal_cells_have_equal_names():
    cells = [(kind, color, state) for kind in range(11) for color in range(6) for state in range(4)]
    assert len({cell_name(np.array(cell, np.uint8)) for cell in cells}) == len(cells)


@pytest.fixture
def page(finished_run, tmp_path, monkeypatch):
    """The blocks of docs/queries.md in one language, run where the run that it names is."""
    (tmp_path / "outputs").mkdir()
    (tmp_path / "outputs" / "quickstart").symlink_to(finished_run)
    monkeypatch.chdir(tmp_path)
    text = (Path(__file__).parents[2] / "docs" / "queries.md").read_text()
    return lambda language: re.findall(rf"^```{language}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


def test_the_commands_of_the_page_run(page, tmp_path, capsys):
    commands = [line for block in page("bash") for line in block.splitlines() if "outputs/quickstart" in line]
    for line in commands:
        main(shlex.split(line)[1:])
    assert len(commands) >= 5 and capsys.readouterr().out.count("elements asked") == len(commands)
    assert (tmp_path / "answer.png").exists() and (tmp_path / "answer.json").exists()


def test_the_program_of_the_page_runs(page, capsys):
    (program,) = page("python")
    names = {}
    exec(program, names)
    assert "elements right" in capsys.readouterr().out
    assert bool((names["sampled"].values != names["batch"].values)[~names["future"].targets].sum() == 0)
