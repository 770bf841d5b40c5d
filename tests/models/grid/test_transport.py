"""Memories travel along the frames as if computed one frame after the other."""

import pytest
import torch

from anyorder.models.grid.memory import Carried, link, receive
from anyorder.models.grid.transport import FUTURE, PAST, Kernels, Transport

M, F, S, H, D, A = 6, 6, 5, 2, 4, 8
SILENT = 2
"""The first two copies are query copies of those trajectories whose value copies come last."""


def received(kernels, sources, symbols, values, gates):
    """`receive`, given values and gates of all copies in both directions: what arrives from both, and which copies have a
    future."""
    links = link(kernels, sources, symbols, SILENT)
    carried = [
        Carried(*(tensor[number, links.frames(copies)] for tensor in (values, gates)))
        for number, copies in enumerate((links.writers, links.future))
    ]
    return *receive(links, *carried), links


def random_chains(share, seed=0, from_silent=True, future=slice(0, M)):
    """Kernels, sources, symbols, values and gates of both directions, in double precision.

    Args:
        share: of the frames that receive.
        seed: of all draws.
        from_silent: whether the first copies are received from, or their last ones in their place.
        future: the copies that receive from the future.
    """
    generator = torch.Generator().manual_seed(seed)
    kernels = torch.rand(2, A + 1, H, S, S, generator=generator, dtype=torch.double)
    kernels[:, -1] = 0
    values = torch.randn(2, M * F, H, S, D, generator=generator, dtype=torch.double)
    gates = torch.rand(2, M * F, H, S, 1, generator=generator, dtype=torch.double)
    symbols = torch.randint(A, (2, M, F), generator=generator)
    copies = torch.arange(M)[:, None].expand(2, M, F).clone()
    if not from_silent:
        copies[copies < SILENT] += M - SILENT
    by = torch.tensor([1, -1])[:, None, None]
    sources = copies * F + torch.arange(F) - by
    allowed = torch.rand(2, M, F, generator=generator) < share
    allowed[0, :, 0] = allowed[1, :, -1] = False  # no neighbour there
    has_future = torch.zeros(M, dtype=torch.bool)
    has_future[future] = True
    allowed[1] &= has_future[:, None]
    return kernels, torch.where(allowed, sources, -1), symbols, values, gates


def frame_by_frame(kernels, sources, symbols, values, gates):
    """What arrives, one frame after the other, following the numbers of the frames received from."""
    arrived = {}
    for d, steps in enumerate((range(F), range(F - 1, -1, -1))):
        memory = {}
        for step in steps:
            for copy in range(M):
                number, sender = copy * F + step, int(sources[d, copy, step])
                there = sender >= 0
                came = kernels[d, symbols[d, copy, step]] @ memory[sender] if there else 0 * values[d, number]
                arrived[d, number] = came
                memory[number] = gates[d, number] * values[d, number] + (1 - gates[d, number]) * came
    return torch.stack([torch.stack([arrived[d, n] for n in range(M * F)]) for d in range(2)])


WAYS = pytest.mark.parametrize(
    ("share", "from_silent", "future"),
    [
        (0.0, True, slice(0, M)),
        (0.6, True, slice(0, M)),
        (1.0, True, slice(0, M)),
        (0.6, False, slice(0, M)),
        (1.0, False, slice(0, 0)),
        (0.6, True, slice(0, 0)),
        (0.7, False, slice(2, 4)),
        (0.7, True, slice(1, 2)),
    ],
)


@WAYS
def test_both_chains_equal_frame_by_frame(share, from_silent, future):
    chains = random_chains(share, from_silent=from_silent, future=future)
    past, later, links = received(*chains)
    by_hand = frame_by_frame(*chains)
    torch.testing.assert_close(past, by_hand[PAST])
    torch.testing.assert_close(later, by_hand[FUTURE, links.frames(links.future)])
    by_hand[FUTURE, links.frames(links.future)] = 0
    assert not by_hand[FUTURE].any()


@WAYS
def test_the_gradient_is_that_of_frame_by_frame(share, from_silent, future):
    kernels, sources, symbols, values, gates = random_chains(share, from_silent=from_silent, future=future)
    weights = torch.randn(values.shape, dtype=torch.double, generator=torch.Generator().manual_seed(1))
    leaves = [tensor.clone().requires_grad_() for tensor in (kernels, values, gates)]
    past, later, links = received(leaves[0], sources, symbols, *leaves[1:])
    loss = (past * weights[PAST]).sum() + (later * weights[FUTURE, links.frames(links.future)]).sum()
    found = torch.autograd.grad(loss, leaves)

    again = [tensor.clone().requires_grad_() for tensor in (kernels, values, gates)]
    by_hand = frame_by_frame(again[0], sources, symbols, *again[1:])
    wanted = torch.autograd.grad((by_hand * weights).sum(), again, allow_unused=True, materialize_grads=True)
    wanted[0][:, -1] = found[0][:, -1]  # where nothing is received the kernel is a constant
    for ours, theirs in zip(found, wanted):
        torch.testing.assert_close(ours, theirs)


def one_trajectory(frames):
    """The links of one trajectory whose frames receive from both neighbours."""
    step = torch.arange(frames)
    sources = torch.stack([step - 1, torch.where(step + 1 < frames, step + 1, -1)])[:, None]
    return link(identity_kernels(), sources, torch.zeros(2, 1, frames, dtype=torch.int64), 0)


def identity_kernels():
    kernels = torch.eye(S).expand(2, A + 1, H, S, S).clone()
    kernels[:, -1] = 0
    return kernels


def test_an_open_gate_forgets_and_a_closed_one_remembers_for_ever():
    values = torch.randn(F, H, S, D, generator=torch.Generator().manual_seed(0))

    def from_past(gates):
        carried = Carried(values, gates)
        return receive(one_trajectory(F), carried, carried)[PAST][1:]

    torch.testing.assert_close(from_past(torch.ones(F, H, S, 1)), values[:-1])
    only_first = torch.zeros(F, H, S, 1)
    only_first[0] = 1
    torch.testing.assert_close(from_past(only_first), values[:1].expand(F - 1, -1, -1, -1))


def test_kernels_share_out_what_they_carry_and_begin_by_staying():
    for kernels in Kernels(num_symbols=3, num_heads=2, num_cells=9)():
        assert kernels.shape == (4, 2, 9, 9)
        torch.testing.assert_close(kernels[:3].sum(dim=-1), torch.ones(3, 2, 9))
        assert (kernels[:3].argmax(dim=-1) == torch.arange(9)).all()
        assert not kernels[3].any()


def test_an_absent_cell_writes_nothing_and_forgets_nothing():
    torch.manual_seed(0)
    transport, links = Transport(8, H, S), one_trajectory(3)
    cells, absent = torch.randn(3, S, 8), torch.zeros(3, S, dtype=torch.bool)
    absent[1] = True
    changed = cells.clone()
    changed[1] = torch.randn(S, 8)
    arrived, _ = receive(links, *(transport.carried(cells, absent, direction) for direction in (PAST, FUTURE)))
    torch.testing.assert_close(arrived[2], arrived[1])  # the frame between added nothing
    assert torch.equal(transport(cells, absent, links), transport(changed, absent, links))


def test_one_frame_alone_keeps_the_tables_in_the_graph():
    """Processes that share an update must agree on which parameters have gradients."""
    kernels = torch.rand(2, A + 1, H, S, S, requires_grad=True)
    none = torch.full((2, 1, 1), -1)
    values = torch.randn(1, H, S, D, requires_grad=True)
    links = link(kernels, none, none.clamp(min=0), 0)
    receive(links, Carried(values, torch.ones(1, H, S, 1)), Carried(values[:0], values[:0, ..., :1]))[PAST].sum().backward()
    assert kernels.grad is not None


def test_what_nobody_reads_is_not_computed():
    def links(**settings):
        return link(*random_chains(1.0, **settings)[:3], SILENT)

    assert links().writers == slice(0, M) and links().future == slice(0, M) and links().senders is None
    ranked = links(from_silent=False, future=slice(0, 0))
    assert ranked.writers == slice(SILENT, M) and ranked.num_chains == M and len(ranked.senders[0]) == M
    assert links(future=slice(2, 4)).future == slice(2, 4)
