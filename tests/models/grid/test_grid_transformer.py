"""The grid model answers what is asked, whatever stands beside it in the batch."""

import math

import pytest
import torch

from anyorder.config import ModelConfig
from anyorder.elements.batch import EncodedTrajectories
from anyorder.elements.grid import Attribute, Encoded, GridVocabulary, collate
from anyorder.elements.layout import Kind
from anyorder.errors import AnyOrderError
from anyorder.masking.order import Order, Role, imitate, reconstruct
from anyorder.masking.schedules import Rate
from anyorder.masking.strategies import AttributeWise, Unit
from anyorder.models.compiling import compiled as compiled_model
from anyorder.models.grid.grid_transformer import GridTransformer
from anyorder.models.grid.older_weights import completed

ORDERS = {
    "imitation": imitate,
    "actions": lambda layout: reconstruct(layout, layout.of_kind(Kind.ACTION)),
    "units": lambda layout: Unit(Rate(0.5, 0.5))(layout, torch.Generator().manual_seed(1)),
    "attributes": lambda layout: AttributeWise(Rate(0.5, 0.5))(layout, torch.Generator().manual_seed(1)),
}


@pytest.mark.parametrize("name", ORDERS)
def test_a_trajectory_is_answered_alike_alone_and_beside_longer_ones(make_trajectory, make_model, name):
    missions = ["go to the ball", "go to", "ball", "the ball"]
    trajectories = [make_trajectory(n, mission=m, seed=n) for n, m in zip([3, 9, 1, 6], missions)]
    data, model = EncodedTrajectories(trajectories, make_model().vocabulary), make_model()
    together = data.batch(range(4))
    order = ORDERS[name](together.layout)
    with torch.no_grad():
        logits = model(together.values, together.layout, order)
        for row in range(4):
            alone = data.batch([row])
            kept = together.layout.present[row]
            ours = alone.layout.present[0]
            roles, ranks = torch.zeros(alone.layout.shape, dtype=torch.uint8), torch.zeros(alone.layout.shape).int()
            roles[0, ours], ranks[0, ours] = order.roles[row, kept], order.ranks[row, kept]
            chosen = order.targets.nonzero()[:, 0] == row
            torch.testing.assert_close(model(alone.values, alone.layout, Order(roles, ranks)), logits[chosen])


def test_imitation_in_one_pass_equals_one_question_per_step(trajectories, vocabulary, encoded, make_model):
    """The policy asks with the history so far; training answers all steps at once."""
    model, batch = make_model((7, 7), vocabulary), encoded.batch([0])
    shape, length = batch.layout.grid, len(trajectories[0])
    words, frames = shape.words(batch.values)[0], shape.frames(batch.values)[0]
    with torch.no_grad():
        at_once = model(batch.values, batch.layout, imitate(batch.layout))
        for step in range(length):
            values, layout = collate([Encoded("", words, frames[: step + 1], step + 1)], 7, 7)
            torch.testing.assert_close(model(values, layout, imitate(layout))[-1], at_once[step])


def test_the_open_action_of_a_history_may_have_any_value(make_batch, make_model):
    model, batch = make_model(), make_batch([2])
    shape = batch.layout.grid
    words, frames = shape.words(batch.values)[0], shape.frames(batch.values)[0].clone()
    answers = []
    for filler in (0, 46, 52):
        frames[-1, -1] = filler
        values, layout = collate([Encoded("", words, frames, 3)], 3, 3)
        answers.append(model(values, layout, imitate(layout)))
    assert torch.equal(answers[0], answers[1]) and torch.equal(answers[0], answers[2])


@pytest.mark.parametrize("name", ORDERS)
def test_only_values_of_the_attribute_are_possible(make_batch, make_model, name):
    batch, model = make_batch([4, 2]), make_model()
    order = ORDERS[name](batch.layout)
    logits = model(batch.values, batch.layout, order)
    attribute = batch.layout.attribute[order.targets]
    assert logits.shape == (len(attribute), len(model.vocabulary))
    for wanted in attribute.unique().tolist():
        start = model.vocabulary.offsets[Attribute(wanted)]
        stop = start + model.vocabulary.sizes[Attribute(wanted)]
        chosen = logits[attribute == wanted]
        assert chosen[:, start:stop].isfinite().all()
        assert (chosen[:, :start] == -math.inf).all() and (chosen[:, stop:] == -math.inf).all()


@pytest.mark.parametrize("name", ORDERS)
def test_every_parameter_has_a_finite_gradient(make_batch, make_model, name):
    """Processes that share an update need a gradient for every parameter, even if it is zero."""
    batch, model = make_batch([4, 1]), make_model()
    order = ORDERS[name](batch.layout)
    logits = model(batch.values, batch.layout, order)
    torch.nn.functional.cross_entropy(logits, batch.values[order.targets]).backward()
    for parameter_name, parameter in model.named_parameters():
        assert parameter.grad is not None and parameter.grad.isfinite().all(), parameter_name


@pytest.mark.parametrize("view", [(5, 5), (9, 9), (1, 2)])
def test_any_size_of_view_works(make_batch, make_model, view):
    batch, model = make_batch([3, 2], view=view), make_model(view)
    for make in ORDERS.values():
        order = make(batch.layout)
        logits = model(batch.values, batch.layout, order)
        assert logits[torch.arange(len(logits)), batch.values[order.targets]].isfinite().all()


def test_a_batch_of_which_nothing_is_visible_is_answered_finitely(make_batch, make_model):
    batch, model = make_batch([3, 1]), make_model()
    order = reconstruct(batch.layout, batch.layout.of_kind(Kind.ACTION))
    for role in (Role.HIDDEN, Role.DROPPED):
        order.roles[batch.layout.present & ~order.targets] = role
        logits = model(batch.values, batch.layout, order)
        assert logits[:, batch.values[order.targets]].isfinite().all()


def test_a_trajectory_without_a_mission_is_answered(make_batch, make_model):
    batch, model = make_batch([3], mission=""), make_model(vocabulary=GridVocabulary(("<unknown>",)))
    assert model(batch.values, batch.layout, imitate(batch.layout)).isfinite().sum(dim=1).eq(7).all()


def test_bfloat16_stays_finite_and_close(make_batch, make_model):
    batch, model = make_batch([4, 2]), make_model().float()
    for make in ORDERS.values():
        order = make(batch.layout)
        exact = model(batch.values, batch.layout, order)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            rounded = model(batch.values, batch.layout, order)
        possible = exact.isfinite()
        assert torch.equal(rounded.isfinite(), possible)
        assert (rounded - exact)[possible].abs().mean().item() < 0.1


@pytest.mark.slow
def test_compiled_and_plain_agree(make_batch, make_model):
    model = make_model().float()
    compiled = compiled_model(model)
    for lengths, name in (([4, 2], "imitation"), ([3, 5, 1], "attributes")):
        batch = make_batch(lengths)
        order = ORDERS[name](batch.layout)
        expected = model(batch.values, batch.layout, order)
        torch.testing.assert_close(compiled(batch.values, batch.layout, order), expected, atol=1e-3, rtol=1e-3)


def test_parameter_groups_hold_every_parameter_once(make_model):
    model = make_model()
    groups = model.parameter_groups()
    grouped = [id(parameter) for group in groups for parameter in group.parameters]
    assert len(grouped) == len(set(grouped))
    assert set(grouped) == {id(parameter) for parameter in model.parameters()}
    assert all(parameter.ndim >= 2 for group in groups if group.decays for parameter in group.parameters)


def test_older_weights_get_a_heading_that_says_nothing_and_layers_that_guess_nothing(make_model, make_batch):
    model, batch = make_model(), make_batch([4])
    lacking = {name: tensor for name, tensor in model.state_dict().items() if "heading." not in name and ".guess." not in name}
    assert completed(lacking).keys() == model.state_dict().keys() > lacking.keys()
    whole = completed(model.state_dict())
    assert all(torch.equal(tensor, whole[name]) for name, tensor in model.state_dict().items())
    order = reconstruct(batch.layout, (batch.layout.step >= 0) & (batch.layout.step % 2 == 1))
    with torch.no_grad():
        before = model(batch.values, batch.layout, order).log_softmax(dim=-1)
        model.load_state_dict(completed(lacking))
        after = model(batch.values, batch.layout, order).log_softmax(dim=-1)
        model.heading.tables.zero_()
        for layer in model.layers:
            layer.guess.compare.weight.normal_()
        silent = model(batch.values, batch.layout, order).log_softmax(dim=-1)
    assert not torch.allclose(before, after)
    assert torch.equal(after, silent)


def test_misfits_are_refused_naming_both_sides(make_batch, make_model):
    model = make_model((3, 3))
    other = make_batch([2], view=(5, 5))
    with pytest.raises(AnyOrderError, match="must have 3x3 cells.* found 5x5"):
        model(other.values, other.layout, imitate(other.layout))
    wordy = make_batch([1], mission="go " * 65)
    with pytest.raises(AnyOrderError, match="64 words for this model; found 65"):
        model(wordy.values, wordy.layout, imitate(wordy.layout))
    with pytest.raises(ValueError, match="3 heads and width 16"):
        GridTransformer(ModelConfig(width=16, num_heads=3), model.vocabulary, (3, 3))


def test_the_mission_changes_what_is_made_of_cells(make_model, make_batch):
    """And a mission whose words are dropped is no mission at all: its words no longer matter."""
    batch, model = make_batch([4, 2]), make_model()
    layout, shape = batch.layout, batch.layout.grid
    hidden = layout.of_kind(Kind.OBSERVATION) & (layout.cell % 5 == 0)
    other = batch.values.clone()
    shape.words(other)[:] = shape.words(batch.values).flip(1)
    shown = reconstruct(layout, hidden)
    assert not torch.equal(model(batch.values, layout, shown), model(other, layout, shown))
    roles = shown.roles.clone()
    shape.words(roles)[:] = Role.DROPPED
    dropped = Order(roles, shown.ranks)
    assert torch.equal(model(batch.values, layout, dropped), model(other, layout, dropped))
