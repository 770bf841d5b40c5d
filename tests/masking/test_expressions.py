"""Expressions: plain data in, strategies out; whatever is wrong is said with its path; other packages can add names."""

import sys
from collections.abc import Mapping
from dataclasses import asdict, fields, is_dataclass
from textwrap import dedent
from typing import get_type_hints

import pytest
import torch
import yaml

from anyorder.build.masking import GRID_FIELDS, strategy_schedule
from anyorder.cli import main
from anyorder.commands.train import train_parser
from anyorder.config import MaskingConfig
from anyorder.elements.layout import Kind
from anyorder.errors import AnyOrderError
from anyorder.masking import strategies
from anyorder.masking.expressions import strategy_from
from anyorder.masking.schedules import AntitheticRate, Rate
from anyorder.masking.strategies import STRATEGIES
from anyorder.options import parse
from anyorder.training import checkpoint

DEFAULTS = {"rate": {"linear": [0.2, 0.6]}, "rates": {"color": 0.9}}


def fixed(rate):
    return Rate(rate, rate)


def read(text, progress=0.0):
    return strategy_from(yaml.safe_load(text), DEFAULTS, known_fields=GRID_FIELDS)(progress)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("next_action", strategies.NextAction()),
        ("{next_action: {}}", strategies.NextAction()),
        ("{next_action: }", strategies.NextAction()),
        ("{cell: {rate: 0.5}}", strategies.Cell(fixed(0.5))),
        ("{cell: {rate: [0.25, 0.5]}}", strategies.Cell(Rate(choices=(0.25, 0.5)))),
        ("{token: {rate: {uniform: [0, 1]}}}", strategies.Token(Rate(0, 1))),
        ("{token: {rate: {antithetic: [0, 1]}}}", strategies.Token(AntitheticRate(0, 1))),
        ("cell", strategies.Cell(fixed(0.2))),
        ("attribute", strategies.AttributeWise(fixed(0.2), {"color": fixed(0.9)})),
        (
            "{attribute: {rate: 0.1, rates: {state: 0.5}}}",
            strategies.AttributeWise(fixed(0.1), {"state": fixed(0.5)}),
        ),
        ("{goal_conditioned: {history: false}}", strategies.GoalConditioned(history=False)),
        ("{waypoint: {num_waypoints: 3, history: false}}", strategies.Waypoint(num_waypoints=3, history=False)),
        ("return_conditioned", strategies.ReturnConditioned(strategies.KnownReturns.TO_GO)),
        ("{return_conditioned: {known: first}}", strategies.ReturnConditioned(strategies.KnownReturns.FIRST)),
        ("{window: {strategy: forward_dynamics, length: 2}}", strategies.Window(strategies.ForwardDynamics(), 2)),
        ("{at_once: {strategy: next_step}}", strategies.AtOnce(strategies.NextStep())),
        ("{blocks: {length: 4}}", strategies.Blocks(4, fixed(0.2))),
        (
            "{only: {strategy: cell, kinds: [observation], attributes: [color, state], steps: [0, 4]}}",
            strategies.Only(strategies.Cell(fixed(0.2)), (Kind.OBSERVATION,), ("color", "state"), (0, 4)),
        ),
        ("{only: {strategy: next_step, kinds: null}}", strategies.Only(strategies.NextStep())),
        (
            "{by_mission: {cases: {go to: next_action, open: {cell: {rate: 0.5}}}, otherwise: past}}",
            strategies.ByMission({"go to": strategies.NextAction(), "open": strategies.Cell(fixed(0.5))}, strategies.Past()),
        ),
        (
            "{without_mission: {strategy: {only: {strategy: next_step, steps: [1, 2]}}, rate: 0.5}}",
            strategies.WithoutMission(strategies.Only(strategies.NextStep(), steps=(1, 2)), fixed(0.5)),
        ),
        (
            "{mixture: {cell: 1, past: 2.5, rest: {weight: 0, strategy: {unit: {rate: 0.5}}}}}",
            strategies.Mixture((strategies.Cell(fixed(0.2)), strategies.Past(), strategies.Unit(fixed(0.5))), (1.0, 2.5, 0.0)),
        ),
    ],
)
def test_what_an_expression_means(text, meant):
    assert read(text) == meant


def test_rates_move_with_training_wherever_they_stand():
    text = "{only: {strategy: {mixture: {cell: 1, b: {weight: 1, strategy: {unit: {rate: {step: [0, 1]}}}}}}}}"
    for progress, default, own in ((0.0, 0.2, 0.0), (0.5, 0.4, 1.0), (1.0, 0.6, 1.0)):
        cell, unit = read(text, progress).strategy.strategies
        assert (cell.rate.low, unit.rate.low) == pytest.approx((default, own))


def test_stages_follow_one_another():
    """The rate runs over the whole of training, whichever stage it stands in."""
    text = "{stages: {first: next_observation, then: {stages: {first: cell, then: next_action, at: 0.75}}, at: 0.5}}"
    assert [type(read(text, progress)).__name__ for progress in (0.0, 0.49, 0.5, 0.74, 0.75, 1.0)] == [
        "NextObservation",
        "NextObservation",
        "Cell",
        "Cell",
        "NextAction",
        "NextAction",
    ]
    assert read(text, 0.5) == strategies.Cell(fixed(0.4))


def test_stages_of_a_mixture_draw_orders(encoded):
    stages = {"stages": {"first": "next_observation", "then": "next_action", "at": 0.5}}
    strategy_at = strategy_schedule(MaskingConfig(mixture={"world model first": {"weight": 1, "strategy": stages}}))
    layout = encoded.batch(range(3)).layout
    for progress, kind in ((0.0, Kind.OBSERVATION), (1.0, Kind.ACTION)):
        order = strategy_at(progress)(layout, torch.Generator().manual_seed(0))
        assert torch.equal(order.targets, layout.of_kind(kind))


def test_a_chance_that_is_no_hidden_share_takes_no_default():
    with pytest.raises(ValueError, match="strategy.without_mission needs rate; found strategy"):
        read("{without_mission: {strategy: cell}}")


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("cel", ["strategy: a strategy must be one of", "cell", "next_action", "only", "found cel"]),
        ("[cell]", ["strategy must be the name of a strategy", "found ['cell']"]),
        ("{cell: {}, unit: {}}", ["strategy must be the name of a strategy"]),
        ("{cell: 0.3}", ["strategy.cell must be {field: value, ...}", "found 0.3"]),
        ("{cell: {ratio: 0.3}}", ["strategy.cell must have no other fields than rate", "found ratio"]),
        ("{next_action: {rate: 0.3}}", ["strategy.next_action must have no fields", "found rate"]),
        ("{cell: {rate: 1.5}}", ["strategy.cell.rate: a rate is the hidden share and must", "found 1.5"]),
        ("{attribute: {rates: {shade: 0.1}}}", ["strategy.attribute.rates must be one of object", "found 'shade'"]),
        ("{attribute: {rates: {word: 0.1}}}", ["strategy.attribute.rates must be one of object", "found 'word'"]),
        (
            "{return_conditioned: {known: all}}",
            ["strategy.return_conditioned.known must be one of to_go, episode", "found 'all'"],
        ),
        ("window", ["strategy.window needs strategy, length", "found nothing"]),
        ("{window: {strategy: cell, length: 0}}", ["strategy.window: a window", "found 0"]),
        ("{attribute: {rates: {color: 2}}}", ["strategy.attribute.rates.color: a rate is", "found 2"]),
        ("{attribute: {rates: 0.1}}", ["strategy.attribute.rates must be {key: value, ...}", "found 0.1"]),
        ("blocks", ["strategy.blocks needs length", "found nothing"]),
        ("{blocks: {length: 1.5}}", ["strategy.blocks.length must be a whole number", "found 1.5"]),
        ("{blocks: {length: true}}", ["strategy.blocks.length must be a whole number", "found True"]),
        ("{blocks: {length: 0}}", ["strategy.blocks: ", "found 0"]),
        ("{goal_conditioned: {history: 1}}", ["strategy.goal_conditioned.history must be true or false", "found 1"]),
        ("{only: {strategy: cell, steps: [1]}}", ["strategy.only.steps must be a list of 2", "found [1]"]),
        ("{only: {strategy: cell, steps: [1, b]}}", ["strategy.only.steps[1] must be a whole number", "found 'b'"]),
        ("{only: {strategy: cell, kinds: action}}", ["strategy.only.kinds must be a list", "found 'action'"]),
        ("{only: {strategy: cell, kinds: [act]}}", ["strategy.only.kinds[0] must be one of", "observation", "found 'act'"]),
        ("{only: {strategy: cell, kinds: [[action]]}}", ["strategy.only.kinds[0] must be one of", "found ['action']"]),
        ("{only: {strategy: {only: {strategy: cel}}}}", ["strategy.only.strategy.only.strategy: ", "found cel"]),
        ("{by_mission: {cases: {'(': cell}, otherwise: cell}}", ["strategy.by_mission: ", "regular expression"]),
        ("{by_mission: {cases: {go: cel}, otherwise: cell}}", ["strategy.by_mission.cases.go: ", "found cel"]),
        ("{mixture: cell}", ["strategy.mixture must be {label: weight}", "found 'cell'"]),
        ("{mixture: {}}", ["strategy.mixture must name at least one strategy"]),
        ("{mixture: {cell: true}}", ["strategy.mixture.cell must be a number", "found True"]),
        ("{mixture: {cell: .nan}}", ["strategy.mixture.cell must be a number", "found nan"]),
        ("{mixture: {cell: -1}}", ["strategy.mixture: weights", "-1"]),
        ("{mixture: {a: {weight: 1}}}", ["strategy.mixture.a must be a weight or {weight: w, strategy: expression}"]),
        ("{mixture: {a: {weight: x, strategy: cell}}}", ["strategy.mixture.a.weight must be a number", "found 'x'"]),
        ("{mixture: {a: {weight: 1, strategy: cel}}}", ["strategy.mixture.a.strategy: ", "found cel"]),
        ("{stages: [cell, past]}", ["strategy.stages must be {first: expression", "found ['cell', 'past']"]),
        ("{stages: {first: cell, then: past}}", ["strategy.stages must be {first: expression, then: expression, at:"]),
        ("{stages: {first: cell, then: pas, at: 0.5}}", ["strategy.stages.then: ", "found pas"]),
        ("{stages: {first: cell, then: past, at: 1.5}}", ["strategy.stages.at must be a share of the updates", "found 1.5"]),
        ("{stages: {first: cell, then: past, at: soon}}", ["strategy.stages.at must be a number", "found 'soon'"]),
        ("{stages: {first: cell, then: {blocks: {length: 0}}, at: 0.5}}", ["strategy.stages.then.blocks: ", "found 0"]),
    ],
)
def test_what_is_wrong_is_said_where_it_stands(text, parts):
    with pytest.raises(ValueError) as error:
        read(text)
    assert [part for part in parts if part not in str(error.value)] == [], error.value


@pytest.mark.parametrize("name", [name for name in STRATEGIES if name != "mixture"])  # its syntax is tested above
def test_every_strategy_can_be_written_with_all_of_its_fields(name):
    """Each type of a field that a strategy of ours declares can be read, and none is forgotten."""
    cls = STRATEGIES[name]
    written = {
        "rate": 0.25,
        "rates": {"color": 0.5},
        "length": 2,
        "num_waypoints": 1,
        "mission": True,
        "history": False,
        "strategy": "past",
        "kinds": ["action"],
        "attributes": ["action"],
        "steps": [0, 1],
        "cases": {"go": "past"},
        "otherwise": "future",
        "known": "episode",
        "group": "cell",
    }
    hints = get_type_hints(cls)
    assert is_dataclass(cls) and all(field.name in hints for field in fields(cls))
    made = strategy_from({name: {field.name: written[field.name] for field in fields(cls)}}, {})(0.0)
    assert type(made) is cls
    for field in fields(cls):
        value = getattr(made, field.name)
        if hints[field.name] is Rate:
            assert value == fixed(0.25)
        elif hints[field.name] in (int, bool, str):
            assert value == written[field.name] and type(value) is hints[field.name]
        elif hints[field.name] is strategies.KnownReturns:
            assert value is strategies.KnownReturns.EPISODE
        else:
            assert value and isinstance(value, Mapping | tuple | strategies.Past | strategies.Future)


NEAR = "{cell: 0.5, near: {weight: 0.5, strategy: {only: {strategy: {cell: {rate: 1e-1}}, steps: [0, 3]}}}}"


def test_the_command_line_and_a_file_say_the_same_in_plain_data(tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text(f"masking: {{mixture: {NEAR}}}")
    from_file, from_line = (
        parse(train_parser(), arguments).masking for arguments in (["--config", str(path)], ["--masking.mixture", NEAR])
    )
    assert from_file == from_line
    assert asdict(from_line)["mixture"] == {
        "cell": 0.5,
        "near": {"weight": 0.5, "strategy": {"only": {"strategy": {"cell": {"rate": 0.1}}, "steps": [0, 3]}}},
    }
    assert yaml.safe_load(yaml.safe_dump(asdict(from_line))) == asdict(from_line)
    near = strategy_schedule(from_line)(0.0).strategies[1]
    assert near == strategies.Only(strategies.Cell(fixed(0.1)), steps=(0, 3))


@pytest.mark.parametrize(
    ("masking", "parts"),
    [
        (MaskingConfig(mixture={"cel": 1.0}), ["masking.mixture: a strategy must be one of", "found cel"]),
        (
            MaskingConfig(mixture={"a": {"weight": 1, "strategy": {"cell": {"rat": 1}}}}),
            ["masking.mixture.a.strategy.cell must have no other fields than rate", "found rat"],
        ),
        (MaskingConfig(mask_prob=2.0), ["masking.mask_prob: a rate is", "found 2.0"]),
        (MaskingConfig(attribute_probs={"color": 2.0}), ["masking.attribute_probs.color: a rate is", "found 2.0"]),
        (MaskingConfig(attribute_probs={"word": 0.5}), ["masking.attribute_probs must name object", "found word"]),
    ],
)
def test_complaints_name_the_setting(masking, parts):
    with pytest.raises(AnyOrderError) as error:
        strategy_schedule(masking)
    assert [part for part in parts if part not in str(error.value)] == [], error.value


ORDERS = """
    from __future__ import annotations
    from collections.abc import Sequence
    from dataclasses import dataclass
    from anyorder.elements.layout import Kind
    from anyorder.masking.order import reconstruct
    from anyorder.masking.schedules import Rate

    @dataclass(frozen=True)
    class Frames:
        '''The observations of these steps are targets.'''
        steps: Sequence[int]
        rate: Rate
        note: str = ""

        def __call__(self, layout, generator):
            asked = layout.of_kind(Kind.OBSERVATION)
            return reconstruct(layout, asked & sum(layout.step == step for step in self.steps).bool())

    def no_dataclass(layout, generator):
        return reconstruct(layout, layout.present)
"""
ENTRY_POINTS = """
    [anyorder.strategies]
    frames = somebodys_orders:Frames
    function = somebodys_orders:no_dataclass
    gone = somebodys_orders:Gone
"""


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """``installed(entry_points)``: a package of somebody else, as pip lays it out."""

    def install(entry_points=ENTRY_POINTS):
        (tmp_path / "somebodys_orders.py").write_text(dedent(ORDERS))
        info = tmp_path / "somebodys_orders-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: somebodys_orders\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(dedent(entry_points))
        monkeypatch.syspath_prepend(tmp_path)

    yield install
    sys.modules.pop("somebodys_orders", None)


FRAMES = "{mine: {weight: 1, strategy: {frames: {steps: [0, 2], note: whole}}}}"


def test_a_strategy_of_another_package(installed, make_batch):
    installed()
    layout = make_batch([3, 5]).layout
    masking = MaskingConfig(mixture=yaml.safe_load(FRAMES), mask_prob=0.4)
    mixture = strategy_schedule(masking)(0.0)
    (frames,) = mixture.strategies
    assert (frames.steps, frames.rate, frames.note) == ((0, 2), fixed(0.4), "whole")
    targets = mixture(layout, torch.Generator().manual_seed(0)).targets
    observed = layout.of_kind(Kind.OBSERVATION)
    assert torch.equal(targets, observed & ((layout.step == 0) | (layout.step == 2)))
    with pytest.raises(AnyOrderError, match="found frame$"):
        strategy_schedule(MaskingConfig(mixture={"frame": 1.0}))
    with pytest.raises(AnyOrderError, match="masking.mixture.function must be a dataclass"):
        strategy_schedule(MaskingConfig(mixture={"function": 1.0}))
    with pytest.raises(AnyOrderError, match="masking.mixture: the entry point of gone does not load .*Gone"):
        strategy_schedule(MaskingConfig(mixture={"gone": 1.0}))


@pytest.mark.parametrize(("name", "path"), [("cell", "masking.mixture"), ("only", "masking.mixture"), ("mixture", "masking")])
def test_a_name_that_is_taken_is_refused(installed, name, path):
    installed(f"[anyorder.strategies]\n{name} = somebodys_orders:Frames\n")
    with pytest.raises(AnyOrderError, match=f"{path}: .*somebodys_orders:Frames"):
        strategy_schedule(MaskingConfig(mixture={name: 1.0}))


def test_a_run_trains_with_a_strategy_of_another_package(installed, tmp_path):
    """From the command line to the checkpoint, whose header holds the expression as it was written."""
    installed()
    counts = ["--num_episodes", "8", "--num_validation", "2", "--num_test", "2", "--num_processes", "1"]
    main(["collect", *counts, "--output_dir", str(tmp_path / "data")])
    small = ["--model.width", "16", "--model.num_layers", "1", "--model.num_heads", "2"]
    once = ["--training.num_epochs", "1", "--training.num_processes", "1", "--training.num_threads", "1"]
    data = ["--data.path", str(tmp_path / "data"), "--output_dir", str(tmp_path / "run")]
    main(["train", *data, *small, *once, "--masking.mixture", FRAMES])
    header = checkpoint.load_checkpoint(tmp_path / "run" / "checkpoints" / "best.safetensors").header
    assert header["config"]["masking"]["mixture"] == yaml.safe_load(FRAMES)
