"""Memories travel along the frames as if computed one frame after the other."""

import pytest
import torch

from anyorder.models.transport import Kernels, Transport, link, receive

B, C, F, S, H, D, A = 3, 2, 6, 5, 2, 4, 8


def one_by_one(kernels, source, symbol, by, values, gates):
    """What arrives, frame by frame and head by head, following the numbers of the frames received from."""
    arrived, memory = torch.zeros_like(values), torch.zeros_like(values)
    for step in range(F) if by == 1 else reversed(range(F)):
        for row in range(B):
            for form in range(C):
                number, sender = (row * C + form) * F + step, int(source[row, form, step])
                for head in range(H):
                    if sender >= 0:
                        arrived[number, head] = kernels[symbol[row, form, step], head] @ memory[sender, head]
                    gate = gates[number, head]
                    memory[number, head] = gate * values[number, head] + (1 - gate) * arrived[number, head]
    return arrived


@pytest.mark.parametrize("by", [1, -1])
@pytest.mark.parametrize("share", [0.0, 0.6, 1.0])
def test_a_chain_equals_frame_by_frame(by, share):
    generator = torch.Generator().manual_seed(0)
    kernels = torch.rand(A, H, S, S, generator=generator, dtype=torch.double)
    values = torch.randn(B * C * F, H, S, D, generator=generator, dtype=torch.double)
    gates = torch.rand(B * C * F, H, S, 1, generator=generator, dtype=torch.double)
    symbol = torch.randint(A, (B, C, F), generator=generator)
    form = torch.randint(C, (B, C, F), generator=generator)
    source = (torch.arange(B)[:, None, None] * C + form) * F + torch.arange(F) - by
    allowed = torch.rand(B, C, F, generator=generator) < share
    allowed[..., 0 if by == 1 else -1] = False  # no neighbour there
    source = torch.where(allowed, source, -1)

    arrived = receive(link(kernels, source, symbol, by), values, gates)
    torch.testing.assert_close(arrived, one_by_one(kernels, source, symbol, by, values, gates))


def test_an_open_gate_forgets_and_a_closed_one_remembers_for_ever():
    kernels = torch.eye(S).expand(A, H, S, S)
    source = torch.arange(-1, F - 1).view(1, 1, F)
    chain = link(kernels, source, torch.zeros(1, 1, F, dtype=torch.int64), 1)
    values = torch.randn(F, H, S, D, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(receive(chain, values, torch.ones(F, H, S, 1))[1:], values[:-1])
    only_first = torch.zeros(F, H, S, 1)
    only_first[0] = 1
    torch.testing.assert_close(receive(chain, values, only_first)[1:], values[:1].expand(F - 1, -1, -1, -1))


def test_kernels_share_out_what_they_carry_and_begin_by_staying():
    past, future = Kernels(num_symbols=3, num_heads=2, num_cells=9)()
    for kernels in (past, future):
        assert kernels.shape == (3, 2, 9, 9)
        torch.testing.assert_close(kernels.sum(dim=-1), torch.ones(3, 2, 9))
        assert (kernels.argmax(dim=-1) == torch.arange(9)).all()


def test_an_absent_cell_writes_nothing_and_forgets_nothing():
    torch.manual_seed(0)
    transport, kernels = Transport(8, H, S), torch.eye(S).expand(A, H, S, S)
    source = torch.arange(-1, 2).view(1, 1, 3)
    chain = link(kernels, source, torch.zeros(1, 1, 3, dtype=torch.int64), 1)
    cells, absent = torch.randn(3, S, 8), torch.zeros(3, S, dtype=torch.bool)
    absent[1] = True
    changed = cells.clone()
    changed[1] = torch.randn(S, 8)
    (_, past, _), (gate, _) = transport.values_and_gates(cells, absent)
    arrived = receive(chain, past, gate)
    torch.testing.assert_close(arrived[2], arrived[1])  # the frame between added nothing
    assert torch.equal(transport(cells, absent, (chain, chain)), transport(changed, absent, (chain, chain)))


def test_one_frame_alone_keeps_the_tables_in_the_graph():
    """Processes that share an update must agree on which parameters have gradients."""
    kernels = torch.rand(A, H, S, S, requires_grad=True)
    none = torch.full((1, 1, 1), -1)
    values = torch.randn(1, H, S, D, requires_grad=True)
    receive(link(kernels, none, none.clamp(min=0), 1), values, torch.ones(1, H, S, 1)).sum().backward()
    assert kernels.grad is not None
