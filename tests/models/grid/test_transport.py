"""Memories travel along the frames as if computed one frame after the other."""

import pytest
import torch
from torch.nn import functional

from anyorder.models.grid.guesses import Guesser, mixed
from anyorder.models.grid.memory import link, recall
from anyorder.models.grid.transport import Kernels, Transport

PAST, FUTURE = 0, 1
M, F, S, H, D, A = 6, 6, 5, 2, 4, 8
WIDTH = H * D
SILENT = 2
"""The first two copies are query copies of those trajectories whose value copies come last."""


def random_links(share, seed=0, from_silent=True, future=slice(0, M), echo=False):
    """Kernels, sources and symbols of both directions, in double precision.

    Args:
        share: of the frames that receive.
        seed: of all draws.
        from_silent: whether the first copies are received from, or their last ones in their place.
        future: the copies that receive from the future.
        echo: whether the first copies receive what the last ones do, through known transitions.
    """
    generator = torch.Generator().manual_seed(seed)
    kernels = torch.rand(2, A + 1, H, S, S, generator=generator, dtype=torch.double)
    kernels[:, -1] = 0
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
    if echo:
        symbols.clamp_(max=A - 2)
        allowed[0, :SILENT], symbols[0, :SILENT] = allowed[0, -SILENT:], symbols[0, -SILENT:]
    return kernels, torch.where(allowed, sources, -1), symbols


def frame_by_frame(transport, cells, absent, kernels, sources, symbols, guesses=((), ())):
    """What `Transport` says, one frame after the other, following the numbers of the frames received from; ``guesses`` are the
    kernels of hidden transitions by the number of the receiving frame."""
    own, *given = transport.values(cells).masked_fill(absent[..., None], 0).chunk(3, dim=-1)
    gates = transport.gates(cells).sigmoid().masked_fill(absent[..., None], 0).chunk(2, dim=-1)
    together = [_by_head(own, transport.own_tables.softmax(dim=-1))]
    for d, steps in enumerate((range(F), range(F - 1, -1, -1))):
        memory, arrived = {}, {}
        for step in steps:
            for copy in range(M):
                number, sender = copy * F + step, int(sources[d, copy, step])
                there = sender >= 0
                kernel = guesses[d][number] if number in guesses[d] else kernels[d, symbols[d, copy, step]]
                came = _by_head(memory[sender], kernel) if there else 0 * given[d][number]
                gate = gates[d][number].repeat_interleave(D, dim=-1)
                arrived[number], memory[number] = came, gate * given[d][number] + (1 - gate) * came
        together.append(torch.stack([arrived[number] for number in range(M * F)]))
    return functional.linear(torch.cat(together, dim=-1), transport.merge.weight, transport.merge.bias)


def _by_head(cells, kernels):
    return torch.einsum("hst,...thd->...shd", kernels, cells.unflatten(-1, (H, D))).flatten(-2)


@pytest.mark.parametrize("some_absent", [False, True])
@pytest.mark.parametrize(
    ("share", "from_silent", "future", "echo"),
    [
        (0.0, True, slice(0, M), False),
        (0.6, True, slice(0, M), False),
        (1.0, True, slice(0, M), False),
        (0.6, False, slice(0, M), False),
        (1.0, False, slice(0, 0), False),
        (0.6, True, slice(0, 0), False),
        (0.7, False, slice(2, 4), False),
        (0.7, True, slice(1, 2), False),
        (0.7, False, slice(1, 3), False),
        (0.7, False, slice(1, 3), True),
        (1.0, False, slice(2, 4), True),
    ],
)
def test_what_arrives_and_its_gradient_are_those_of_frame_by_frame(share, from_silent, future, echo, some_absent):
    torch.manual_seed(0)
    kernels, sources, symbols = random_links(share, from_silent=from_silent, future=future, echo=echo)
    transport = Transport(WIDTH, H, S).double()
    torch.nn.init.normal_(transport.own_tables)
    cells, weights = (torch.randn(M * F, S, WIDTH, dtype=torch.double) for _ in range(2))
    absent = (torch.rand(M * F, S) < 0.3) & some_absent

    def answered(arrive):
        leaves = [tensor.clone().requires_grad_() for tensor in (cells, kernels)]
        found = arrive(*leaves)
        return found, torch.autograd.grad((found * weights).sum(), [*leaves, *transport.parameters()], materialize_grads=True)

    found, gradients = answered(
        lambda cells, kernels: transport(cells, absent if some_absent else None, link(kernels, sources, symbols, SILENT))
    )
    expected, wanted = answered(lambda cells, kernels: frame_by_frame(transport, cells, absent, kernels, sources, symbols))
    torch.testing.assert_close(found, expected)
    wanted[1][:, -1] = 0  # where nothing is received the kernel is a constant
    for ours, theirs in zip(gradients, wanted):
        torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize(("from_silent", "future"), [(True, slice(0, M)), (False, slice(1, 3)), (False, slice(0, 0))])
def test_each_hidden_transition_has_a_kernel_of_its_own(from_silent, future):
    torch.manual_seed(0)
    kernels, sources, symbols = random_links(0.8, from_silent=from_silent, future=future)
    symbols[:, :, 2] = A - 1
    transport = Transport(WIDTH, H, S).double()
    cells, weights = (torch.randn(M * F, S, WIDTH, dtype=torch.double) for _ in range(2))
    links = link(kernels, sources, symbols, SILENT)
    own = [torch.rand(len(chains.hidden), H, S, S, dtype=torch.double) for chains in (links.past, links.future)]
    assert len(own[0]) > M
    for chains, kernel, receiving, sending in (
        (links.past, symbols[0], links.past.later, links.past.earlier),
        (links.future, symbols[1], links.future.earlier, links.future.later),
    ):
        assert (kernel.flatten()[receiving] == A - 1).all()
        assert torch.equal(sources[0 if chains is links.past else 1].flatten()[receiving], sending)

    def answered(arrive):
        leaves = [tensor.clone().requires_grad_() for tensor in (cells, kernels, *own)]
        return (found := arrive(*leaves)), torch.autograd.grad((found * weights).sum(), leaves, materialize_grads=True)

    def in_one(cells, kernels, *own):
        return transport(cells, None, link(kernels, sources, symbols, SILENT).guessed(*own))

    def one_by_one(cells, kernels, past, future):
        nobody = torch.zeros(M * F, S, dtype=torch.bool)
        by_number = dict(zip(links.past.later.tolist(), past)), dict(zip(links.future.earlier.tolist(), future))
        return frame_by_frame(transport, cells, nobody, kernels, sources, symbols, by_number)

    found, gradients = answered(in_one)
    expected, wanted = answered(one_by_one)
    torch.testing.assert_close(found, expected)
    wanted[1][:, -1] = 0
    for ours, theirs in zip(gradients, wanted):
        torch.testing.assert_close(ours, theirs)


def test_what_is_guessed_is_a_mixture_of_the_kernels():
    kernels = torch.rand(A + 1, H, S, S)
    assert torch.equal(mixed(torch.eye(A)[2:3], kernels), kernels[2:3])
    torch.testing.assert_close(mixed(torch.full((2, A), 1 / A), kernels), kernels[:A].mean(dim=0).expand(2, -1, -1, -1))
    guess, ends = Guesser(A, WIDTH, H), (torch.randn(2, 3, WIDTH).unbind(), torch.randn(2, 3, S, WIDTH).unbind())
    guess.guess_nothing()
    assert torch.equal(mixed(guess(*ends, kernels), kernels), kernels[A - 1].expand(3, -1, -1, -1))


def test_a_transition_is_recognised_by_what_it_makes_of_a_view():
    """Its kernel moves all cells by one, and so does the later view."""
    kernels = torch.eye(S).expand(A + 1, H, S, S).clone()
    kernels[3] = torch.eye(S).roll(1, dims=0)
    guess = Guesser(A, WIDTH, H)
    torch.nn.init.eye_(guess.appearance.weight)
    torch.nn.init.zeros_(guess.appearance.bias)
    before = 5 * torch.randn(1, S, WIDTH, generator=torch.Generator().manual_seed(0))
    none = torch.zeros(1, WIDTH), torch.zeros(1, WIDTH)
    moved = guess(none, (before, before.roll(1, dims=1)), kernels)
    assert moved[0].argmax() == 3 and moved[0, 3] > 0.9
    assert guess(none, (before, before), kernels)[0, 3] < 0.01


def one_trajectory(frames):
    """The links of one trajectory whose frames receive from both neighbours."""
    step = torch.arange(frames)
    sources = torch.stack([step - 1, torch.where(step + 1 < frames, step + 1, -1)])[:, None]
    kernels = torch.eye(S).expand(2, A + 1, H, S, S).clone()
    kernels[:, -1] = 0
    return link(kernels, sources, torch.zeros(2, 1, frames, dtype=torch.int64), 0)


def test_an_open_gate_forgets_and_a_closed_one_remembers_for_ever():
    values = torch.randn(F, 1, H, D, S, generator=torch.Generator().manual_seed(0))

    def from_past(gates):
        return recall(one_trajectory(F).past, [values, gates.logit()])[0][1:]

    torch.testing.assert_close(from_past(torch.ones(F, 1, H, 1, S)), values[:-1])
    only_first = torch.zeros(F, 1, H, 1, S)
    only_first[0] = 1
    torch.testing.assert_close(from_past(only_first), values[:1].expand(F - 1, -1, -1, -1, -1))


def test_kernels_share_out_what_they_carry_and_begin_by_staying():
    for kernels in Kernels(num_symbols=3, num_heads=2, num_cells=9)():
        assert kernels.shape == (4, 2, 9, 9)
        torch.testing.assert_close(kernels[:3].sum(dim=-1), torch.ones(3, 2, 9))
        assert (kernels[:3].argmax(dim=-1) == torch.arange(9)).all()
        assert not kernels[3].any()


def test_an_absent_frame_changes_nothing():
    torch.manual_seed(0)
    transport, links = Transport(WIDTH, H, S), one_trajectory(3)
    cells, absent = torch.randn(3, S, WIDTH), torch.zeros(3, S, dtype=torch.bool)
    absent[1] = True
    changed = cells.clone()
    changed[1] = torch.randn(S, WIDTH)
    assert torch.equal(transport(cells, absent, links), transport(changed, absent, links))
    assert not torch.equal(transport(cells, None, links), transport(changed, None, links))


def test_one_frame_alone_keeps_the_tables_in_the_graph():
    """Processes that share an update must agree on which parameters have gradients."""
    kernels = torch.rand(2, A + 1, H, S, S, requires_grad=True)
    none = torch.full((2, 1, 1), -1)
    links = link(kernels, none, none.clamp(min=0), 0)
    Transport(WIDTH, H, S)(torch.randn(1, S, WIDTH), None, links).sum().backward()
    assert kernels.grad is not None


def test_what_nobody_reads_is_not_computed():
    def links(**settings):
        return link(*random_links(1.0, **settings), SILENT)

    plain = links()
    assert plain.past.writers == slice(0, M) and plain.future.copies == slice(0, M) and plain.past.senders is None
    ranked = links(from_silent=False, future=slice(0, 0))
    assert ranked.past.writers == slice(SILENT, M) and ranked.past.copies == slice(0, M)
    assert ranked.past.senders.shape == (F, M) and not ranked.future.kernels.numel()
    assert links(future=slice(2, 4)).future.copies == slice(2, 4)
    echoing = links(from_silent=False, future=slice(0, 0), echo=True)
    assert echoing.past.copies == echoing.past.writers == slice(SILENT, M) and echoing.past.senders is None
    assert echoing.num_echoes == SILENT and not ranked.num_echoes
    kernels, sources, symbols = random_links(1.0, from_silent=False, future=slice(0, 0), echo=True)
    symbols[0, [0, -SILENT], 1] = A - 1
    assert not link(kernels, sources, symbols, SILENT).num_echoes, "two copies may guess a hidden transition differently"
