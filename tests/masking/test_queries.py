"""What each query shows and asks, and that it is the question that was trained."""

import pytest
import torch

from anyorder.acting.policy import ModelPolicy
from anyorder.elements.grid import Attribute
from anyorder.elements.layout import Kind
from anyorder.envs.minigrid import View
from anyorder.masking import strategies
from anyorder.masking.order import Order, Role, own_level, reconstruct, value_level
from anyorder.masking.queries import (
    BackwardDynamicsQuery,
    ForwardDynamicsQuery,
    FutureQuery,
    GoalConditionedActionQuery,
    HiddenCellsQuery,
    InfillQuery,
    InverseDynamicsQuery,
    NextActionQuery,
    RandomHiddenCellsQuery,
    RolesQuery,
    WaypointsQuery,
    know,
)

LETTERS = {Role.DROPPED: ".", Role.CONTEXT: "c", Role.HIDDEN: "h", Role.TARGET: "?"}


@pytest.fixture(scope="module")
def batch(make_batch):
    """Trajectories of 4 and 3 actions."""
    return make_batch([4, 3])


@pytest.fixture(scope="module")
def model(make_model):
    return make_model()


def written(order, layout):
    """Per trajectory the mission's role, then each step's of observation and action; a unit has one role."""
    lines = []
    for row in range(layout.shape[0]):
        units = [layout.of_kind(Kind.MISSION)[row]]
        for step in range(5):
            now = layout.step[row] == step
            units += [(layout.kind[row] == kind) & now for kind in (Kind.OBSERVATION, Kind.ACTION)]
        letters = [{LETTERS[role] for role in order.roles[row][unit].tolist()} or {"."} for unit in units]
        assert all(len(letter) == 1 for letter in letters)
        text = "".join(letter for found in letters for letter in found)
        lines.append(" ".join([text[0], *(text[i : i + 2] for i in range(1, 11, 2))]))
    return lines


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (NextActionQuery(1), "c cc c? .. .. .."),
        (NextActionQuery(0), "c c? .. .. .. .."),
        (ForwardDynamicsQuery(1), "c cc cc ?. .. .."),
        (InverseDynamicsQuery(1), "c cc c? c. .. .."),
        (GoalConditionedActionQuery(1, 3), ". cc c? .. c. .."),
        (GoalConditionedActionQuery(0, 3, mission=True), "c c? .. .. c. .."),
        (WaypointsQuery(0, (1, 3)), ". c? c. .. c. .."),
        (FutureQuery(1, horizon=2), "c cc c? ?? ?. .."),
        (FutureQuery(1, horizon=2, autoregressive=True), "c cc c? ?? ?. .."),
    ],
)
def test_what_is_visible_and_what_is_asked(batch, query, expected):
    assert written(query(batch.layout), batch.layout) == [expected, expected]


@pytest.mark.parametrize(
    ("query", "first", "second"),
    [
        (BackwardDynamicsQuery(1), "c .. ?c cc cc c.", "c .. ?c cc c. .."),
        (InfillQuery(1, 3), "c cc ?? ?? cc c.", "c cc ?? ?? c. .."),
        (InfillQuery(2, 4), "c cc cc ?? ?? c.", "c cc cc ?? ?. .."),
        (FutureQuery(2), "c cc cc c? ?? ?.", "c cc cc c? ?. .."),
        (NextActionQuery(torch.tensor([3, 0])), "c cc cc cc c? ..", "c c? .. .. .. .."),
    ],
)
def test_what_depends_on_the_length(batch, query, first, second):
    assert written(query(batch.layout), batch.layout) == [first, second]


def test_the_next_action_has_the_logits_of_the_policy(model, make_trajectory, make_batch):
    batch, steps = make_batch([4, 3, 6]), [2, 0, 5]
    policy, histories = ModelPolicy(model), []
    for row, (length, step) in enumerate(zip([4, 3, 6], steps)):
        trajectory = make_trajectory(length, seed=row)
        histories.append(policy.start(trajectory.mission))
        for t in range(step + 1):
            if t:
                histories[-1].act(trajectory.actions[t - 1])
            histories[-1].observe(View(trajectory.observations[t], int(trajectory.directions[t]), trajectory.mission))
    order = NextActionQuery(torch.tensor(steps))(batch.layout)
    first = model.vocabulary.offsets[Attribute.ACTION]
    with torch.no_grad():
        logits = model(batch.values, batch.layout, order)[:, first : first + 7]
    torch.testing.assert_close(logits, policy.logits(histories).to(logits.dtype))


ALL_ON_THE_WAY = torch.tensor([4, 3])


@pytest.mark.parametrize(
    ("query", "strategy"),
    [
        (NextActionQuery(1), strategies.NextAction()),
        (NextActionQuery(2), strategies.NextAction()),
        (ForwardDynamicsQuery(0), strategies.ForwardDynamics()),
        (ForwardDynamicsQuery(2), strategies.ForwardDynamics()),
        (InverseDynamicsQuery(1), strategies.InverseDynamics()),
        (InverseDynamicsQuery(2), strategies.InverseDynamics()),
        (BackwardDynamicsQuery(0), strategies.BackwardDynamics()),
        (BackwardDynamicsQuery(2), strategies.BackwardDynamics()),
        (GoalConditionedActionQuery(1, ALL_ON_THE_WAY), strategies.GoalConditioned()),
        (GoalConditionedActionQuery(2, ALL_ON_THE_WAY, mission=True), strategies.GoalConditioned(mission=True)),
        (WaypointsQuery(0, (1, 2, 3, ALL_ON_THE_WAY)), strategies.Waypoint(num_waypoints=9)),
        (FutureQuery(2, 1, autoregressive=True), strategies.NextStep()),
    ],
)
def test_the_question_is_the_one_that_was_trained(model, batch, query, strategy):
    asked, trained = query(batch.layout), strategy(batch.layout, torch.Generator())
    with torch.no_grad():
        found = model(batch.values, batch.layout, asked)
        expected = model(batch.values, batch.layout, trained)[asked.targets[trained.targets]]
    torch.testing.assert_close(found, expected)


def test_the_training_question_would_notice_a_wrong_rank(model, batch):
    # If the tests above compared answers that do not depend on what is seen, this would be equal too.
    asked = ForwardDynamicsQuery(1)(batch.layout)
    flat = Order(asked.roles, torch.zeros_like(asked.ranks))
    with torch.no_grad():
        assert not torch.allclose(model(batch.values, batch.layout, asked), model(batch.values, batch.layout, flat))


def test_nothing_dropped_is_read(model, batch, other_values):
    for query in (
        NextActionQuery(1),
        ForwardDynamicsQuery(1),
        InverseDynamicsQuery(1),
        BackwardDynamicsQuery(1),
        FutureQuery(0, 2),
    ):
        order = query(batch.layout)
        changed = other_values(batch, (order.roles == Role.DROPPED) | order.targets)
        assert not torch.equal(changed, batch.values)
        with torch.no_grad():
            torch.testing.assert_close(model(changed, batch.layout, order), model(batch.values, batch.layout, order))


def test_known_targets_are_seen_by_those_who_saw_them(batch):
    """Against the law of levels itself, for every pair of elements of random orders."""
    generator = torch.Generator().manual_seed(0)
    roles = torch.randint(4, batch.layout.shape, generator=generator).to(torch.uint8)
    before = Order(roles, torch.randint(5, roles.shape, generator=generator).to(torch.int32))
    known = torch.rand(roles.shape, generator=generator) < 0.5
    after = know(before, known)
    assert torch.equal(after.targets, before.targets & ~known)

    def sees(order, looking):
        return value_level(order.roles, order.ranks)[:, None, :] <= looking[:, :, None]

    # A known target looks from where its value stood; everything else from its own level.
    looking = torch.where(known & before.targets, value_level(before.roles, before.ranks), own_level(before.ranks))
    assert torch.equal(sees(after, own_level(after.ranks)), sees(before, looking))


def test_hidden_cells_are_asked_from_all_the_rest(batch):
    hidden = batch.layout.of_kind(Kind.OBSERVATION) & (batch.layout.cell % 5 == 0)
    order = HiddenCellsQuery(hidden)(batch.layout)
    expected = reconstruct(batch.layout, hidden)
    assert torch.equal(order.roles, expected.roles) and torch.equal(order.ranks, expected.ranks)


def test_hidden_cells_until_a_step_know_nothing_later(batch):
    layout = batch.layout
    hidden = layout.of_kind(Kind.OBSERVATION) & (layout.cell % 5 == 0)
    order = HiddenCellsQuery(hidden, until=2)(layout)
    assert torch.equal(order.targets, hidden & (layout.step <= 2))
    later = (layout.step > 2) | layout.of_kind(Kind.ACTION) & (layout.step == 2)
    assert bool((order.roles[later] == Role.DROPPED).all())
    earlier = layout.of_kind(Kind.ACTION) & (layout.step < 2) | layout.of_kind(Kind.OBSERVATION) & (layout.step <= 2)
    assert bool((order.roles[earlier & ~hidden & layout.present] == Role.CONTEXT).all())
    assert len(order.ranks[order.roles != Role.DROPPED].unique()) == 1


def test_random_cells_are_whole_at_the_rate_and_repeatable(make_batch):
    batch = make_batch([40] * 10, view=(7, 7))
    layout = batch.layout
    order = RandomHiddenCellsQuery(0.3, seed=1)(layout)
    assert torch.equal(order.roles, RandomHiddenCellsQuery(0.3, seed=1)(layout).roles)
    assert not torch.equal(order.roles, RandomHiddenCellsQuery(0.3, seed=2)(layout).roles)
    cells = layout.grid.cells(order.targets)
    assert torch.equal(cells.any(dim=-1), cells.all(dim=-1))
    assert abs(cells[..., 0].float().mean() - 0.3) < 4 * (0.3 * 0.7 / cells[..., 0].numel()) ** 0.5


def test_any_roles_of_a_user(batch):
    roles = FutureQuery(1)(batch.layout).roles
    order = RolesQuery(roles.long())(batch.layout)
    assert torch.equal(order.roles, roles) and order.roles.dtype == torch.uint8
    assert order.ranks.dtype == torch.int32 and not order.ranks.any()
    ranks = batch.layout.step.clamp(min=0)
    assert torch.equal(RolesQuery(roles, ranks)(batch.layout).ranks, ranks.to(torch.int32))


@pytest.mark.parametrize(
    ("query", "said"),
    [
        (NextActionQuery(3), "step must be between 0 and 2 in trajectory 1 of the batch; found 3"),
        (NextActionQuery(-1), "step must be between 0 and 3 in trajectory 0"),
        (ForwardDynamicsQuery(4), "between 0 and 3 in trajectory 0"),
        (InverseDynamicsQuery(3), "between 0 and 2 in trajectory 1"),
        (BackwardDynamicsQuery(3), "between 0 and 2 in trajectory 1"),
        (GoalConditionedActionQuery(1, 1), "between 2 and 4 in trajectory 0 of the batch; found 1"),
        (GoalConditionedActionQuery(1, 4), "between 2 and 3 in trajectory 1 of the batch; found 4"),
        (WaypointsQuery(0, ()), "at least one waypoint"),
        (InfillQuery(5, 6), "start must be between 0 and 4"),
        (InfillQuery(2, 2), "stop must be between 3 and 5"),
        (InfillQuery(0, 5), "stop must be between 1 and 4 in trajectory 1"),
        (FutureQuery(1, 0), "horizon must be between 1 and 3"),
        (FutureQuery(1, 3), "horizon must be between 1 and 2 in trajectory 1"),
        (RandomHiddenCellsQuery(1.5), "rate must be above 0 and at most 1; found 1.5"),
        (RandomHiddenCellsQuery(1e-9), "nothing is asked"),
        (HiddenCellsQuery(torch.zeros(2, 3, dtype=torch.bool)), r"hidden must be bool \[2, \d+\]; found"),
        (RolesQuery(torch.zeros(2, 3)), "roles must be integers"),
    ],
)
def test_what_is_impossible_is_said(batch, query, said):
    with pytest.raises(ValueError, match=said):
        query(batch.layout)


def test_wrong_roles_are_said(batch):
    roles = FutureQuery(1)(batch.layout).roles.long()
    for change, said in (
        (roles.masked_fill(~batch.layout.present, int(Role.CONTEXT)), "padding must be DROPPED"),
        (roles.masked_fill(roles == Role.TARGET, 7), "between 0 and 3; found 0 to 7"),
        (roles.masked_fill(roles == Role.TARGET, int(Role.HIDDEN)), "at least one element"),
    ):
        with pytest.raises(ValueError, match=said):
            RolesQuery(change)(batch.layout)
    with pytest.raises(ValueError, match="elements of observations only"):
        HiddenCellsQuery(batch.layout.of_kind(Kind.ACTION))(batch.layout)
