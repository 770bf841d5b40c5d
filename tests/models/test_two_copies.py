"""Any order becomes the attention that the law of ranks asks for, and block diffusion's own where it is one."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from toy_text import ROWS, random_order, text_layout, units_of

from anyorder.masking.order import Order, Role, in_turn, reconstruct, sees_value
from anyorder.models.two_copies import two_copies

C, T, H, D = Role.CONTEXT, Role.TARGET, Role.HIDDEN, Role.DROPPED


def one_row(roles, ranks):
    """Positions and order of one trajectory of one-token units."""
    layout = text_layout([units_of(*[1] * len(roles))])
    return layout.positions, Order(torch.tensor([roles], dtype=torch.uint8), torch.tensor([ranks], dtype=torch.int32))


def test_by_hand():
    """A context, a target that is seen later, one that is dropped, a hidden one beside that target (it has read the
    target's mask token, so it is read anew), and the last target."""
    forms = two_copies(*one_row([C, T, D, H, T], [0, 1, 0, 1, 2]))
    assert forms.element.tolist() == [[0, 1, 2, 3, 4, 1, 3]]
    assert forms.positions.tolist() == [[0, 1, 2, 3, 4, 1, 3]]
    assert forms.shows_value.tolist() == [[True, False, False, False, False, True, False]]
    assert forms.asked.tolist() == [[False, True, False, False, True, False, False]]
    assert forms.attention[0].int().tolist() == [
        [1, 0, 0, 0, 0, 0, 0],
        [1, 1, 0, 1, 0, 0, 0],
        [0, 0, 1, 0, 0, 0, 0],
        [1, 1, 0, 1, 0, 0, 0],
        [1, 0, 0, 0, 1, 1, 1],
        [1, 0, 0, 0, 0, 1, 1],
        [1, 0, 0, 0, 0, 1, 1],
    ]


def test_only_what_a_later_target_may_see_is_copied():
    assert two_copies(*one_row([T, T, C, H], [3, 3, 3, 3])).element.shape[1] == 4
    assert two_copies(*one_row([T, T, C, H], [0, 0, 5, 5])).element.shape[1] == 4
    assert two_copies(*one_row([T, T, C, T], [0, 1, 1, 2])).element[0, 4:].tolist() == [0, 1, 2]
    assert two_copies(*one_row([T, C, C, T], [0, 1, 1, 2])).element[0, 4:].tolist() == [0], "1 holds no target"
    assert two_copies(*one_row([T, C, H, D, T], [0, 0, 0, 0, 2])).element[0, 5:].tolist() == [0, 1, 2]
    layout = text_layout(ROWS)
    imitation = two_copies(layout.positions, in_turn(reconstruct(layout, layout.kind == 3), layout))
    assert imitation.element.shape[1] == layout.shape[1] + 2, "the first row's first action, of two tokens"


def test_rows_that_need_fewer_copies_have_absent_ones():
    layout = text_layout([units_of(1, 1, 1), units_of(1, 1, 1)])
    roles = torch.tensor([[T, T, T], [C, T, C]], dtype=torch.uint8)
    forms = two_copies(layout.positions, Order(roles, torch.tensor([[0, 1, 2]] * 2, dtype=torch.int32)))
    assert not forms.shows_value[1, 3:].any()
    assert torch.equal(forms.attention[1, 3:], torch.eye(5, dtype=bool)[3:])
    assert torch.equal(forms.attention[1, :, 3:], torch.eye(5, dtype=bool)[:, 3:])


def test_positions_count_what_exists():
    plain, moved = text_layout(ROWS), text_layout(ROWS, pad_left=3)
    order = reconstruct(plain, plain.present)
    assert two_copies(plain.positions, order).positions[0].tolist() == list(range(10))
    order = reconstruct(moved, moved.present)
    assert two_copies(moved.positions, order).positions[0, 3:].tolist() == list(range(10))


@settings(max_examples=100, deadline=None)
@given(num_ranks=st.integers(1, 6), seed=st.integers(0, 2**30))
def test_targets_see_each_element_in_the_form_that_the_law_allows(num_ranks, seed):
    layout = text_layout(ROWS)
    order = random_order(layout, num_ranks, seed)
    forms = two_copies(layout.positions, order)
    for row, target in order.targets.nonzero().tolist():
        own = order.ranks[row, target]
        for element in range(layout.shape[1]):
            role, rank = order.roles[row, element], order.ranks[row, element]
            seen = forms.attention[row, target] & (forms.element[row] == element)
            values = int((seen & forms.shows_value[row]).sum())
            symbols = int((seen & ~forms.shows_value[row]).sum())
            assert values == sees_value(role, rank, own)
            assert symbols == ((role == H and rank <= own) or (role == T and rank == own))


@settings(max_examples=100, deadline=None)
@given(num_ranks=st.integers(1, 6), seed=st.integers(0, 2**30))
def test_nothing_leaks_through_any_number_of_layers(num_ranks, seed):
    layout = text_layout(ROWS)
    order = random_order(layout, num_ranks, seed)
    forms = two_copies(layout.positions, order)
    reach = forms.attention.double()
    for _ in range(6):
        reach = (reach @ reach).clamp(max=1)
    for row, target in order.targets.nonzero().tolist():
        felt = forms.element[row, (reach[row, target] > 0) & forms.shows_value[row]]
        assert sees_value(order.roles[row, felt], order.ranks[row, felt], order.ranks[row, target]).all()


def published_mask(length, block):
    """BD3LM's ``block_diff_mask``: bool ``[2 * length, 2 * length]``, noisy copy first, then the clean one."""
    index = torch.arange(2 * length)
    query, key = index[:, None], index[None, :]
    query_is_clean, key_is_clean = query >= length, key >= length
    query_block, key_block = query % length // block, key % length // block
    block_diagonal = (query_block == key_block) & (query_is_clean == key_is_clean)
    offset_block_causal = (query_block > key_block) & key_is_clean & ~query_is_clean
    block_causal = (query_block >= key_block) & key_is_clean & query_is_clean
    return block_diagonal | offset_block_causal | block_causal


def test_blocks_of_targets_are_block_diffusion():
    """All but the clean copy of the last block, which nothing reads."""
    length, block = 12, 3
    forms = two_copies(*one_row([T] * length, [i // block for i in range(length)]))
    num_forms = 2 * length - block
    assert torch.equal(forms.attention[0], published_mask(length, block)[:num_forms, :num_forms])


def partly_hidden(length, block, seed):
    """bool ``[length]``; at least one element of every block is hidden, and in no block all are."""
    places = torch.rand(length // block, block, generator=torch.Generator().manual_seed(seed)).argsort(dim=1)
    return (places < 1 + torch.arange(length // block)[:, None] % (block - 1)).flatten()


@pytest.mark.parametrize("seed", range(5))
def test_partly_hidden_blocks_are_block_diffusion(seed):
    """All but the clean copy of the last block, which nothing reads."""
    length, block = 12, 3
    hidden = partly_hidden(length, block, seed)
    roles = torch.where(hidden, int(T), int(C)).tolist()
    forms = two_copies(*one_row(roles, [i // block for i in range(length)]))
    num_forms = 2 * length - block
    assert forms.element[0].tolist() == [*range(length), *range(length - block)]
    assert torch.equal(forms.shows_value[0], torch.cat([~hidden, torch.ones(length - block, dtype=torch.bool)]))
    assert torch.equal(forms.attention[0], published_mask(length, block)[:num_forms, :num_forms])


@pytest.mark.parametrize("seed", range(5))
def test_a_block_without_a_target_is_both_of_its_copies(seed):
    """Both would be made of the same tokens and read the same; all else is as published."""
    length, block = 12, 3
    hidden = partly_hidden(length, block, seed)
    hidden[block : 2 * block] = False
    roles = torch.where(hidden, int(T), int(C)).tolist()
    forms = two_copies(*one_row(roles, [i // block for i in range(length)]))
    assert forms.element[0, length:].tolist() == [0, 1, 2, 6, 7, 8]
    element, is_copy = forms.element[0], torch.arange(forms.element.shape[1]) >= length
    published = published_mask(length, block)[element + length * is_copy]
    noisy, clean = published[:, element], published[:, element + length]
    is_both = element // block == 1
    expected = torch.where(is_both, noisy | clean, torch.where(is_copy, clean, noisy))
    assert torch.equal(forms.attention[0], expected)
