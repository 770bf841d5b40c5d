"""The general model keeps the law of roles and ranks, on any spec."""

from contextlib import suppress
from dataclasses import MISSING, fields, replace

import numpy as np
import pytest
import torch
from gymnasium import spaces
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from anyorder.config import ElementModelConfig
from anyorder.elements.fields import EncodedFieldData
from anyorder.elements.fitting import fit_spec
from anyorder.elements.layout import Kind
from anyorder.elements.spec import Bins
from anyorder.masking.order import Order, Role, imitate, reconstruct, sees_value
from anyorder.masking.schedules import Rate
from anyorder.masking.strategies import Cell
from anyorder.masking.strategies.base import answerable
from anyorder.masking.strategies.table import STRATEGIES
from anyorder.models.element.element_transformer import ElementTransformer
from anyorder.training.loss import Weighting
from anyorder.types import FieldTrajectory

SPACE = spaces.Dict(
    body=spaces.Box(-np.inf, np.inf, (3,)),
    goal=spaces.Box(-1, 1, (1,)),
    board=spaces.MultiDiscrete([3, 3, 3]),
    light=spaces.Discrete(2),
)
ACTIONS = spaces.Dict(move=spaces.Box(-1, 1, (2,)), grip=spaces.Discrete(2))


def episode(seed, num_actions):
    rng, frames = np.random.default_rng(seed), num_actions + 1
    observations = {
        "body": rng.normal(size=(frames, 3)).astype(np.float32),
        "goal": np.full((frames, 1), rng.normal(), np.float32),
        "board": rng.integers(0, 3, (frames, 3)),
        "light": rng.integers(0, 2, frames),
    }
    actions = {
        "action/move": rng.normal(size=(num_actions, 2)).astype(np.float32),
        "action/grip": rng.integers(0, 2, num_actions),
    }
    ends = np.arange(num_actions) == num_actions - 1
    return FieldTrajectory("Made-v0", seed, observations, actions, rng.random(num_actions), ends, ~ends & False, f"do {seed}")


@pytest.fixture(scope="module")
def batch():
    episodes = [episode(0, 3), episode(1, 2)]
    return EncodedFieldData(episodes, fit_spec(SPACE, ACTIONS, episodes)).batch([0, 1])


@pytest.fixture(scope="module", params=["bins", "normal"])
def model(request, batch):
    torch.manual_seed(0)
    sizes = ElementModelConfig(width=16, num_layers=2, num_heads=2, head=request.param)
    made = ElementTransformer(sizes, batch.layout.spec).double()
    for parameter in made.parameters():  # every path through the model carries something
        torch.nn.init.normal_(parameter, std=0.3)
    return made.eval()


def other(batch, chosen):
    """The batch with other values, and other numbers, where ``chosen``."""
    sizes = torch.tensor([len(field.values) for field in batch.layout.spec.fields])[batch.layout.attribute]
    values = torch.where(chosen, (batch.values + 1) % sizes, batch.values)
    numbers = torch.where(chosen, batch.layout.numbers + 0.7, batch.layout.numbers)
    return replace(batch, values=values, layout=replace(batch.layout, numbers=numbers))


def moved(model, batch, order, changed):
    with torch.no_grad():
        before, after = (model(one.values, one.layout, order) for one in (batch, changed))
    return ((before - after).nan_to_num().abs() > 1e-7).any(dim=1)


def random_order(layout, num_ranks, seed):
    generator = torch.Generator().manual_seed(seed)
    roles = torch.randint(4, layout.shape, generator=generator, dtype=torch.uint8)
    ranks = torch.randint(num_ranks, (len(roles), layout.num_cells), generator=generator, dtype=torch.int32)
    roles[layout.of_kind(Kind.MISSION) & (roles == Role.TARGET)] = Role.HIDDEN
    roles[:, -1] = Role.TARGET
    roles[~layout.present] = Role.DROPPED
    return Order(roles, ranks.gather(1, layout.cell))


@settings(max_examples=40, deadline=None)
@given(num_ranks=st.integers(1, 5), seed=st.integers(0, 2**30))
def test_no_order_lets_a_prediction_feel_what_it_may_not_see(batch, model, num_ranks, seed):
    order = random_order(batch.layout, num_ranks, seed)
    model.check_order(batch.layout, order)
    own = order.ranks[order.targets]
    for role in Role:
        for rank in range(num_ranks):
            changed = other(batch, (order.roles == role) & (order.ranks == rank))
            forbidden = ~sees_value(torch.tensor(role), torch.tensor(rank), own)
            assert not (moved(model, batch, order, changed) & forbidden).any(), (role, rank)


def test_all_that_is_shown_is_felt(batch, model):
    layout = batch.layout
    order = imitate(layout)
    late = order.targets & (layout.step == 2)
    asked = late[order.targets]
    for number, name in enumerate(layout.fields):
        shown = (layout.attribute == number) & (layout.step <= 1) & layout.present & (order.roles != Role.DROPPED)
        if shown[0].any():
            felt = moved(model, batch, order, other(batch, shown))
            assert felt[asked].all(), name


def test_targets_come_in_row_major_order_with_their_own_values(batch, model):
    layout = batch.layout
    order = reconstruct(layout, layout.present & (layout.step >= 0))
    logits = model(batch.values, layout, order)
    fields = [layout.spec.fields[number] for number in layout.attribute[order.targets].tolist()]
    assert [int(row.isfinite().sum()) for row in logits] == [len(field.values) for field in fields]
    alone = reconstruct(layout, (layout.attribute == layout.fields.index("action/grip")) & (layout.step == 1))
    assert model(batch.values, layout, alone).shape == (2, layout.spec.size)


def test_a_number_is_read_more_finely_than_its_bin(batch, model):
    layout = batch.layout
    order = imitate(layout)
    real = torch.tensor([isinstance(field.values, Bins) for field in layout.spec.fields])[layout.attribute]
    shown = real & (layout.step == 0) & layout.of_kind(Kind.OBSERVATION)
    nudged = replace(batch, layout=replace(layout, numbers=layout.numbers + 0.01 * shown))
    assert moved(model, batch, order, nudged).all()
    blind = replace(batch, layout=layout.without_details(shown))
    again = replace(batch, layout=replace(layout, numbers=layout.numbers + 0.01 * shown).without_details(shown))
    assert not moved(model, blind, order, again).any()


def test_a_cell_has_one_rank(batch, model):
    layout = batch.layout
    order = imitate(layout)
    ranks = order.ranks.clone()
    ranks[layout.attribute == layout.fields.index("body/0")] += 1
    with pytest.raises(ValueError, match="the fields of a cell must have one rank"):
        model.check_order(layout, Order(order.roles, ranks))


def test_padding_and_neighbours_change_nothing(batch, model):
    layout, order = batch.layout, imitate(batch.layout)
    together = model(batch.values, layout, order)
    row = torch.tensor([1])
    alone = model(batch.values[row], layout.rows(row), order.rows(row))
    assert torch.allclose(together[-len(alone) :].nan_to_num(), alone.nan_to_num(), atol=1e-9)


def test_every_parameter_learns(batch, model):
    groups = model.parameter_groups()
    assert sum(len(group.parameters) for group in groups) == len(list(model.parameters()))
    assert {parameter.ndim for parameter in groups[0].parameters} == {2}


def strategies():
    """Every strategy that needs no setting, and the others with small ones."""
    rate, cell = Rate(0.5, 0.5), Cell(Rate(0.5, 0.5))
    given = {"rate": rate, "strategy": cell, "strategies": (cell,), "weights": (1.0,), "length": 2}
    for name, cls in STRATEGIES.items():
        needed = [one.name for one in fields(cls) if one.default is MISSING and one.default_factory is MISSING]
        if set(needed) <= set(given):
            yield pytest.param(cls(**{one: given[one] for one in needed}), id=name)


@pytest.mark.parametrize("strategy", strategies())
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**30))
def test_what_is_absent_is_never_shown_asked_or_counted(model, strategy, seed):
    """Random values of random arrays are not there; whatever else stands in their place moves nothing."""
    rng = np.random.default_rng(seed)
    whole = [episode(0, 3), episode(1, 2)]

    def damaged(one, filling):
        arrays = {**one.observations, **one.actions}
        lost = {path: rng_of(path).random(array.shape) < 0.3 for path, array in arrays.items()}
        changed = {path: np.where(lost[path], filling(array), array).astype(array.dtype) for path, array in arrays.items()}
        return FieldTrajectory(
            *(one.env_id, one.seed, {path: changed[path] for path in one.observations}),
            *({path: changed[path] for path in one.actions}, one.rewards, one.terminations, one.truncations, one.mission),
            absent=lost,
        )

    def rng_of(path):
        return np.random.default_rng([seed, *map(ord, path)])

    fillings = (lambda array: array, lambda array: 1 - array)
    first, second = (
        EncodedFieldData([damaged(one, filling) for one in whole], model.spec).batch([0, 1]) for filling in fillings
    )
    layout = first.layout
    assert torch.equal(first.values, second.values) and torch.equal(layout.kind, second.layout.kind)
    assert torch.equal(layout.numbers, second.layout.numbers)
    able = answerable(strategy, layout)
    if not able.any():
        return
    batch = first.rows(able.nonzero()[:, 0])
    order = strategy(batch.layout, torch.Generator().manual_seed(int(rng.integers(2**31))))
    absent = ~batch.layout.present
    assert absent.any() and (order.roles[absent] == Role.DROPPED).all()
    assert Weighting().weigh(batch.values, batch.layout, order).total(order)[Kind.PADDING] == 0
    with suppress(ValueError):  # permutations within a cell are refused by this model, absent values or not
        model.check_order(batch.layout, order)
        values = torch.where(absent, 1, batch.values)
        numbers = torch.where(absent, 3.0, batch.layout.numbers)
        changed = replace(batch, values=values, layout=replace(batch.layout, numbers=numbers))
        assert not moved(model, batch, order, changed).any()


@pytest.mark.parametrize("head", ["bins", "normal"])
def test_every_parameter_has_a_gradient_whatever_is_asked(batch, head):
    """Processes of one run exchange gradients of all parameters, also of those that one of them does not need."""
    made = ElementTransformer(ElementModelConfig(width=16, num_layers=1, num_heads=2, head=head), batch.layout.spec)
    order = imitate(batch.layout)
    logits = made(batch.values, batch.layout, order)
    torch.nn.functional.cross_entropy(logits, batch.values[order.targets]).backward()
    assert [name for name, parameter in made.named_parameters() if parameter.grad is None] == []
    assert all(parameter.grad.isfinite().all() for parameter in made.parameters())
