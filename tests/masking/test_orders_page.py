"""docs/orders.md keeps its word: every expression on it can be drawn from, every strategy is on it, and the patterns of
other projects show and ask what those projects' own masks show and ask, written down here from their definitions.

Legend: T actions of a trajectory, observations 0..T.
"""

import re
from pathlib import Path

import pytest
import torch
import yaml

from anyorder.build.masking import strategy_schedule
from anyorder.config import MaskingConfig
from anyorder.elements.layout import Kind
from anyorder.masking.expressions import strategy_from
from anyorder.masking.order import Role, sees_value
from anyorder.masking.strategies import STRATEGIES

PAGE = (Path(__file__).parents[2] / "docs" / "orders.md").read_text()
DEFAULTS = {"rate": 0.3, "rates": {}}


def rows(text):
    """(first, second) cell of every row of the tables in a piece of the page, headings left out."""
    lines = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("| ")]
    return [(name, expression.strip("`")) for name, expression, _ in lines if expression.startswith("`")]


def section(title):
    """What stands under a heading, up to the next of its level."""
    found = re.search(rf"^(#+) {re.escape(title)}\n(.*?)(?=^\1 |\Z)", PAGE, re.M | re.S)
    assert found, f"the page has no section {title}"
    return found[2]


ALL = rows(PAGE)
PROJECTS = ["MTM", "uniMASK", "MaskDP", "Masked and block diffusion", "Any-Order Masked Training"]
PATTERNS = {f"{project}: {name}": text for project in PROJECTS for name, text in rows(section(project))}


def draw(text, layout, seed=0):
    return strategy_from(yaml.safe_load(text), DEFAULTS)(0.0)(layout, torch.Generator().manual_seed(seed))


@pytest.fixture(scope="module")
def layout(encoded):
    return encoded.batch(range(5)).layout


def test_the_page_names_every_strategy_once_and_draws_it():
    listed = rows(section("The strategies"))
    assert sorted(name for name, _ in listed) == sorted(STRATEGIES)
    for name, text in listed:
        spec = yaml.safe_load(text)
        assert name == spec if isinstance(spec, str) else name in spec


def test_the_page_maps_every_pattern():
    numbers = [len(rows(section(project))) for project in PROJECTS]
    assert numbers == [10, 11, 5, 5, 8] and len(ALL) == sum(numbers) + len(STRATEGIES)


@pytest.mark.parametrize(("name", "text"), ALL, ids=[name for name, _ in ALL])
def test_every_expression_can_be_drawn_from(layout, name, text):
    order = draw(text, layout)
    assert order.roles.shape == layout.shape and order.targets.any(dim=1).all()
    assert (order.roles[~layout.present] == Role.DROPPED).all() and (order.ranks >= 0).all()


def test_the_configurations_on_the_page_are_read(layout):
    blocks = re.findall(r"```yaml\n(.*?)```", PAGE, re.S)
    lines = re.findall(r"--masking.mixture '(.*?)'", PAGE)
    assert blocks and lines
    written = [yaml.safe_load(block)["masking"] for block in blocks]
    for masking in [*written, *({"mixture": yaml.safe_load(line)} for line in lines)]:
        order = strategy_schedule(MaskingConfig(**masking))(0.5)(layout, torch.Generator().manual_seed(0))
        assert order.targets.any(dim=1).all()


# What an order comes to, in whole units: {(kind, step) that is asked: {(kind, step) that it sees}} for one trajectory.

LETTER = {Kind.OBSERVATION: "s", Kind.ACTION: "a", Kind.RETURN: "r", Kind.MISSION: "m"}


def asked_and_seen(order, layout, row):
    """Of one trajectory; fails where a unit is partly asked or partly seen."""
    units = {}
    for element in layout.present[row].nonzero()[:, 0].tolist():
        kind = LETTER[Kind(int(layout.kind[row, element]))]
        units.setdefault((kind, max(int(layout.step[row, element]), 0)), []).append(element)
    roles, ranks = order.roles[row], order.ranks[row]
    found = {}
    for unit, elements in units.items():
        targets = order.targets[row, elements]
        assert targets.all() or not targets.any(), f"{unit} is asked for in part"
        if targets.all():
            visible = sees_value(roles, ranks, ranks[elements[0]])
            shares = {other: visible[members] for other, members in units.items()}
            assert all(share.all() or not share.any() for share in shares.values())
            found[unit] = {other for other, share in shares.items() if share.all()}
    return found


def s(*steps):
    return {("s", step) for step in steps}


def a(*steps):
    return {("a", step) for step in steps}


def r(*steps):
    return {("r", step) for step in steps}


def upto(stop):
    return range(stop)


# Per pattern: T -> {what is asked: what it sees} (the mission aside), from the peers' definitions. Their L is our T.


def bc(T):
    """MTM BC, uniMASK BC, Standard SFT: states[:i + 1] and actions[:i] are shown, action i is asked for."""
    return {("a", i): s(*upto(i + 1)) | a(*upto(i)) for i in upto(T)}


def goal_n(T):
    """MTM GOAL_N and uniMASK goal: as BC, and the last state is shown."""
    return {unit: seen | s(T) for unit, seen in bc(T).items()}


def decision_transformer(T):
    """A causal model over r_0 s_0 a_0 r_1 ...: action i is read out at s_i."""
    return {("a", i): s(*upto(i + 1)) | r(*upto(i + 1)) | a(*upto(i)) for i in upto(T)}


def all_returns(T):
    """MTM RCBC and uniMASK RC_fixed: as BC, and the return mask is all ones."""
    return {unit: seen | r(*upto(T)) for unit, seen in bc(T).items()}


def first_return(T):
    """uniMASK RC_fixed_first: as BC, and the return mask is one at the first step alone."""
    return {unit: seen | r(0) for unit, seen in bc(T).items()}


def plan(T):
    """MTM GOAL and MaskDP's goal: the first and the last state are shown, the action mask is all zeros."""
    return {("a", i): s(0, T) for i in upto(T)}


def inverse(T):
    """MTM ID: the state mask is all ones, the action mask all zeros."""
    return {("a", i): s(*upto(T + 1)) for i in upto(T)}


PER_TARGET = {
    "MTM: BC": bc,
    "MTM: GOAL_N": goal_n,
    "MTM: ID": inverse,
    "MTM: RCBC": all_returns,
    "MTM: GOAL": plan,
    "MaskDP: goal": plan,
    "uniMASK: RC (RC_fixed)": all_returns,
    "uniMASK: RC (RC_fixed_first)": first_return,
    "uniMASK: BC": bc,
    "uniMASK: goal": goal_n,
    "uniMASK: DT": decision_transformer,
    "Any-Order Masked Training: Standard SFT": bc,
    "Any-Order Masked Training: Prefix SFT, stage 2": bc,
}


@pytest.mark.parametrize("pattern", PER_TARGET)
def test_patterns_without_chance(layout, pattern):
    order = draw(PATTERNS[pattern], layout)
    goal_only = "goal_conditioned" in PATTERNS[pattern]
    for row in range(layout.shape[0]):
        T = int(layout.of_kind(Kind.ACTION)[row].sum())
        found = asked_and_seen(order, layout, row)
        mission = set() if goal_only else {("m", 0)}
        assert found == {unit: seen | mission for unit, seen in PER_TARGET[pattern](T).items()}


# Per pattern with one random cut: (T, cut) -> (what is asked, what is seen by all of it).


def forward_cut(T, cut):
    """MTM FD: states[:cut] and all actions are shown; the other states are asked for."""
    return s(*range(cut, T + 1)), s(*upto(cut)) | a(*upto(T))


def one_step_forwards(T, cut):
    """uniMASK ForwardDynamics, Prefix SFT stage 1: state and action cut - 1 are shown, state cut is asked for."""
    return s(cut), s(cut - 1) | a(cut - 1)


def one_step_backwards(T, cut):
    """uniMASK BackwardsDynamics: state cut and action cut - 1 are shown, state cut - 1 is asked for."""
    return s(cut - 1), s(cut) | a(cut - 1)


def past_cut(T, cut):
    """uniMASK past, span (0, cut): states and actions before the cut are hidden."""
    return s(*upto(cut)) | a(*upto(cut)), s(*range(cut, T + 1)) | a(*range(cut, T))


def future_cut(T, cut):
    """uniMASK future, span (cut, L): states from the cut on and actions from cut - 1 on are hidden. MaskDP's prompt:
    cut states and one action less are shown."""
    hidden = s(*range(cut, T + 1)) | a(*range(cut - 1, T))
    return hidden, s(*upto(cut)) | a(*upto(cut - 1))


WITH_A_CUT = {
    "MTM: FD": forward_cut,
    "uniMASK: forward dynamics": one_step_forwards,
    "uniMASK: backward dynamics": one_step_backwards,
    "Any-Order Masked Training: Prefix SFT, stage 1": one_step_forwards,
    "uniMASK: past": past_cut,
    "uniMASK: future": future_cut,
    "MaskDP: prompt": future_cut,
}


@pytest.mark.parametrize(("pattern", "rule"), WITH_A_CUT.items())
def test_patterns_with_a_random_cut(layout, pattern, rule):
    cuts = set()
    for seed in range(5):
        order = draw(PATTERNS[pattern], layout, seed)
        for row in range(layout.shape[0]):
            T = int(layout.of_kind(Kind.ACTION)[row].sum())
            found = asked_and_seen(order, layout, row)
            possible = [cut for cut in range(1, T + 1) if rule(T, cut)[0] == found.keys()]
            assert len(possible) == 1
            (cut,) = possible
            assert all(seen == rule(T, cut)[1] | {("m", 0)} for seen in found.values())
            cuts.add(cut)
    assert len(cuts) > 1, "the cut is random"


@pytest.mark.parametrize("pattern", ["MTM: AUTO_MASK", "MTM: BC_RANDOM"])
def test_random_autoregression_hides_the_end_and_sees_what_is_left(layout, pattern):
    """From some state or action on everything is hidden, so the last ones always are; what is hidden is asked for."""
    order = draw(PATTERNS[pattern], layout)
    for row in range(layout.shape[0]):
        found = asked_and_seen(order, layout, row)
        T = int(layout.of_kind(Kind.ACTION)[row].sum())
        everything = s(*upto(T + 1)) | a(*upto(T))
        assert s(T) | a(T - 1) <= found.keys()
        assert all(seen == everything - found.keys() | {("m", 0)} for seen in found.values())


def test_waypoints_are_seen_by_all_actions(layout):
    """uniMASK waypoint: BC, and the states of the waypoints are shown; the waypoints themselves are ours, random."""
    order = draw(PATTERNS["uniMASK: waypoint"], layout)
    for row in range(layout.shape[0]):
        T = int(layout.of_kind(Kind.ACTION)[row].sum())
        found = asked_and_seen(order, layout, row)
        ahead = found[("a", 0)] - s(0)
        assert len(ahead) == min(2, T) and ahead <= s(*range(1, T + 1))
        assert found == {unit: seen | ahead for unit, seen in bc(T).items()}


def test_several_goals_are_all_that_a_plan_sees(layout):
    """MaskDP multi_goal_act: the state and the goals are encoded, all actions are read out; ours are random steps."""
    order = draw(PATTERNS["MaskDP: several goals with a time budget"], layout)
    for row in range(layout.shape[0]):
        T = int(layout.of_kind(Kind.ACTION)[row].sum())
        found = asked_and_seen(order, layout, row)
        goals = found[("a", 0)] - s(0)
        assert len(goals) == min(5, T) and goals <= s(*range(1, T + 1))
        assert found == {("a", i): s(0) | goals for i in upto(T)}


def test_a_new_plan_sees_where_it_starts_and_its_goal(make_batch):
    """MaskDP act: one state and the goal are encoded, the actions between them are read out."""
    layout, starts = make_batch([20, 15], view=(1, 1)).layout, set()
    for seed in range(20):
        order = draw(PATTERNS["MaskDP: replan"], layout, seed)
        for row in range(2):
            found = asked_and_seen(order, layout, row)
            start = min(step for _, step in found)
            assert found == {("a", i): s(start, start + 12) for i in range(start, start + 12)}
            starts.add((row, start))
    assert starts <= {(0, start) for start in range(9)} | {(1, start) for start in range(4)} and len(starts) > 8


def test_blocks_see_their_own_rest_and_all_values_before(layout):
    """BD3-LM: a noisy token attends to the noisy tokens of its block (unhidden ones show their value) and to the clean
    copy of the blocks before it; nothing attends to later blocks."""
    order = draw(PATTERNS["Masked and block diffusion: BD3-LM"], layout)
    block = layout.step // 4
    in_episode = layout.of_kind(Kind.OBSERVATION) | layout.of_kind(Kind.ACTION)
    for row, target in order.targets.nonzero().tolist()[::37]:
        seen = sees_value(order.roles[row], order.ranks[row], order.ranks[row, target])
        shown_beside = (block[row] == block[row, target]) & ~order.targets[row]
        theirs = in_episode[row] & ((block[row] < block[row, target]) | shown_beside)
        assert torch.equal(seen & in_episode[row], theirs)
        assert torch.equal(seen & ~in_episode[row], layout.of_kind(Kind.MISSION)[row])


UNITS = ["MTM: RANDOM", "uniMASK: random", "MaskDP: random", "Any-Order Masked Training: Mixed"]
ACTIONS = ["Any-Order Masked Training: Action-Only"]


@pytest.mark.parametrize("pattern", [*UNITS, *ACTIONS])
def test_random_masks_of_whole_units_see_all_that_is_not_hidden(layout, pattern):
    order = draw(PATTERNS[pattern], layout)
    kinds = set()
    for row in range(layout.shape[0]):
        T = int(layout.of_kind(Kind.ACTION)[row].sum())
        everything = s(*upto(T + 1)) | a(*upto(T)) | {("m", 0)}
        found = asked_and_seen(order, layout, row)
        kinds |= {kind for kind, _ in found}
        assert all(seen == everything - found.keys() for seen in found.values())
    assert kinds == ({"a"} if pattern in ACTIONS else {"s", "a"})
