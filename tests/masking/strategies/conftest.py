"""What tests of strategies share: toy layouts, and orders told unit by unit."""

import pytest
import torch

from anyorder.elements.layout import Kind
from anyorder.masking.order import Role, sees_value

LETTERS = {Kind.MISSION: "m", Kind.OBSERVATION: "o", Kind.ACTION: "a", Kind.RETURN: "r"}


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def unit_names(layout, row):
    """``{"m": elements, "o0": elements, ...}`` of one trajectory: mission, observations, returns and actions."""
    names = {}
    for element in layout.present[row].nonzero()[:, 0].tolist():
        kind, step = Kind(int(layout.kind[row, element])), int(layout.step[row, element])
        names.setdefault(LETTERS[kind] + (str(step) if step >= 0 else ""), []).append(element)
    return names


class Told:
    """An order told unit by unit, where each unit has one role and one rank."""

    def __init__(self, order, layout, row=0):
        self.units = {}
        for name, elements in unit_names(layout, row).items():
            pairs = {(int(order.roles[row, e]), int(order.ranks[row, e])) for e in elements}
            assert len(pairs) == 1, f"{name} has one role and one rank"
            self.units[name] = pairs.pop()

    def __str__(self):
        """``"mC0 o0T1 ..."``: name, first letter of the role and, unless dropped, rank of every unit."""
        units = self.units.items()
        return " ".join(f"{name}{Role(role).name[0]}{rank if role else ''}" for name, (role, rank) in units)

    def targets(self):
        return [name for name, (role, _) in self.units.items() if role == Role.TARGET]

    def sees(self, name):
        """Names of the units whose true value this one may see."""
        own = torch.tensor(self.units[name][1])
        return [
            other for other, (role, rank) in self.units.items() if bool(sees_value(torch.tensor(role), torch.tensor(rank), own))
        ]


@pytest.fixture(scope="session")
def tell():
    """``tell(order, layout, row=0)``: see `Told`."""
    return Told


@pytest.fixture(scope="session")
def tiny(make_batch):
    """``tiny([2, 1])``: the layout of trajectories of so many actions, views of one cell."""
    return lambda lengths, **options: make_batch(lengths, view=(1, 1), **options).layout


@pytest.fixture(scope="session")
def told(tiny):
    """``told(strategy, num_actions, seed=0)``: one order of a tiny trajectory, told."""

    def tell_one(strategy, num_actions, seed=0):
        layout = tiny([num_actions])
        return Told(strategy(layout, seeded(seed)), layout)

    return tell_one


@pytest.fixture(scope="session")
def draws(tiny):
    """``draws(strategy, num_actions, number)``: the layout of so many copies of a tiny trajectory and their order."""

    def draw(strategy, num_actions, number, seed=0):
        layout = tiny([num_actions]).rows(torch.zeros(number, dtype=torch.int64))
        return layout, strategy(layout, seeded(seed))

    return draw


@pytest.fixture(scope="session")
def assert_share():
    """``assert_share(hits, trials, probability)``: within five standard deviations of a binomial."""

    def check(hits, trials, probability):
        spread = 5 * (probability * (1 - probability) / trials) ** 0.5
        assert hits / trials == pytest.approx(probability, abs=spread + 1e-12)

    return check
