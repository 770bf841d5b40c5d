"""What each mode of a world model may see: nothing that it does not may change an answer."""

import pytest
import torch

from anyorder.elements.layout import Kind
from anyorder.evaluation.modes import Filtering, WholeTrajectory
from anyorder.masking.order import Role
from anyorder.masking.queries import HiddenCellsQuery
from anyorder.masking.schedules import Rate
from anyorder.masking.strategies import Cell, ForwardDynamics
from anyorder.seeding import stream

CELLS = Cell(Rate(0.4, 0.4))


@pytest.fixture(scope="module")
def model(make_model):
    return make_model()


@pytest.fixture(scope="module")
def batch(make_batch):
    return make_batch([6, 4, 4, 1])


def answers(model, mode, batch, values):
    """float64 ``[B, E, V]``: the logits of every element that is asked for, 0 elsewhere."""
    shape = batch.layout.shape
    found = torch.zeros(*shape, len(model.vocabulary), dtype=torch.float64)
    for part, order in mode(type(batch)(values, batch.layout), stream(0, "test")):
        logits = model(part.values, part.layout, order)
        rows = rows_of(part, batch)
        for row, logit, targets in zip(rows, logits.split(order.targets.sum(dim=1).tolist()), order.targets):
            where = torch.nn.functional.pad(targets, (0, shape[1] - len(targets)))
            assert (found[row, where] == 0).all(), "nothing is asked for twice"
            found[row, where] = logit.masked_fill(logit.isinf(), 0.0)
    return found


def rows_of(part, batch):
    """Which trajectories of the batch a part has: those with its last step, if not all."""
    if len(part.values) == len(batch.values):
        return torch.arange(len(part.values))
    lengths = batch.layout.grid.directions(batch.layout.kind == Kind.OBSERVATION).sum(dim=1)
    rows = (lengths >= part.layout.grid.num_frames).nonzero()[:, 0]
    assert len(rows) == len(part.values), "something is hidden in each of these"
    return rows


def hidden_in(batch):
    return CELLS(batch.layout, stream(0, "test")).targets


def test_filtering_asks_for_what_smoothing_hides_once_each(model, batch):
    asked = (answers(model, Filtering(CELLS), batch, batch.values) != 0).any(dim=-1)
    assert torch.equal(asked, hidden_in(batch) & batch.layout.of_kind(Kind.OBSERVATION))


@pytest.mark.parametrize("step", [0, 2, 4])
def test_filtering_never_sees_the_future(model, batch, other_values, step):
    """Neither its values, nor what of it is hidden, nor the action that follows, nor whether anything follows."""
    layout = batch.layout
    now = layout.step <= step
    later = (layout.step > step) | layout.of_kind(Kind.ACTION) & (layout.step == step)
    before, after = (
        answers(model, Filtering(CELLS), batch, values)[now] for values in (batch.values, other_values(batch, later))
    )
    assert torch.equal(before, after)
    for part, order in Filtering(CELLS)(batch, stream(0, "test")):
        seen = order.roles != Role.DROPPED
        time = part.layout.grid.num_frames - 1
        assert not (seen & part.layout.of_kind(Kind.ACTION) & (part.layout.step >= time)).any()
        assert int(part.layout.step.max()) == time


def test_filtering_never_sees_what_was_hidden_earlier(model, batch, other_values):
    hidden = hidden_in(batch)
    before, after = (answers(model, Filtering(CELLS), batch, values) for values in (batch.values, other_values(batch, hidden)))
    assert torch.equal(before, after)


def test_filtering_sees_the_present_and_the_past(model, batch, other_values):
    """What is visible now, and what was visible earlier, each moves the answers of step 3."""
    layout, hidden = batch.layout, hidden_in(batch)
    at = layout.step == 3
    before = answers(model, Filtering(CELLS), batch, batch.values)[at]
    for step, kind in ((3, Kind.OBSERVATION), (0, Kind.OBSERVATION), (2, Kind.ACTION)):
        shown = ~hidden & layout.of_kind(kind) & (layout.step == step)
        assert shown.any()
        after = answers(model, Filtering(CELLS), batch, other_values(batch, shown))[at]
        assert not torch.equal(before, after)


def test_filtering_is_smoothing_at_the_last_step(model, batch):
    filtering, smoothing = (answers(model, mode(CELLS), batch, batch.values) for mode in (Filtering, WholeTrajectory))
    layout = batch.layout
    last = torch.where(layout.of_kind(Kind.OBSERVATION), layout.step, -1).amax(dim=1, keepdim=True)
    at_last = (layout.step == last) & layout.of_kind(Kind.OBSERVATION)
    assert torch.allclose(filtering[at_last], smoothing[at_last], rtol=0, atol=1e-12)
    earlier = (layout.step < last) & hidden_in(batch) & layout.of_kind(Kind.OBSERVATION)
    assert not torch.allclose(filtering[earlier], smoothing[earlier])


def test_filtering_answers_as_the_query_for_hidden_cells(model, make_batch):
    """An independent statement of the same question, wherever no action is hidden."""
    batch = make_batch([5, 5])
    order = CELLS(batch.layout, stream(0, "test"))
    hidden = order.targets & batch.layout.of_kind(Kind.OBSERVATION)
    found = answers(model, Filtering(lambda layout, generator: HiddenCellsQuery(hidden)(layout)), batch, batch.values)
    for step in range(6):
        asked = HiddenCellsQuery(hidden, until=step)(batch.layout)
        logits = model(batch.values, batch.layout, asked)
        at = batch.layout.step[asked.targets] == step
        expected = logits[at].masked_fill(logits[at].isinf(), 0.0)
        assert torch.allclose(found[hidden & (batch.layout.step == step)], expected, rtol=0, atol=1e-12)


def test_forward_sees_the_past_alone(model, batch, other_values):
    mode, layout = WholeTrajectory(ForwardDynamics()), batch.layout
    now = layout.step == 2
    before, without_past, without_future = (
        answers(model, mode, batch, other_values(batch, changed))[now]
        for changed in (torch.zeros_like(now), layout.step == 1, layout.step >= 2)
    )
    # The future is in this pass, so sums over it may be rounded in another way.
    assert before.any() and torch.allclose(before, without_future, rtol=0, atol=1e-12)
    assert not torch.allclose(before, without_past, rtol=0, atol=1e-2)
