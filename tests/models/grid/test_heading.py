"""A hidden direction follows from those that are seen, as if all sequences of directions were counted."""

from itertools import product

import pytest
import torch

from anyorder.models.grid.heading import CERTAIN, WAYS, Heading

NUM_ACTIONS, WIDTH, NUM_FRAMES = 3, 4, 4
HIDDEN = -1


@pytest.fixture
def heading():
    torch.manual_seed(0)
    made = Heading(NUM_ACTIONS, WIDTH)
    torch.nn.init.normal_(made.tables)
    return made


@pytest.fixture
def registers():
    return torch.randn(1, NUM_FRAMES, WIDTH, generator=torch.Generator().manual_seed(1))


def chained(actions):
    """Sources and symbols of one copy all of whose frames see their neighbours."""
    steps = torch.arange(NUM_FRAMES)
    sources = torch.stack([steps - 1, torch.where(steps + 1 < NUM_FRAMES, steps + 1, -1)])[:, None]
    actions = torch.tensor(actions)
    symbols = torch.stack([actions.roll(1), actions])[:, None]
    return sources, symbols


def counted(heading, registers, directions, actions, frame):
    """Of each direction at a frame, the probability given the others, from every sequence there is."""
    guess = heading.guess(torch.cat([registers[0, :-1], registers[0, 1:]], dim=-1)).softmax(dim=-1)
    tables = heading.tables.softmax(dim=-1)
    turns = [
        tables[action] if action < NUM_ACTIONS else torch.einsum("a,aij->ij", guess[step], tables)
        for step, action in enumerate(actions[:-1])
    ]
    found = torch.zeros(WAYS)
    for sequence in product(range(WAYS), repeat=NUM_FRAMES):
        weight = torch.tensor(1.0)
        for step, (here, shown) in enumerate(zip(sequence, directions)):
            if step != frame and shown != HIDDEN:
                weight = weight * (CERTAIN if here == shown else (1 - CERTAIN) / (WAYS - 1))
            if step:
                weight = weight * turns[step - 1][sequence[step - 1], here]
        found[sequence[frame]] += weight
    return found / found.sum()


@pytest.mark.parametrize(
    ("directions", "actions"),
    [
        ([1, HIDDEN, HIDDEN, 2], [0, 2, 1, 0]),
        ([HIDDEN, 3, HIDDEN, HIDDEN], [1, NUM_ACTIONS, 2, NUM_ACTIONS]),
        ([0, HIDDEN, 0, HIDDEN], [NUM_ACTIONS, NUM_ACTIONS, NUM_ACTIONS, 0]),
    ],
)
def test_directions_are_as_probable_as_all_sequences_say(heading, registers, directions, actions):
    found = heading(torch.tensor([directions]), registers, *chained(actions)).softmax(dim=-1)[0]
    expected = torch.stack([counted(heading, registers, directions, actions, frame) for frame in range(NUM_FRAMES)])
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-4)


def test_nothing_arrives_where_nothing_may_be_seen(heading, registers):
    sources, symbols = chained([0, 1, 2, 0])
    sources[0, 0, 2] = sources[1, 0, 1] = -1  # two halves that do not see each other
    found = [heading(torch.tensor([[first, HIDDEN, HIDDEN, 1]]), registers, sources, symbols) for first in (0, 3)]
    torch.testing.assert_close(found[0][0, 2:], found[1][0, 2:])
    assert not torch.allclose(found[0][0, 1].softmax(dim=-1), found[1][0, 1].softmax(dim=-1), atol=1e-2)


def test_it_says_nothing_before_it_has_learned():
    found = Heading(NUM_ACTIONS, WIDTH)(torch.tensor([[0, 1, HIDDEN, 2]]), torch.zeros(1, 4, WIDTH), *chained([0, 1, 2, 0]))
    torch.testing.assert_close(found.softmax(dim=-1), torch.full((1, NUM_FRAMES, WAYS), 0.25))
