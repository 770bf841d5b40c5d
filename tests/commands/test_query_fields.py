"""Asking a checkpoint of any environment from the command line."""

import json
import re
import shlex
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from cartpole import cartpole_data, cartpole_run
from PIL import Image
from querying import query_answer, query_complaint

from anyorder.build.elements import load_element_checkpoint
from anyorder.cli import main
from anyorder.data.field_storage import read_field_split
from anyorder.elements.batch import Batch
from anyorder.elements.fields import EncodedFieldData
from anyorder.elements.layout import Kind
from anyorder.inference.bin_answers import BinAnswers
from anyorder.inference.chain_rule import ChainByRounds
from anyorder.inference.decoding import SinglePass, ask
from anyorder.inference.field_answers import read_field_answers
from anyorder.inference.futures import ranked_samples
from anyorder.masking.order import Role
from anyorder.masking.queries import (
    QUERIES,
    ForwardDynamicsQuery,
    FutureQuery,
    GoalConditionedActionQuery,
    NextActionQuery,
    WaypointsQuery,
)

EPISODE = 1


@pytest.fixture(scope="module")
def data_folder(tmp_path_factory):
    return cartpole_data(tmp_path_factory.mktemp("asked"))


@pytest.fixture(scope="module")
def checkpoint(data_folder, tmp_path_factory):
    return cartpole_run(data_folder, tmp_path_factory.mktemp("runs") / "asked") / "checkpoints" / "best.pt"


@pytest.fixture(scope="module")
def model(checkpoint):
    return load_element_checkpoint(checkpoint).model


@pytest.fixture(scope="module")
def trajectory(data_folder):
    return read_field_split(data_folder, "test")[EPISODE]


@pytest.fixture(scope="module")
def parts(trajectory, model):
    data = EncodedFieldData([trajectory], model.spec, model.max_frames)
    return [data.batch([number]) for number in range(len(data.lengths))]


@pytest.fixture
def answer(checkpoint, tmp_path, capsys):
    """``answer("--query", ...)``: what is written and what is printed."""
    return partial(query_answer, checkpoint, tmp_path, capsys, "--episode", EPISODE)


@pytest.fixture
def complaint(checkpoint, capsys):
    return partial(query_complaint, checkpoint, capsys)


def test_the_next_action_comes_with_its_distribution(answer, model, parts, trajectory):
    found, printed = answer("--query", "next_action", "--step", 3, "--likelihood")
    (action,) = found["elements"]
    shares = ask(model, parts[0], NextActionQuery(3)(parts[0].layout))[0, :2].double().softmax(dim=0)
    assert list(action["distribution"]) == ["0", "1"]
    assert list(action["distribution"].values()) == pytest.approx(shares.tolist())
    assert (action["kind"], action["field"], action["step"]) == ("category", "action", 3)
    assert action["answer"] == str(int(shares.argmax())) and action["truth"] == str(trajectory.actions["action"][3])
    assert found["truth_log_likelihood"] == pytest.approx(float(shares[trajectory.actions["action"][3]].log()))
    assert "action at step 3" in printed and "what happened" in printed and "█" in printed


def test_numbers_come_in_their_unit_with_median_band_and_density(answer, model, parts, trajectory):
    found, printed = answer("--query", "forward_dynamics", "--step", 2)
    logits = ask(model, parts[0], ForwardDynamicsQuery(2)(parts[0].layout))
    assert [one["field"] for one in found["elements"]] == [f"observation/{place}" for place in range(4)]
    for number, one in enumerate(found["elements"]):
        values = model.spec.fields[number].values
        answers, believed = BinAnswers.of(logits[number : number + 1], values), one["believed"]
        assert [believed["median"], believed["low"], believed["high"]] == pytest.approx(
            answers.quantiles(0.5, 0.05, 0.95)[0].tolist()
        )
        truth = float(trajectory.observations["observation"][3, number])
        assert one["truth"] == pytest.approx(truth, abs=1e-5) and one["step"] == 3
        true_bin = torch.from_numpy(values.numbers(np.array([truth])))
        assert believed["truth_nats"] == pytest.approx(float(answers.nats(true_bin)[0]))
        upto = float(answers.probabilities[0, : true_bin + 1].sum())
        assert upto - float(answers.probabilities[0, true_bin]) - 1e-6 <= believed["truth_level"] <= upto + 1e-6
        assert one["probability"] == pytest.approx(float(answers.probabilities.max()), rel=1e-4)
        assert one["error"] == pytest.approx(abs(believed["median"] - one["truth"]) / values.deviation)
        assert f"{believed['median']:.4g}" in printed and f"{believed['low']:.4g} to {believed['high']:.4g}" in printed


ASKS = {
    "next_action": (["--step", 2], {("action", 2)}),
    "forward_dynamics": (["--step", 2], {("observation", 3)}),
    "inverse_dynamics": (["--step", 2], {("action", 2)}),
    "backward_dynamics": (["--step", 2], {("observation", 2)}),
    "goal_conditioned": (["--step", 2, "--goal_step", 6], {("action", 2)}),
    "waypoints": (["--step", 2, "--waypoints", "[4,6]"], {("action", 2)}),
    "infill": (["--start", 2, "--stop", 4], {(kind, step) for kind in ("observation", "action") for step in (2, 3)}),
    "future": (
        ["--step", 2, "--horizon", 2],
        {("action", 2), ("observation", 3), ("action", 3), ("observation", 4)},
    ),
    "hidden_cells": (["--rate", 0.999999, "--until", 1], {("observation", 0), ("observation", 1)}),
}


@pytest.mark.parametrize("query", QUERIES)
def test_every_query_asks_what_it_says(answer, query):
    options, expected = ASKS[query]
    found, _ = answer("--query", query, *options)
    assert {(one["field"].partition("/")[0], one["step"]) for one in found["elements"]} == expected
    assert (found["query"], found["env_id"], found["num_parts"] > 1) == (query, "CartPole-v1", True)


@pytest.mark.parametrize(
    ("options", "query"),
    [
        (["goal_conditioned", "--step", 2, "--goal_step", 6], GoalConditionedActionQuery(2, 6)),
        (["waypoints", "--step", 2, "--waypoints", "[4,6]"], WaypointsQuery(2, (4, 6))),
    ],
)
def test_goals_and_waypoints_show_later_observations(answer, model, parts, options, query):
    (action,) = answer("--query", *options)[0]["elements"]
    order = query(parts[0].layout)
    shares = ask(model, parts[0], order)[0, :2].double().softmax(dim=0).tolist()
    assert list(action["distribution"].values()) == pytest.approx(shares)
    shown = (order.roles == Role.CONTEXT) & parts[0].layout.of_kind(Kind.OBSERVATION)
    assert 6 in parts[0].layout.step[shown].tolist() and 5 not in parts[0].layout.step[shown].tolist()
    layout = parts[0].layout
    moved = Batch(parts[0].values, replace(layout, numbers=torch.where(layout.step == 6, 3.0, layout.numbers)))
    assert ask(model, moved, order)[0, :2].double().softmax(dim=0).tolist() != pytest.approx(shares, abs=1e-7)


def test_a_later_part_of_a_long_trajectory(answer, model, parts, trajectory):
    found, printed = answer("--query", "next_action", "--step", 0, "--part", 1)
    assert (found["part"], found["num_parts"], found["first_step"]) == (1, len(parts), model.max_frames - 1)
    (action,) = found["elements"]
    assert action["truth"] == str(trajectory.actions["action"][model.max_frames - 1])
    assert f"steps {model.max_frames - 1} to" in printed


def test_several_passes_have_no_one_distribution(answer):
    for options in (["--decoder", "confidence"], ["--autoregressive", "true"]):
        found, _ = answer("--query", "future", "--step", 1, "--horizon", 2, *options)
        assert all(one.get("believed") is None and one.get("distribution") is None for one in found["elements"])
        assert all(0 < one["probability"] <= 1 for one in found["elements"])


def test_samples_are_ranked(answer):
    options = ["--query", "future", "--step", 1, "--horizon", 1, "--num_samples", 12, "--temperature", 1, "--seed", 3]
    found, printed = answer(*options)
    ranks = [sample["log_likelihood"] for sample in found["samples"]]
    assert ranks == sorted(ranks, reverse=True) and sum(sample["num_drawn"] for sample in found["samples"]) == 12
    assert answer(*options)[0] == found and "Samples by log-likelihood" in printed
    assert found["elements"] == found["samples"][0]["elements"]


def test_samples_know_nothing_of_the_truth(model, parts):
    """Neither its bin nor its exact number."""
    batch, order = parts[0], FutureQuery(1, 2)(parts[0].layout)
    other = Batch(
        batch.values.masked_fill(order.targets, 0),
        replace(batch.layout, numbers=batch.layout.numbers.masked_fill(order.targets, 7.0)),
    )
    decoder, draw = SinglePass(temperature=1.0), lambda: torch.Generator().manual_seed(0)
    one, two = (
        ranked_samples(model, each, order, decoder, 8, draw(), partial(read_field_answers, model.spec, each, order))
        for each in (batch, other)
    )
    assert [sample.log_likelihood for sample in one] == [sample.log_likelihood for sample in two]
    said = Batch(one[0].decoded.values, batch.layout.without_details(order.targets))
    assert one[0].log_likelihood == pytest.approx(float(ChainByRounds("unit", "time")(model, said, order).total))


def test_roles_ask_anything(answer, parts, tmp_path):
    roles = torch.where(parts[0].layout.present & (parts[0].layout.kind != Kind.RETURN), 1, 0)
    roles[0, 6], roles[0, 7] = int(Role.TARGET), int(Role.HIDDEN)
    path = tmp_path / "roles.json"
    path.write_text(json.dumps(roles[0].tolist()))
    found, _ = answer("--roles", path)
    assert [(one["field"], one["step"]) for one in found["elements"]] == [("observation/0", 1)]


def test_many_elements_are_summed_up(answer, parts):
    found, printed = answer("--query", "infill", "--start", 1, "--stop", 14)
    assert len(found["elements"]) == 13 * 5
    assert "65 elements asked" in printed and "observation/3" in printed and "found least probable" in printed
    right = sum(one["right"] for one in found["elements"] if one["kind"] == "category")
    assert f"{right} of 13" in printed


def test_the_picture_shows_what_was_answered(answer, tmp_path):
    sizes = []
    for name, options in (("one", ["--step", 2]), ("two", ["--step", 2, "--decoder", "confidence"])):
        answer("--query", "forward_dynamics", *options, "--picture", tmp_path / f"{name}.png")
        with Image.open(tmp_path / f"{name}.png") as picture:
            sizes.append((picture.format, picture.size))
    assert sizes[0] == sizes[1] and sizes[0][0] == "PNG" and min(sizes[0][1]) > 400
    assert (tmp_path / "one.png").read_bytes() != (tmp_path / "two.png").read_bytes(), "several passes have no band"


def test_the_commands_of_the_page_run(checkpoint, tmp_path, monkeypatch, capsys):
    (tmp_path / "outputs").mkdir()
    (tmp_path / "outputs" / "cartpole").symlink_to(checkpoint.parents[1])
    monkeypatch.chdir(tmp_path)
    text = (Path(__file__).parents[2] / "docs" / "queries.md").read_text()
    commands = re.findall(r"^anyorder (query .*outputs/cartpole.*)$", text, re.MULTILINE)
    for line in commands:
        main(shlex.split(line))
    assert len(commands) >= 3 and capsys.readouterr().out.count("elements asked:") == len(commands)
    assert (tmp_path / "fields.png").exists()


def test_what_cannot_be_asked_is_said(complaint, tmp_path, data_folder):
    assert "step must be between 0 and 14; found 99" in complaint("--query", "next_action", "--step", 99)
    assert "--episode must lie between 0 and 4" in complaint("--query", "next_action", "--step", 0, "--episode", 5)
    assert "--part must lie between 0 and" in complaint("--query", "next_action", "--step", 0, "--part", 99)
    assert "--part must lie" in complaint("--query", "next_action", "--step", 0, "--part", -1)
    (tmp_path / "roles.json").write_text("[1, 3]")
    assert "roles must be integers" in complaint("--roles", tmp_path / "roles.json")
    assert "no split 'exam'" in complaint("--query", "next_action", "--step", 0, "--split", "exam")


def test_data_of_another_environment_is_refused(complaint, tmp_path, capsys):
    folder = str(tmp_path / "other")
    sizes = ["--num_episodes", "3", "--num_validation", "1", "--num_test", "2", "--num_processes", "1"]
    main(["collect", "--env", "MountainCar-v0", "--policy", "random", "--output_dir", folder, *sizes])
    capsys.readouterr()
    said = complaint("--query", "next_action", "--step", 0, "--data", folder)
    assert "must have the observations and actions of the checkpoint" in said and folder in said
