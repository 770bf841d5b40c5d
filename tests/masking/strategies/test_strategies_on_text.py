"""Every strategy works on text: it asks whole turns, words or tokens, and never for a mark or an exempt turn."""

from dataclasses import replace

import pytest
import torch
from strategy_settings import RATE, SETTINGS
from toy_conversations import conversation

from anyorder.elements.layout import Kind
from anyorder.elements.text.elements import EncodedTexts
from anyorder.elements.text.form import PLAIN
from anyorder.masking import queries
from anyorder.masking.order import Role
from anyorder.masking.strategies import STRATEGIES, Cell, NextStep, Only, Window

FORM = replace(PLAIN, rooms={"observation": 4, "action": 8})
ABOUT_RETURNS = {"return_conditioned", "next_return", "value"}


def built(name, rate=RATE):
    cls = STRATEGIES[name]
    return cls(**SETTINGS.get(name, {}), **({"rate": rate} if "rate" in cls.__dataclass_fields__ else {}))


every = pytest.mark.parametrize("name", [name for name in STRATEGIES if name not in ABOUT_RETURNS])


@pytest.fixture(scope="module")
def layout(llada_codec):
    """Without an exempt turn; with exempt first turns; with exempt turns in the middle."""
    texts = ["see a door", "go to it", "a key", "pick up the key", "done", "finish[yes]", "reward"]
    trajectories = [conversation(*texts, unasked=unasked) for unasked in ((), (0, 1, 2), (1, 2, 3, 4))]
    return EncodedTexts.of(trajectories, llada_codec, FORM).batch(range(3)).layout


def order_of(name, layout, seed=0):
    return built(name)(layout, torch.Generator().manual_seed(seed))


@every
def test_marks_and_exempt_turns_are_never_hidden(layout, name):
    for seed in range(30):
        order = order_of(name, layout, seed)
        assert order.targets.any(dim=1).all()
        exempt = order.roles[layout.exempt]
        assert ((exempt == Role.CONTEXT) | (exempt == Role.DROPPED)).all()
        assert (order.roles[~layout.present] == Role.DROPPED).all()
        assert name == "mission_words" or not order.targets[layout.of_kind(Kind.MISSION)].any()


@every
def test_a_mark_has_the_rank_of_its_turn_and_goes_with_it(layout, name):
    """Marks of later turns would tell how much is still to come."""
    for seed in range(10):
        order = order_of(name, layout, seed)
        for row in range(3):
            for unit in range(1, layout.num_units):
                here = layout.unit[row] == unit
                here &= layout.present[row]
                assert order.ranks[row][here].unique().numel() == 1
                dropped = order.roles[row][here] == Role.DROPPED
                assert dropped.all() or not dropped.any()


WHOLE = [
    "unit",
    "mixed",
    "actions_only",
    "observations_only",
    "next_action",
    "next_observation",
    "next_step",
    "forward_dynamics",
    "inverse_dynamics",
    "backward_dynamics",
    "past",
    "future",
    "random_autoregressive",
    "goal_conditioned",
    "waypoint",
    "permutation",
]


@pytest.mark.parametrize("name", WHOLE)
def test_a_turn_is_asked_as_a_whole_with_its_end_and_all_of_its_room(layout, name):
    for seed in range(10):
        targets = order_of(name, layout, seed).targets
        for row in range(3):
            for unit in range(1, layout.num_units):
                room = (layout.unit[row] == unit) & layout.askable[row]
                assert not room.any() or targets[row][room].unique().numel() == 1


def asked(name, layout, row=0, seed=0):
    """``{"a0", "o1", ...}``"""
    targets = order_of(name, layout, seed).targets[row]
    letters = {Kind.OBSERVATION: "o", Kind.ACTION: "a"}
    return {letters[Kind(int(k))] + str(int(s)) for k, s in zip(layout.kind[row][targets], layout.step[row][targets])}


def test_what_is_not_random_asks_for_what_it_says(layout):
    assert asked("next_action", layout) == {"a0", "a1", "a2"}
    assert asked("next_action", layout, row=1) == {"a1", "a2"}
    assert asked("next_observation", layout) == {"o0", "o1", "o2", "o3"}
    assert asked("forward_dynamics", layout) == {"o1", "o2", "o3"}
    assert asked("forward_dynamics", layout, row=2) == {"o3"}
    assert asked("backward_dynamics", layout) == {"o0", "o1", "o2"}
    assert asked("inverse_dynamics", layout) == {"a0", "a1", "a2"}
    assert asked("next_step", layout) == {"o0", "a0", "o1", "a1", "o2", "a2", "o3"}


@pytest.mark.parametrize(("name", "group"), [("cell", "cell"), ("unit", "unit")])
def test_a_word_and_a_turn_are_hidden_together_at_the_stated_rate(layout, name, group):
    many = layout.rows(torch.zeros(800, dtype=torch.int64))
    targets = order_of(name, many).targets
    groups = getattr(layout, group)[0]
    for number in groups[layout.askable[0] & (layout.kind[0] != Kind.MISSION)].unique():
        here = (groups == number) & layout.askable[0]
        share = targets[:, here].double().mean(dim=0)
        assert (share == share[0]).all(), "all or nothing"
        assert abs(float(share[0]) - 0.3) < 0.13  # given that something is hidden a little more


@pytest.mark.parametrize("name", ["token", "attribute"])
def test_tokens_are_hidden_one_by_one(layout, name):
    many = layout.rows(torch.zeros(2000, dtype=torch.int64))
    targets = order_of(name, many).targets.double()
    shown = layout.askable[0] & (layout.kind[0] != Kind.MISSION)
    assert (targets[:, shown].mean(dim=0) - 0.3).abs().max() < 0.06
    assert not targets[:, ~shown].any()


def test_restrictions_and_windows_keep_the_law(layout):
    only = Only(Cell(RATE), kinds=[Kind.ACTION], steps=(1, 2))(layout, torch.Generator().manual_seed(0))
    assert (layout.kind[only.targets] == Kind.ACTION).all() and only.targets.any(dim=1).all()
    window = Window(NextStep(), 2)(layout.rows(torch.tensor([0, 0])), torch.Generator().manual_seed(1))
    assert (window.roles == Role.DROPPED).any(), "the marks of what lies outside are dropped too"


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (queries.NextActionQuery(1), {"a1"}),
        (queries.ForwardDynamicsQuery(1), {"o2"}),
        (queries.InfillQuery(1, 2), {"o1", "a1"}),
    ],
)
def test_queries_show_the_marks_of_what_they_ask(layout, query, expected):
    order = query(layout)
    letters = {Kind.OBSERVATION: "o", Kind.ACTION: "a"}
    targets = order.targets[0]
    found = {letters[Kind(int(k))] + str(int(s)) for k, s in zip(layout.kind[0][targets], layout.step[0][targets])}
    assert found == expected
    marks = layout.exempt[0] & torch.isin(layout.unit[0], layout.unit[0][targets])
    assert marks.any() and (order.roles[0][marks] == Role.CONTEXT).all()
