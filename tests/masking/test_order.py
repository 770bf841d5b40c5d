"""Roles and ranks: the law of what may be seen, and the orders made from it."""

import pytest
import torch

from anyorder.elements.layout import Kind
from anyorder.masking.order import Role, imitate, in_turn, look_ahead, own_level, reconstruct, sees_value, value_level


@pytest.mark.parametrize(
    ("role", "lower", "equal", "higher"),
    [
        (Role.CONTEXT, True, True, False),
        (Role.TARGET, True, False, False),
        (Role.HIDDEN, False, False, False),
        (Role.DROPPED, False, False, False),
    ],
)
def test_the_law_of_ranks(role, lower, equal, higher):
    seen = sees_value(torch.full((3,), role), torch.tensor([1, 2, 3]), torch.tensor(2))
    assert seen.tolist() == [lower, equal, higher]


def test_reconstruction_asks_for_what_is_hidden_and_never_for_padding(make_batch):
    layout = make_batch([2, 1], view=(1, 1)).layout
    order = reconstruct(layout, torch.ones(layout.shape, dtype=bool))
    assert torch.equal(order.targets, layout.present)
    assert (order.roles[~layout.present] == Role.DROPPED).all()
    hidden = torch.zeros(layout.shape, dtype=bool)
    hidden[0, [4, 8]] = True
    order = reconstruct(layout, hidden)
    assert torch.equal(order.targets, hidden)
    returns = layout.of_kind(Kind.RETURN)
    assert (order.roles[layout.present & ~hidden & ~returns] == Role.CONTEXT).all()
    assert (order.roles[returns & ~hidden] == Role.DROPPED).all() and not order.ranks.any()


def test_imitation_by_hand(make_batch):
    """Four words, then per frame one cell (3 elements), a direction, a return (dropped) and an action."""
    layout = make_batch([2, 1], view=(1, 1)).layout
    order = imitate(layout)
    c, t, d = int(Role.CONTEXT), int(Role.TARGET), int(Role.DROPPED)
    assert order.roles.tolist() == [
        [c] * 4 + [c, c, c, c, d, t] + [c, c, c, c, d, t] + [c, c, c, c, d, d],
        [c] * 4 + [c, c, c, c, d, t] + [c, c, c, c, d, d] + [d] * 6,
    ]
    in_turn_by_hand = [0] * 4 + [1] * 4 + [2, 3] + [4] * 4 + [5, 6] + [7] * 4
    assert order.ranks[0, layout.present[0]].tolist() == in_turn_by_hand
    assert order.ranks[1, layout.present[1]].tolist() == in_turn_by_hand[: 4 + 6 + 4]


def test_events_in_turn_by_hand(make_batch):
    layout = make_batch([2, 1], view=(1, 1)).layout
    order = in_turn(reconstruct(layout, layout.of_kind(Kind.OBSERVATION)), layout)
    expected = [0] * 4 + [1] * 4 + [2, 3] + [4] * 4 + [5, 6] + [7] * 4
    assert order.ranks[0, :-2].tolist() == expected
    assert order.ranks[1, layout.present[1]].tolist() == expected[: 4 + 6 + 4]


def test_levels_say_what_the_law_says():
    """Whoever is at the level of a value may see it; the law is checked against its words in `Order`."""
    roles = torch.arange(4, dtype=torch.uint8)[:, None, None].expand(4, 5, 5)
    ranks, own = torch.arange(5).int()[:, None].expand(4, 5, 5), torch.arange(5).int().expand(4, 5, 5)
    context, target = roles == Role.CONTEXT, roles == Role.TARGET
    in_words = (context & (ranks <= own)) | (target & (ranks < own))
    assert torch.equal(value_level(roles, ranks) <= own_level(own), in_words)
    assert torch.equal(sees_value(roles, ranks, own), in_words)


def test_looking_ahead_changes_no_role(make_batch):
    layout = make_batch([3, 2]).layout
    plain = reconstruct(layout, layout.of_kind(Kind.OBSERVATION))
    ranked = look_ahead(plain, layout)
    assert torch.equal(ranked.roles, plain.roles)
    observations, actions = layout.of_kind(Kind.OBSERVATION), layout.of_kind(Kind.ACTION)
    assert torch.equal(ranked.ranks[observations].long(), 2 * layout.step[observations])
    assert torch.equal(ranked.ranks[actions].long(), 2 * layout.step[actions] + 3)
    assert not ranked.ranks[layout.of_kind(Kind.MISSION)].any()
