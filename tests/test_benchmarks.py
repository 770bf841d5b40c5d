"""Benchmarks run; what they print here are no figures, since there is little of it and other tests run beside them."""

import json
import os
import runpy
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from gymnasium import spaces

from anyorder.elements.fields import EncodedFieldData
from anyorder.elements.fitting import fit_spec
from anyorder.elements.grid import GridVocabulary
from anyorder.elements.layout import Kind
from anyorder.masking.order import Order, Role, imitate
from anyorder.types import FieldTrajectory

BENCHMARKS = Path(__file__).resolve().parents[1] / "benchmarks"


@pytest.mark.parametrize(
    ("command", "rows"),
    [
        (["train.py", "--little"], ["default", "cell", "next_step", "next_action"]),
        (["collect.py", "--little"], ["GoToRedBall", "BossLevel", "collect, 2 processes"]),
        (["orders.py", "--little"], ["mixture", "next_step"]),
        (["texts.py", "--little"], ["token", "next_action", "next_step"]),
        (["text_acting.py", "--little"], ["scoring", "generating", "constrained"]),
    ],
    ids=lambda value: value[0].removesuffix(".py") if ".py" in value[0] else "",
)
def test_a_benchmark_prints_its_table(command, rows):
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, BENCHMARKS / command[0], *command[1:]], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    printed = {line[: len(row)]: line for line in done.stdout.splitlines() for row in rows if line.startswith(row)}
    assert sorted(printed) == sorted(rows)
    assert all(any(character.isdigit() for character in line) for line in printed.values())


def pendulums(folder):
    """A data set of four episodes of random actions."""
    sizes = ["--num_episodes", "2", "--num_validation", "1", "--num_test", "1", "--num_processes", "1"]
    command = [sys.executable, "-m", "anyorder", "collect", "--env", "Pendulum-v1", "--policy", "random", *sizes]
    subprocess.run([*command, "--output_dir", folder], check=True, capture_output=True)
    return folder


def test_our_side_of_the_comparison_with_mtm(tmp_path):
    """Random actions cannot be foretold: who answers with about the mean is off by a standard deviation."""
    command = [
        sys.executable,
        BENCHMARKS / "mtm.py",
        "--data",
        pendulums(tmp_path / "data"),
        "--little",
        "--frames-per-batch",
        "32",
    ]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run([*command, "--output", tmp_path / "found.json"], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert sum(line.startswith("| ours") for line in done.stdout.splitlines()) == 5
    found = json.loads((tmp_path / "found.json").read_text())
    assert found["settings"]["updates"] == 8
    foretold = found["errors"]["next actions"]["action"]
    assert foretold["count"] == 28 * 7
    assert 0.9 < foretold["root mean square"]["ours"][0] < 1.2
    assert foretold["root mean square"]["copy"][0] == pytest.approx(2**0.5, abs=0.15)
    refused = subprocess.run([*command, "--mtm", tmp_path], env=environment, capture_output=True, text=True)
    assert refused.returncode == 1 and refused.stderr.startswith("error: --mtm must be a checkout of MTM; found none")


def test_what_mtm_reads_is_what_elements_say_and_finds_its_way_back():
    rng, told = np.random.default_rng(0), np.ones((5, 1))
    episodes = [
        FieldTrajectory(
            "Made-v0",
            seed,
            {"body": rng.normal(size=(5, 2)), "goal": told * rng.normal()},
            {"action": rng.normal(size=(4, 3))},
            np.zeros(4),
            np.arange(4) == 3,
            np.zeros(4, bool),
            "",
        )
        for seed in range(3)
    ]
    observed = spaces.Dict(body=spaces.Box(-9, 9, (2,)), goal=spaces.Box(-9, 9, (1,)))
    spec = fit_spec(observed, spaces.Box(-9, 9, (3,)), episodes)
    layout = EncodedFieldData(episodes, spec).batch([0, 1, 2]).layout
    windows = runpy.run_path(str(BENCHMARKS / "mtm_sides.py"))["Windows"].of(layout)
    shapes = {name: tuple(tensor.shape) for name, tensor in windows.tokens().items()}
    assert shapes == {"states": (3, 5, 1, 2), "actions": (3, 4, 1, 3), "goals": (3, 1, 1, 1)}
    (acted,) = [one for one in spec.fields if one.name == "action/1"]
    recorded = windows.actions[2, :, 0, 1] * acted.values.deviation + acted.values.mean
    assert recorded.numpy() == pytest.approx(episodes[2].actions["action"][:, 1], abs=1e-5)
    meant = layout.present & ~layout.of_kind(Kind.RETURN)
    assert torch.equal(windows.in_place(layout)[meant], layout.numbers[meant].double())


def test_our_side_of_the_comparison_with_peers(tmp_path):
    sizes = ["--num_episodes", "30", "--num_validation", "3", "--num_test", "1", "--num_processes", "1"]
    collect = ["collect", "--env", "BabyAI-GoToRedBall-v0", *sizes, "--output_dir", tmp_path]
    subprocess.run([sys.executable, "-m", "anyorder", *collect], check=True, capture_output=True)
    command = [sys.executable, BENCHMARKS / "peers.py", "--data", tmp_path, "--little"]
    done = subprocess.run(command, env={**os.environ, "OMP_NUM_THREADS": "1"}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    rows = [line for line in done.stdout.splitlines() if line.startswith("| ours")]
    assert [row.split(" | ")[0] for row in rows] == ["| ours, muon", "| ours, adamw"]
    assert all(row.count("%") == 4 for row in rows)
    for option, name in (("--unimask", "uniMASK"), ("--mtm", "MTM")):
        refused = subprocess.run([*command, option, tmp_path], capture_output=True, text=True)
        assert refused.returncode == 1 and refused.stderr.startswith(
            f"error: {option} must be a checkout of {name}; found none"
        )


def sides():
    """The module of what the grid model is compared with."""
    sys.path.insert(0, str(BENCHMARKS))  # as for a program there
    try:
        return runpy.run_path(str(BENCHMARKS / "peers_sides.py"))
    finally:
        sys.path.remove(str(BENCHMARKS))


def test_what_unimask_reads_is_what_the_order_shows(make_batch):
    """One column for each value that is shown, none for what is hidden; the answers come from the same columns."""
    batch = make_batch([3, 2], view=(2, 2))
    peers, layout, order = sides(), batch.layout, imitate(batch.layout)
    vocabulary = GridVocabulary(("<unknown>", "ball", "go", "the", "to"))

    class Net(torch.nn.Module):
        answers = None

        def forward(self, given):
            self.tokens = given.model_input[0]
            given.add_model_output(self.tokens if self.answers is None else self.answers)

    net = Net()
    frames = peers["UniMaskFrames"](net, vocabulary, (2, 2))
    alone = peers["at_a_random_rank"](order, torch.Generator().manual_seed(0))
    assert (alone.targets.sum(dim=1) == 1).all() and (order.targets.sum(dim=1) > 1).all()
    frames(batch.values, layout, alone)
    shown = alone.roles == Role.CONTEXT
    of_words = net.tokens[..., -len(vocabulary.words) :].sum(dim=-1)
    assert torch.equal(net.tokens.sum(dim=-1) - of_words, layout.grid.frames(shown).sum(dim=-1).float())
    assert (of_words == layout.grid.words(shown).sum(dim=1, keepdim=True)).all()

    told = Order(alone.roles.masked_fill(layout.present, int(Role.CONTEXT)), torch.zeros_like(order.ranks))
    frames.at_once(batch.values, layout, told)
    net.answers = net.tokens
    logits = frames(batch.values, layout, order)
    assert torch.equal(logits.argmax(dim=-1), batch.values[order.targets])
    assert torch.equal(logits.isfinite(), vocabulary.allowed()[layout.attribute[order.targets]])


class EchoOfMtm(torch.nn.Module):
    """Answers with what it was given, where it is shown, and 0 elsewhere."""

    def __init__(self):
        super().__init__()
        self.lengths = []

    def forward(self, tokens, masks):
        self.lengths.append(tokens["states"].shape[1])
        assert all(tokens[name].shape[1:3] == masks[name].shape for name in ("states", "actions"))
        return {name: tokens[name] * masks[name][None, ..., None] for name in ("states", "actions")}


def test_what_mtm_is_shown_of_grids_is_what_the_order_shows(make_batch):
    """Each length and pattern has its pass; observations are seen if all of them is shown."""
    batch = make_batch([3, 2, 3], view=(2, 2))
    layout, grid, present = batch.layout, batch.layout.grid, batch.layout.present
    net, vocabulary = EchoOfMtm(), GridVocabulary(("<unknown>", "ball", "go", "the", "to"))
    frames = sides()["MtmFrames"](net, vocabulary, (2, 2))
    shown = present.clone()
    grid.actions(shown)[0, 1] = grid.cells(shown)[1, 0, 3, 1] = False
    found = frames.answers(batch.values, layout, shown)
    assert sorted(net.lengths) == [3, 4, 4]
    expected = frames.one_hot.frames(batch.values, layout, layout.present)
    first = sum(frames.modalities(frames.one_hot)[:1])
    expected[1, 0, :first] = expected[0, 1, first:] = 0
    assert torch.equal(found, expected) and found.any()


def test_masks_of_mtm_become_orders(make_batch):
    """All trajectories of a length hide the same; what is hidden is asked for, but for returns."""
    layout = make_batch([3, 2, 3], view=(2, 2)).layout
    visible = {"states": torch.tensor([[1], [0], [1], [1]]), "actions": torch.tensor([[0], [1], [1], [0]])}

    class Masks:
        @staticmethod
        def create_random_autoregressize_mask(shapes, ratios, length, device, weights):
            return {name: mask[:length] for name, mask in visible.items()}

    order = sides()["mtm_order"](Masks, layout, torch.Generator().manual_seed(0))
    grid, targets = layout.grid, order.targets
    assert not order.ranks.any() and not grid.words(targets).any() and not grid.returns(targets).any()
    assert grid.directions(targets).tolist() == [[False, True, False, False]] * 3
    assert grid.cells(targets)[:, 1].all() and not grid.cells(targets)[:, [0, 2, 3]].any()
    assert grid.actions(targets).tolist() == [[True, False, False, False]] * 3
    assert (order.roles[~layout.present] == Role.DROPPED).all()
