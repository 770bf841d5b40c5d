"""Answers for grid squares: together, and nothing that no cell can hold."""

from itertools import product

import pytest
import torch

from anyorder.elements.contents import contents_of, minigrids_contents
from anyorder.elements.grid import Attribute, GridVocabulary
from anyorder.envs.minigrid import COLORS, OBJECTS
from anyorder.inference.decoding import AlongRanks, ByConfidence, SinglePass, ask, decide_all
from anyorder.masking.order import Order, Role, reconstruct
from anyorder.masking.schedules import Rate
from anyorder.masking.strategies import AttributeWise, Cell, NextStep
from anyorder.seeding import stream


def starts(vocabulary):
    return torch.tensor([vocabulary.offsets[a] for a in (Attribute.OBJECT, Attribute.COLOR, Attribute.STATE)])


def contents(vocabulary, shape, values):
    """The (object, color, state) of every cell, as a list."""
    return list(map(tuple, (shape.cells(values) - starts(vocabulary)).flatten(0, -2).tolist()))


@pytest.fixture(scope="module")
def model(make_model, vocabulary):
    return make_model((7, 7), vocabulary)


@pytest.fixture(scope="module")
def batch(encoded):
    return encoded.batch(range(len(encoded)))


def test_no_impossible_cell_among_ten_thousand_answers(model, batch, vocabulary):
    """Of a model that knows nothing, whatever the decoder; also where only some attributes of a cell were hidden."""
    apart, number, shape = 0, 0, batch.layout.grid
    orders = [strategy(batch.layout, stream(0, "test")) for strategy in (Cell(Rate(0.9, 0.9)), AttributeWise(Rate(0.7, 0.7)))]
    plan = [(SinglePass(temperature), order) for temperature in (0.0, 0.7, 1.5) for order in orders]
    plan += [(SinglePass(1.0, 0.9), orders[0]), (ByConfidence(3), orders[1]), (AlongRanks(1.0), NextStep()(batch.layout, None))]
    for seed, (decoder, order) in enumerate(plan):
        answer = decoder(model, batch, order, stream(seed, "test"))
        asked = shape.cells(order.targets).any(dim=-1)
        found = (shape.cells(answer.values) - starts(vocabulary))[asked].tolist()
        assert set(map(tuple, found)) <= set(vocabulary.contents)
        number += len(found)
        if answer.logits is not None:
            alone = batch.values.masked_scatter(order.targets, answer.logits.argmax(dim=-1))
            cells = (shape.cells(alone) - starts(vocabulary))[asked].tolist()
            apart += len(set(map(tuple, cells)) - set(vocabulary.contents))
    assert number > 10_000 and apart, "answered apart, its attributes do not fit"


def test_the_most_probable_content_of_all_that_there_are(model, batch, vocabulary):
    order = Cell(Rate(0.5, 0.5))(batch.layout, stream(1, "test"))
    logits = ask(model, batch, order)
    chosen, sure = decide_all(model, batch, order, logits)
    shape, likely = batch.layout.grid, torch.zeros(*batch.values.shape, logits.shape[1], dtype=logits.dtype)
    likely[order.targets] = logits.log_softmax(dim=-1)
    values = batch.values.masked_scatter(order.targets, chosen)
    chances = torch.ones(batch.values.shape).masked_scatter(order.targets, sure)
    first, step, cell = (part[0] for part in shape.cells(order.targets).all(dim=-1).nonzero(as_tuple=True))
    element = shape.num_words + int(step) * shape.per_frame + 3 * int(cell)
    scores = {
        content: sum(float(likely[first, element + a, start + content[a]]) for a, start in enumerate(starts(vocabulary)))
        for content in vocabulary.contents
    }
    best = max(scores, key=scores.__getitem__)
    assert (values[first, element : element + 3] - starts(vocabulary)).tolist() == list(best)
    total = torch.tensor(list(scores.values())).logsumexp(dim=0)
    expected = torch.exp(torch.tensor(scores[best]) - total)
    assert float(chances[first, element : element + 3].prod()) == pytest.approx(float(expected), rel=1e-4)


def test_an_attribute_fits_those_that_are_visible(model, batch, vocabulary):
    """Of a cell whose object and state are visible only the color is asked: a wall is grey, whatever the model says."""
    shape, hidden = batch.layout.grid, torch.zeros_like(batch.layout.present)
    shape.cells(hidden)[..., 1] = True
    order = reconstruct(batch.layout, hidden)
    answer = SinglePass()(model, batch, order, stream(0, "test"))
    truth, found = (contents(vocabulary, shape, values) for values in (batch.values, answer.values))
    present = shape.cells(batch.layout.present).all(dim=-1).flatten().tolist()
    walls = [cell for cell, true, there in zip(found, truth, present) if there and OBJECTS[true[0]] == "wall"]
    assert len(walls) > 100 and set(walls) == {(OBJECTS.index("wall"), COLORS.index("grey"), 0)}
    at_walls = shape.cells(answer.probability)[shape.cells(batch.values)[..., 0] == OBJECTS.index("wall")]
    assert torch.allclose(at_walls, torch.ones(()), atol=1e-5)


def test_visible_attributes_that_no_content_has_leave_the_rest_to_itself(model, batch, vocabulary):
    """As where a corruption flipped them: the color of an open wall is answered as the model says."""
    shape, hidden = batch.layout.grid, torch.zeros_like(batch.layout.present)
    shape.cells(hidden)[..., 1] = True
    values = batch.values.clone()
    shape.cells(values)[..., 0], shape.cells(values)[..., 2] = OBJECTS.index("wall"), vocabulary.offsets[Attribute.STATE] + 2
    changed, order = type(batch)(values, batch.layout), reconstruct(batch.layout, hidden)
    logits = ask(model, changed, order)
    assert torch.equal(decide_all(model, changed, order, logits)[0], logits.argmax(dim=-1))


def test_without_contents_everything_is_chosen_apart(make_model, batch, vocabulary):
    free = make_model((7, 7), GridVocabulary(vocabulary.words))
    order = Cell(Rate(0.5, 0.5))(batch.layout, stream(1, "test"))
    logits = ask(free, batch, order)
    assert torch.equal(decide_all(free, batch, order, logits)[0], logits.argmax(dim=-1))


def test_hidden_attributes_that_are_not_asked_may_be_anything(model, batch, vocabulary):
    shape, roles = batch.layout.grid, torch.full_like(batch.values, Role.CONTEXT, dtype=torch.uint8)
    shape.cells(roles)[:], shape.cells(roles)[..., 0] = Role.HIDDEN, Role.TARGET
    order = Order(roles.masked_fill(~batch.layout.present, Role.DROPPED), torch.zeros_like(batch.values, dtype=torch.int32))
    logits = ask(model, batch, order)
    chosen, _ = decide_all(model, batch, order, logits)
    assert set(chosen.tolist()) <= {content[0] for content in vocabulary.contents} and torch.equal(
        chosen, logits.argmax(dim=-1)
    )


def test_contents_are_minigrids_and_those_that_occur(trajectories, make_trajectory):
    usual = minigrids_contents()
    assert contents_of(trajectories) == usual, "GoToRedBall shows nothing else"
    assert {tuple(cell) for cell in trajectories[0].observations.reshape(-1, 3).tolist()} <= set(usual)
    kinds = [OBJECTS[kind] for kind, *_ in usual]
    assert {name: kinds.count(name) for name in ("unseen", "empty", "wall", "door", "ball", "goal")} == {
        "unseen": 1,
        "empty": 1,
        "wall": 1,
        "door": 18,
        "ball": 6,
        "goal": 1,
    }
    odd = make_trajectory(200, view=(7, 7))
    assert set(contents_of([odd])) == {*usual, *map(tuple, odd.observations.reshape(-1, 3).tolist())}
    assert set(contents_of([odd])) == set(product(range(11), range(6), range(4)))
