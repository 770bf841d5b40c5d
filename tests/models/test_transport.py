"""Values are carried by the kernel of each transition, computed in groups but as if one by one."""

import pytest
import torch

from anyorder.models.transport import Kernels, carry, plan_route, receive_each, receive_grouped


@pytest.mark.parametrize("by", [1, -1])
@pytest.mark.parametrize("share", [0.0, 0.6, 1.0])
def test_grouped_transport_equals_frame_by_frame(by, share):
    batch, frames, cells, heads, width, symbols = 3, 6, 5, 2, 4, 8
    generator = torch.Generator().manual_seed(0)
    kernels = torch.rand(symbols, heads, cells, cells, generator=generator, dtype=torch.double)
    values = torch.randn(batch * frames, cells, heads, width, generator=generator, dtype=torch.double)
    symbol = torch.randint(symbols, (batch, frames), generator=generator)
    allowed = torch.rand(batch, frames, generator=generator) < share
    allowed[:, 0 if by == 1 else -1] = False  # no neighbour there

    expected = torch.zeros(batch, frames, cells, heads, width, dtype=torch.double)
    for row in range(batch):
        for time in range(frames):
            if allowed[row, time]:
                neighbour = values.view(batch, frames, cells, heads, width)[row, time - by]
                for head in range(heads):
                    expected[row, time, :, head] = kernels[symbol[row, time], head] @ neighbour[:, head]

    source = torch.where(allowed, torch.arange(batch * frames).view(batch, frames) - by, -1)
    arrived = carry(kernels, plan_route(source.flatten(), symbol.flatten(), symbols), values)
    torch.testing.assert_close(arrived, expected.view(batch * frames, cells, heads * width))


def test_kernels_share_out_what_they_carry_and_begin_by_staying():
    past, future = Kernels(num_symbols=3, num_heads=2, num_cells=9)()
    for kernels in (past, future):
        assert kernels.shape == (3, 2, 9, 9)
        torch.testing.assert_close(kernels.sum(dim=-1), torch.ones(3, 2, 9))
        assert (kernels.argmax(dim=-1) == torch.arange(9)).all()


def test_one_product_per_transition_equals_one_per_frame():
    """The CPU's way and the GPU's way, in value and gradient."""
    generator = torch.Generator().manual_seed(0)
    tables = torch.randn(4, 2, 9, 9, generator=generator, requires_grad=True)
    symbol = torch.randint(4, (15,), generator=generator)
    source = torch.where(torch.rand(15, generator=generator) < 0.7, torch.arange(15) - 1, -1)
    route = plan_route(source, symbol, 4)
    sent = torch.randn(len(route.source), 9, 2, 4, generator=generator, requires_grad=True)
    weight = torch.randn(len(route.source), 9, 8, generator=generator)
    found = []
    for receive in (receive_grouped, receive_each):
        received = receive(tables.softmax(-1), route, sent)
        found.append((received, *torch.autograd.grad((received * weight).sum(), (tables, sent))))
    for grouped, each in zip(*found):
        torch.testing.assert_close(grouped, each, atol=1e-5, rtol=1e-5)
