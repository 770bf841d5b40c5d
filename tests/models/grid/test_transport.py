"""Memories travel along the frames as if computed one frame after the other."""

import pytest
import torch

from anyorder.models.grid.transport import Kernels, Transport, link, receive

B, C, F, S, H, D, A = 3, 2, 6, 5, 2, 4, 8


def received(kernels, sources, symbols, values, gates):
    """`receive`, given values and gates of the directions and forms that write."""
    links = link(kernels, sources, symbols)
    written = [
        tensor[: links.shape[0]].unflatten(1, (B, C, F))[:, :, links.writers].flatten(1, 3) for tensor in (values, gates)
    ]
    return receive(links, *written)


def random_chains(share, seed=0, forms=C, directions=2):
    """Kernels, sources, symbols, values and gates of both directions, in double precision.

    Args:
        share: of the frames that receive.
        seed: of all draws.
        forms: how many of the last forms send.
        directions: from how many directions frames receive; 1: from the past alone.
    """
    generator = torch.Generator().manual_seed(seed)
    kernels = torch.rand(2, A + 1, H, S, S, generator=generator, dtype=torch.double)
    kernels[:, -1] = 0
    values = torch.randn(2, B * C * F, H, S, D, generator=generator, dtype=torch.double)
    gates = torch.rand(2, B * C * F, H, S, 1, generator=generator, dtype=torch.double)
    symbols = torch.randint(A, (2, B, C, F), generator=generator)
    form = torch.randint(C - forms, C, (2, B, C, F), generator=generator)
    by = torch.tensor([1, -1])[:, None, None, None]
    sources = (torch.arange(B)[:, None, None] * C + form) * F + torch.arange(F) - by
    allowed = torch.rand(2, B, C, F, generator=generator) < share
    allowed[0, ..., 0] = allowed[1, ..., -1] = False  # no neighbour there
    allowed[directions:] = False
    return kernels, torch.where(allowed, sources, -1), symbols, values, gates


def frame_by_frame(kernels, sources, symbols, values, gates):
    """What arrives, one frame after the other, following the numbers of the frames received from."""
    arrived = {}
    for d, steps in enumerate((range(F), range(F - 1, -1, -1))):
        memory = {}
        for step in steps:
            for row in range(B):
                for form in range(C):
                    number, sender = (row * C + form) * F + step, int(sources[d, row, form, step])
                    there = sender >= 0
                    came = kernels[d, symbols[d, row, form, step]] @ memory[sender] if there else 0 * values[d, number]
                    arrived[d, number] = came
                    memory[number] = gates[d, number] * values[d, number] + (1 - gates[d, number]) * came
    return torch.stack([torch.stack([arrived[d, n] for n in range(B * C * F)]) for d in range(2)])


WAYS = pytest.mark.parametrize(
    ("share", "forms", "directions"),
    [(0.0, 2, 2), (0.6, 2, 2), (1.0, 2, 2), (0.6, 1, 2), (1.0, 1, 1), (0.6, 2, 1)],
)


@WAYS
def test_both_chains_equal_frame_by_frame(share, forms, directions):
    kernels, sources, symbols, values, gates = random_chains(share, forms=forms, directions=directions)
    arrived = received(kernels, sources, symbols, values, gates)
    torch.testing.assert_close(arrived, frame_by_frame(kernels, sources, symbols, values, gates)[: len(arrived)])


@WAYS
def test_the_gradient_is_that_of_frame_by_frame(share, forms, directions):
    kernels, sources, symbols, values, gates = random_chains(share, forms=forms, directions=directions)
    weights = torch.randn(values.shape, dtype=torch.double, generator=torch.Generator().manual_seed(1))
    leaves = [tensor.clone().requires_grad_() for tensor in (kernels, values, gates)]
    arrived = received(leaves[0], sources, symbols, *leaves[1:])
    found = torch.autograd.grad((arrived * weights[: len(arrived)]).sum(), leaves)

    again = [tensor.clone().requires_grad_() for tensor in (kernels, values, gates)]
    by_hand = frame_by_frame(again[0], sources, symbols, *again[1:])
    wanted = torch.autograd.grad((by_hand * weights)[: len(arrived)].sum(), again, allow_unused=True, materialize_grads=True)
    wanted[0][:, -1] = found[0][:, -1]  # where nothing is received the kernel is a constant
    for ours, theirs in zip(found, wanted):
        torch.testing.assert_close(ours, theirs)


def one_trajectory(frames):
    """Sources and symbols of one trajectory whose frames receive from both neighbours."""
    step = torch.arange(frames)
    sources = torch.stack([step - 1, torch.where(step + 1 < frames, step + 1, -1)])
    return sources.view(2, 1, 1, frames), torch.zeros(2, 1, 1, frames, dtype=torch.int64)


def identity_kernels():
    kernels = torch.eye(S).expand(2, A + 1, H, S, S).clone()
    kernels[:, -1] = 0
    return kernels


def test_an_open_gate_forgets_and_a_closed_one_remembers_for_ever():
    links = link(identity_kernels(), *one_trajectory(F))
    values = torch.randn(2, F, H, S, D, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(receive(links, values, torch.ones(2, F, H, S, 1))[0, 1:], values[0, :-1])
    only_first = torch.zeros(2, F, H, S, 1)
    only_first[:, 0] = 1
    torch.testing.assert_close(receive(links, values, only_first)[0, 1:], values[0, :1].expand(F - 1, -1, -1, -1))


def test_kernels_share_out_what_they_carry_and_begin_by_staying():
    for kernels in Kernels(num_symbols=3, num_heads=2, num_cells=9)():
        assert kernels.shape == (4, 2, 9, 9)
        torch.testing.assert_close(kernels[:3].sum(dim=-1), torch.ones(3, 2, 9))
        assert (kernels[:3].argmax(dim=-1) == torch.arange(9)).all()
        assert not kernels[3].any()


def test_an_absent_cell_writes_nothing_and_forgets_nothing():
    torch.manual_seed(0)
    transport, links = Transport(8, H, S), link(identity_kernels(), *one_trajectory(3))
    cells, absent = torch.randn(3, S, 8), torch.zeros(3, S, dtype=torch.bool)
    absent[1] = True
    changed = cells.clone()
    changed[1] = torch.randn(S, 8)
    _, values, gates = transport.values_and_gates(cells, absent, links.shape, links.writers)
    arrived = receive(links, values, gates)
    torch.testing.assert_close(arrived[0, 2], arrived[0, 1])  # the frame between added nothing
    assert torch.equal(transport(cells, absent, links), transport(changed, absent, links))


def test_one_frame_alone_keeps_the_tables_in_the_graph():
    """Processes that share an update must agree on which parameters have gradients."""
    kernels = torch.rand(2, A + 1, H, S, S, requires_grad=True)
    none = torch.full((2, 1, 1, 1), -1)
    values = torch.randn(1, 1, H, S, D, requires_grad=True)
    receive(link(kernels, none, none.clamp(min=0)), values, torch.ones(1, 1, H, S, 1)).sum().backward()
    assert kernels.grad is not None


def test_what_nobody_reads_is_not_computed():
    _, sources, symbols, _, _ = random_chains(1.0, forms=1, directions=1)
    links = link(torch.rand(2, A + 1, H, S, S), sources, symbols)
    assert links.shape == (1, B, C, F) and links.writers == slice(1, 2)
    assert link(torch.rand(2, A + 1, H, S, S), *random_chains(1.0)[1:3]).writers == slice(0, 2)
