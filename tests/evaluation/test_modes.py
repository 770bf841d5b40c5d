"""What each mode of a world model may see: nothing that it does not may change an answer."""

from dataclasses import replace

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
    for part, order, _ in mode(numbered(batch, values), stream(0, "test")):
        logits = model(part.values, part.layout, order)
        for number, logit, targets in zip(rows_of(part), logits.split(order.targets.sum(dim=1).tolist()), order.targets):
            where = torch.nn.functional.pad(targets, (0, shape[1] - len(targets)))
            assert (found[number, where] == 0).all(), "nothing is asked for twice"
            found[number, where] = logit.masked_fill(logit.isinf(), 0.0)
    return found


def numbered(batch, values):
    """The batch with other values, and with the number of its row in the place of each mission's text."""
    return replace(batch, values=values, layout=replace(batch.layout, missions=tuple(map(str, range(len(values))))))


def rows_of(part):
    """Which row of the `numbered` batch each row of a pass is."""
    return list(map(int, part.layout.missions))


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
    for part, order, _ in Filtering(CELLS)(batch, stream(0, "test")):
        seen = order.roles != Role.DROPPED
        time = torch.where(order.targets, part.layout.step, -1).amax(dim=1, keepdim=True)
        assert not (seen & part.layout.of_kind(Kind.ACTION) & (part.layout.step >= time)).any()
        assert not (seen & (part.layout.step > time)).any()


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


def test_questions_that_share_a_pass_are_answered_as_alone(model, make_batch):
    """With no answer moved by more than rounding, and in fewer passes than there are times."""
    batch = make_batch([40, 25, 3])
    together, num_passes = answers(model, Filtering(CELLS), batch, batch.values), 0
    for part, order, _ in Filtering(CELLS)(numbered(batch, batch.values), stream(0, "test")):
        num_passes += 1
        for row, number in enumerate(rows_of(part)):
            here = torch.tensor([row])
            logits = model(part.rows(here).values, part.rows(here).layout, order.rows(here))
            found = together[number, : order.targets.shape[1]][order.targets[row]]
            assert torch.allclose(found, logits.masked_fill(logits.isinf(), 0.0), rtol=0, atol=1e-12)
    assert num_passes < 41


def test_a_long_episode_is_asked_at_some_of_its_times(make_batch):
    """As many as cost the frames that were granted, each as often as the others; a short one is asked at all of them."""
    batch, counts, draws, mode = make_batch([59, 6]), torch.zeros(2, 60), 300, Filtering(Cell(Rate(1.0, 1.0)), most_frames=200)
    for seed in range(draws):
        times = torch.zeros(2, 60)
        for part, order, _ in mode(numbered(batch, batch.values), stream(seed, "test")):
            for number, step, targets in zip(rows_of(part), part.layout.step, order.targets):
                (time,) = step[targets].unique()
                times[number, time] += 1
        counts += times
        assert times.max() == 1
        assert times[0].sum() in (6, 7)  # 200 of 60 * 61 / 2 frames are 6.6 times of 60
    assert (counts[1, :7] == draws).all() and not counts[1, 7:].any()
    expected = draws * 200 * 2 / 61 / 60
    assert (counts[0] - expected).abs().max() < 5 * expected**0.5


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
