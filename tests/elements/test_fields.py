"""Any environment as elements: spaces become fields, and a row says where each value belongs."""

import json
from dataclasses import asdict

import numpy as np
import pytest
import torch
from gymnasium import spaces

from anyorder.config import SpecConfig
from anyorder.data.damage import Damage
from anyorder.elements.fields import EncodedFieldData, collate_fields, cut_fields, encode_fields
from anyorder.elements.fitting import fit_spec
from anyorder.elements.layout import Kind
from anyorder.elements.spec import Bins, Spec
from anyorder.errors import AnyOrderError
from anyorder.masking.order import Role, imitate
from anyorder.masking.schedules import Rate
from anyorder.masking.strategies import AttributeWise, Cell
from anyorder.restoring import restored
from anyorder.types import FieldTrajectory

SPACE = spaces.Dict(
    body=spaces.Box(-np.inf, np.inf, (4,)),
    goal=spaces.Box(-1, 1, (2,)),
    copy=spaces.Box(-np.inf, np.inf, (2,)),
    before=spaces.Box(-np.inf, np.inf, (2,)),
    still=spaces.Discrete(3),
    board=spaces.Box(0, 255, (3, 3, 2), np.uint8),
    cards=spaces.MultiDiscrete([13, 4]),
)
ACTIONS = spaces.Box(-1, 1, (2,))


def episode(seed, num_actions=6):
    rng = np.random.default_rng(seed)
    body = rng.normal(size=(num_actions + 1, 4)).astype(np.float32)
    observations = {
        "body": body,
        "goal": np.repeat(rng.normal(size=(1, 2)), num_actions + 1, axis=0).astype(np.float32),
        "copy": body[:, :2].copy(),
        "before": np.concatenate([body[:1, 2:], body[:-1, 2:]]),
        "still": np.ones(num_actions + 1, np.int64),
        "board": rng.integers(3, 6, (num_actions + 1, 3, 3, 2)).astype(np.uint8),
        "cards": np.stack([rng.integers(0, 13, num_actions + 1), rng.integers(0, 4, num_actions + 1)], axis=1),
    }
    actions = {"action": rng.normal(size=(num_actions, 2)).astype(np.float32)}
    ends = np.arange(num_actions) == num_actions - 1
    return FieldTrajectory("Made-v0", seed, observations, actions, rng.random(num_actions), ends, ~ends & False)


@pytest.fixture(scope="module")
def episodes():
    return [episode(seed, 4 + seed) for seed in range(4)]


@pytest.fixture(scope="module")
def spec(episodes):
    return fit_spec(SPACE, ACTIONS, episodes)


def test_fields_follow_from_spaces_and_data(spec):
    assert spec.names == (
        *("goal/0", "goal/1", "body/0", "body/1", "body/2", "body/3"),
        *("board/0", "board/1", "cards/0", "cards/1", "return", "action/0", "action/1"),
    )
    assert [(group[0].group, group[0].num_cells, len(group)) for group in spec.groups][2] == ("board", 9, 2)
    assert spec.of_kind("mission")[0].group == "goal/fixed"
    assert spec.left_out == {
        "copy/0": "it equals body/0",
        "copy/1": "it equals body/1",
        "before/0": "it repeats body/2 of the step before",
        "before/1": "it repeats body/3 of the step before",
        "still": "it never changes",
    }


def test_a_spec_is_read_as_it_was_written(spec):
    assert restored(Spec, json.loads(json.dumps(asdict(spec)))) == spec


def test_settings_change_what_data_say(episodes):
    config = SpecConfig(
        bins={"body": 8},
        leave_out=["cards", "return"],
        groups={"hand": ["body/2", "body/3"]},
        names={"board/0": "board/kind"},
        categories={"board/0": ["a", "b", "c"]},
        keep=["still"],
    )
    spec = fit_spec(SPACE, ACTIONS, episodes, config)
    fields = {one.name: one for one in spec.fields}
    assert len(fields["body/0"].values) == 8 and fields["body/3"].group == "hand" and "still" in fields
    assert fields["board/kind"].values.names == ("a", "b", "c")
    assert spec.left_out["cards"] == spec.left_out["return"] == "as asked for"
    with pytest.raises(AnyOrderError, match="groups must name fields .*found 'leg'"):
        fit_spec(SPACE, ACTIONS, episodes, SpecConfig(groups={"hand": ["leg"]}))
    for wrong in (SpecConfig(leave_out=["leg"]), SpecConfig(keep=["leg"]), SpecConfig(bins={"leg": 3})):
        with pytest.raises(AnyOrderError, match="must name fields, groups or paths .*found 'leg'"):
            fit_spec(SPACE, ACTIONS, episodes, wrong)


def test_pictures_are_refused(episodes):
    camera = spaces.Dict({**SPACE.spaces, "camera": spaces.Box(0, 255, (84, 84, 3), np.uint8)})
    seen = [
        FieldTrajectory(
            *("Made-v0", 0, {**one.observations, "camera": np.zeros((len(one) + 1, 84, 84, 3), np.uint8)}, one.actions),
            *(one.rewards, one.terminations, one.truncations),
        )
        for one in episodes
    ]
    with pytest.raises(AnyOrderError, match="camera must have at most 1,024 entries; found 84x84x3.*leave it out"):
        fit_spec(camera, ACTIONS, seen)
    assert "camera" in fit_spec(camera, ACTIONS, seen, SpecConfig(leave_out=["camera"])).left_out


def test_bins_are_open_and_scaled():
    bins = Bins(0.0, 1.0, 4, 0.5, 0.25)
    found = bins.numbers(np.array([-5.0, 0.0, 0.26, 0.99, 7.0, np.nan, np.inf]))
    assert found.tolist() == [0, 0, 1, 3, 3, -1, 3]
    assert bins.recorded(np.array([0, 3])).tolist() == [0.0, 1.0]
    assert bins.scaled(np.array([0.5, 0.75, np.nan])).tolist() == [0.0, 1.0, 0.0]


def test_a_row_reads_back(spec, episodes):
    encoded = [encode_fields(one, spec) for one in episodes]
    batch = collate_fields(encoded, spec)
    layout = batch.layout
    row, longest = 3, episodes[3]
    frames = layout.frame_shape.frames(batch.values)[row]
    numbers = [number for number, one in enumerate(spec.fields) if one.kind != "mission"]
    kinds = layout.frame_shape.frames(layout.kind)
    assert kinds[0, len(episodes[0]), -1] == Kind.PADDING and kinds[0, len(episodes[0]), 0] == Kind.OBSERVATION
    columns = layout.frame_shape.frames(layout.attribute)[row, 0]
    assert sorted(set(columns.tolist())) == numbers
    board = frames[:, columns == spec.names.index("board/1")]
    assert (board.numpy() + 3 == longest.observations["board"][..., 1].reshape(len(longest) + 1, 9)).all()
    scaled = layout.frame_shape.frames(layout.numbers)[row][:, columns == spec.names.index("body/2")][:, 0]
    values = spec.fields[spec.names.index("body/2")].values
    assert torch.allclose(scaled * values.deviation + values.mean, torch.tensor(longest.observations["body"][:, 2]), atol=1e-5)
    cells = layout.frame_shape.frames(layout.cell)[row, 1]
    assert len(set(cells.tolist())) == 1 + 9 + 1 + 1 + 1  # body, board, cards, return, action
    assert int(layout.cell.max()) < layout.num_cells and int(layout.unit.max()) < layout.num_units
    assert layout.frame_shape.head(layout.kind).eq(Kind.MISSION).all()


def test_what_was_not_recorded_is_nowhere(spec, episodes):
    whole = episodes[2]
    body = whole.observations["body"].copy()
    body[3, 1] = np.nan
    lost = {"board": np.zeros_like(whole.observations["board"], bool)}
    lost["board"][1] = True
    observations = {**whole.observations, "body": body}
    ends = (whole.rewards, whole.terminations, whole.truncations)
    damaged = FieldTrajectory("Made-v0", 2, observations, {}, *ends, absent=lost)
    batch = collate_fields([encode_fields(damaged, spec)], spec)
    layout = batch.layout
    present = layout.frame_shape.frames(layout.present)[0]
    columns = layout.frame_shape.frames(layout.attribute)[0, 0]
    assert not layout.of_kind(Kind.ACTION).any()
    assert not present[3, columns == spec.names.index("body/1")].any() and present[3].any()
    assert not present[1, columns == spec.names.index("board/0")].any()
    order = AttributeWise(Rate(0.9, 0.9), {"board": Rate(1.0, 1.0)})(layout, torch.Generator().manual_seed(0))
    assert (order.roles[~layout.present] == Role.DROPPED).all()
    assert order.targets.any() and not (order.targets & ~layout.present).any()


def test_parts_share_a_frame(spec, episodes):
    encoded = encode_fields(episodes[3], spec)
    parts = cut_fields(encoded, 3)
    assert [len(part.frames) for part in parts] == [3, 3, 3, 2] and sum(part.num_actions for part in parts) == 7
    assert torch.equal(parts[0].frames[-1], parts[1].frames[0])


def test_strategies_read_any_spec(spec, episodes):
    data = EncodedFieldData(episodes, spec)
    layout = data.batch(range(4)).layout
    order = imitate(layout)
    assert (order.targets == layout.of_kind(Kind.ACTION)).all()
    hidden = Cell(Rate(0.5, 0.5))(layout, torch.Generator().manual_seed(0)).targets
    together = torch.zeros(4, layout.num_cells).scatter_reduce(
        1, layout.cell, hidden.float(), reduce="mean", include_self=False
    )
    assert set(together[together > 0].tolist()) == {1.0}


def test_a_goal_stays_a_goal_where_a_part_of_it_is_lost(episodes, spec):
    """And what never changes stays left out."""
    damaged = [Damage(cells=0.3)(one) for one in episodes]
    found = fit_spec(SPACE, ACTIONS, damaged)
    assert {one.name for one in found.of_kind("mission")} == {one.name for one in spec.of_kind("mission")} != set()
    assert "still" in found.left_out
