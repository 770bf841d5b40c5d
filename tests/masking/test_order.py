"""Roles and ranks: the law of what may be seen, and the orders made from it."""

import pytest
import torch

from anyorder.data.layout import Kind
from anyorder.masking.order import Role, by_step, imitate, reconstruct, sees_value


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
    assert (order.roles[layout.present & ~hidden] == Role.CONTEXT).all()
    assert not order.ranks.any()


def test_imitation_by_hand(make_batch):
    """Four words, then per frame one cell (3 elements), a direction, an action; two actions and one action."""
    order = imitate(make_batch([2, 1], view=(1, 1)).layout)
    c, t, d = int(Role.CONTEXT), int(Role.TARGET), int(Role.DROPPED)
    assert order.roles.tolist() == [
        [c] * 4 + [c, c, c, c, t] + [c, c, c, c, t] + [c, c, c, c, d],
        [c] * 4 + [c, c, c, c, t] + [c, c, c, c, d] + [d] * 5,
    ]
    assert order.ranks.tolist() == [[0] * 4 + [0] * 5 + [1] * 5 + [2] * 5] * 2


def test_ranking_by_step_changes_no_role(make_batch):
    layout = make_batch([3, 2]).layout
    plain = reconstruct(layout, layout.of_kind(Kind.OBSERVATION))
    ranked = by_step(plain, layout)
    assert torch.equal(ranked.roles, plain.roles)
    episode = layout.kind != Kind.MISSION
    assert torch.equal(ranked.ranks[episode].long(), layout.step[episode])
    assert not ranked.ranks[layout.of_kind(Kind.MISSION)].any()
