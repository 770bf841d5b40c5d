"""A grid in tokens means what it means on the grid, is given back exactly, and its form tells nothing that is hidden."""

import gymnasium
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from toy_conversations import byte_level, wordpiece

from anyorder.elements.batch import EncodedTrajectories
from anyorder.elements.grid import Attribute, GridVocabulary
from anyorder.elements.layout import Kind
from anyorder.elements.text.codec import TextCodec
from anyorder.envs import minigrid
from anyorder.errors import AnyOrderError
from anyorder.masking.order import Role, reconstruct, sees_value
from anyorder.masking.schedules import Rate, schedule_from
from anyorder.masking.strategies import (
    AttributeWise,
    BackwardDynamics,
    Cell,
    ForwardDynamics,
    GoalConditioned,
    NextAction,
    NextStep,
    Permutation,
    Token,
    Unit,
    Waypoint,
)
from anyorder.models.grid_text.grid_reading import read_grid
from anyorder.models.grid_text.grid_text import GridText
from anyorder.models.grid_text.grid_tokens import GridTokens, add_grid_tokens, token_names
from anyorder.types import Trajectory

LEVELS = sorted(name for name in gymnasium.registry if name.startswith("BabyAI-"))


def codec_of(tokenizer, mask, end):
    add_grid_tokens(tokenizer)
    return TextCodec(tokenizer, tokenizer.token_to_id(mask), tokenizer.token_to_id(end))


CODECS = {"bert": codec_of(wordpiece(), "[MASK]", "[SEP]"), "llada": codec_of(byte_level(), "<|mask|>", "<|endoftext|>")}
RUNS = [1, 7, 49]
RATE = Rate(0.3, 0.3)
STRATEGIES = {
    "cell": Cell(RATE),
    "attribute": AttributeWise(RATE, {"color": Rate(0.6, 0.6)}),
    "unit": Unit(RATE),
    "token": Token(RATE),
    "next_action": NextAction(),
    "next_step": NextStep(),
    "forward": ForwardDynamics(),
    "backward": BackwardDynamics(),
    "goal": GoalConditioned(),
    "waypoint": Waypoint(1),
    "permutation": Permutation(),
}


def all_shown(layout):
    return reconstruct(layout, torch.zeros(layout.shape, dtype=torch.bool))


def batch_of(trajectories):
    return EncodedTrajectories(trajectories, GridVocabulary.of(trajectories)).batch(range(len(trajectories)))


def assert_given_back(trajectory, written, row, codec):
    present = written.batch.layout.present[row]
    read = read_grid(written.batch.values[row][present].tolist(), codec, trajectory.observations.shape[1:3])
    assert read.mission == trajectory.mission
    for name in ("observations", "directions", "actions"):
        ours, theirs = getattr(read, name), getattr(trajectory, name)
        assert ours.dtype == theirs.dtype and np.array_equal(ours, theirs), name


def few_random_steps(env_id, seed, num_steps=4):
    """The random policy, and no more of it than a few steps."""
    env, generator = minigrid.make_env(env_id), np.random.default_rng(seed)
    views, actions = [minigrid.reset(env, seed)], []
    for _ in range(num_steps):
        actions.append(int(generator.integers(7)))
        observation, _, terminated, truncated, _ = env.step(actions[-1])
        views.append(minigrid.read_view(observation))
        if terminated or truncated:
            break
    return Trajectory(
        env_id,
        seed,
        views[0].mission,
        np.stack([view.image for view in views]),
        np.array([view.direction for view in views], np.uint8),
        np.array(actions, np.uint8),
        np.zeros(len(actions), np.float32),
        False,
        True,
    )


def test_there_are_96_levels():
    assert len(LEVELS) == 96


@pytest.mark.parametrize("env_id", LEVELS)
def test_every_level_is_given_back_exactly(env_id):
    trajectory = few_random_steps(env_id, seed=len(env_id))
    batch = batch_of([trajectory])
    for codec in CODECS.values():
        for longest_run in (1, 49):
            written = GridText(codec, longest_run).write(batch.values, batch.layout, all_shown(batch.layout))
            assert_given_back(trajectory, written, 0, codec)


@settings(max_examples=30, deadline=None)
@given(lengths=st.lists(st.integers(1, 4), min_size=1, max_size=3), seed=st.integers(0, 99), flat=st.booleans())
def test_any_values_and_any_form_are_given_back_exactly(make_trajectory, lengths, seed, flat):
    """Also where attributes are told one by one, since some have another rank."""
    trajectories = [make_trajectory(n, (3, 2), "go to the ball", seed + i) for i, n in enumerate(lengths)]
    for trajectory in trajectories if flat else []:
        trajectory.observations.flags.writeable = True
        trajectory.observations[:] = trajectory.observations[:1, :1, :1]
    batch = batch_of(trajectories)
    order = all_shown(batch.layout)
    order.ranks[:] = torch.randint(2, order.ranks.shape, generator=torch.Generator().manual_seed(seed))
    for longest_run in RUNS:
        written = GridText(CODECS["llada"], longest_run).write(batch.values, batch.layout, order)
        for row, trajectory in enumerate(trajectories):
            assert_given_back(trajectory, written, row, CODECS["llada"])


@pytest.mark.parametrize("longest_run", RUNS)
@pytest.mark.parametrize("name", STRATEGIES)
def test_a_strategy_means_on_tokens_what_it_means_on_the_grid(encoded, name, longest_run):
    batch = encoded.batch(range(8))
    text = GridText(CODECS["bert"], longest_run)
    for seed in range(3):
        order = STRATEGIES[name](batch.layout, torch.Generator().manual_seed(seed))
        written = text.write(batch.values, batch.layout, order)
        exists = order.roles != Role.DROPPED
        assert torch.equal(written.token < 0, ~exists)
        token = written.token.clamp(min=0)
        layout = written.batch.layout
        for on_grid, on_tokens in ((order.roles, written.order.roles), (order.ranks, written.order.ranks)):
            assert torch.equal(on_tokens.gather(1, token)[exists], on_grid[exists])
        for place in ("kind", "step", "unit"):
            found = getattr(layout, place).gather(1, token)
            assert torch.equal(found[exists], getattr(batch.layout, place)[exists]), place
        alone = exists & ~written.whole & (batch.layout.kind != Kind.MISSION)
        assert torch.equal(layout.attribute.gather(1, token)[alone], batch.layout.attribute[alone])
        asked = order.targets
        assert torch.equal(layout.cell.gather(1, token)[asked], batch.layout.cell[asked]), "a cell that is asked has its own"
        assert not written.order.targets[layout.exempt].any()
        pairs = {(b, int(token[b, e])) for b, e in asked.nonzero().tolist()}
        assert len(pairs) == int(written.order.targets.sum()), "every target of the text is one of the grid"


def other_hidden_values(batch, order, seed=0):
    """The same batch with other values wherever nothing is shown."""
    hidden = (order.roles == Role.TARGET) | (order.roles == Role.HIDDEN)
    shuffled = batch.values.clone()
    for attribute in batch.layout.attribute.unique():
        here = hidden & (batch.layout.attribute == attribute)
        shuffled[here] = batch.values[here].flip(0)
    return shuffled


@pytest.mark.parametrize("longest_run", RUNS)
@pytest.mark.parametrize("name", STRATEGIES)
def test_the_form_tells_nothing_of_what_is_hidden(encoded, name, longest_run):
    batch = encoded.batch(range(8))
    text = GridText(CODECS["bert"], longest_run)
    order = STRATEGIES[name](batch.layout, torch.Generator().manual_seed(5))
    others = other_hidden_values(batch, order)
    assert not torch.equal(others, batch.values)
    one, two = (text.write(values, batch.layout, order) for values in (batch.values, others))
    for place in ("kind", "attribute", "step", "cell", "unit", "exempt", "positions"):
        assert torch.equal(getattr(one.batch.layout, place), getattr(two.batch.layout, place)), place
    assert torch.equal(one.order.roles, two.order.roles) and torch.equal(one.order.ranks, two.order.ranks)
    shown = one.order.roles == Role.CONTEXT
    assert torch.equal(one.batch.values[shown], two.batch.values[shown])


@pytest.mark.parametrize("name", ["next_action", "next_step", "forward", "backward", "goal", "waypoint", "permutation"])
def test_what_is_seen_stands_where_it_stood_whatever_is_not_seen(encoded, name):
    """For every rank: other values of what it may not see change neither the tokens it sees nor their positions."""
    batch = encoded.batch(range(8))
    text = GridText(CODECS["bert"], 49)
    order = STRATEGIES[name](batch.layout, torch.Generator().manual_seed(5))
    written = text.write(batch.values, batch.layout, order)
    episode = batch.layout.step >= 0
    for rank in order.ranks[order.targets].unique():
        unseen = ~sees_value(order.roles, order.ranks, rank) & episode & batch.layout.present
        values = torch.where(unseen, batch.values.flip(0) * batch.layout.present.flip(0), batch.values)
        start = torch.tensor([0, 11, 17, 21, 46, 53, 25])[batch.layout.attribute]
        size = torch.tensor([11, 6, 4, 4, 7, 1, 21])[batch.layout.attribute]
        values = torch.where(unseen, start + values % size, values)
        changed = text.write(values, batch.layout, order)
        for row in range(8):
            seen = [stands_where(each, row, rank) for each in (written, changed)]
            assert seen[0] == seen[1]


def stands_where(written, row, rank):
    layout, order = written.batch.layout, written.order
    visible = (order.ranks[row] <= rank) & layout.present[row]
    known = sees_value(order.roles[row], order.ranks[row], rank) & layout.present[row]
    said = written.batch.values[row].where(known, -1)
    return [(int(layout.positions[row, e]), int(said[e])) for e in visible.nonzero()[:, 0].tolist()]


def test_hidden_cells_share_and_rate_are_the_grids(encoded):
    """A schedule over updates, too: what it asks for on the grid is asked for in the text."""
    batch = encoded.batch(range(8))
    schedule = schedule_from({"step": [0.15, 0.3, 0.5]})
    for progress, rate in ((0.0, 0.15), (0.5, 0.3), (0.99, 0.5)):
        assert schedule(progress) == Rate(rate, rate)
        order = Cell(schedule(progress))(batch.layout, torch.Generator().manual_seed(0))
        written = GridText(CODECS["bert"], 49).write(batch.values, batch.layout, order)
        layout = batch.layout
        cells = {(b, int(layout.cell[b, e])) for b, e in order.targets.nonzero().tolist()}
        assert int(written.order.targets.sum()) == len(cells)


def test_runs_shorten_what_is_shown(encoded):
    batch = encoded.batch(range(8))
    order = NextAction()(batch.layout, torch.Generator())
    sizes = {
        n: int(GridText(CODECS["bert"], n).write(batch.values, batch.layout, order).batch.layout.present.sum()) for n in RUNS
    }
    frames = sum(encoded.lengths)
    mission = sum(len(CODECS["bert"].encode(m)) for m in batch.layout.missions)
    assert sizes[1] == mission + frames * (1 + 49 + 1) + (frames - 8)
    assert sizes[49] < sizes[7] < sizes[1] and sizes[49] < 0.52 * sizes[1]


def test_by_hand(make_trajectory):
    trajectory = make_trajectory(1, (2, 3), "go to the ball", 0)
    trajectory.observations.flags.writeable = True
    trajectory.observations[:] = [2, 5, 0]
    trajectory.observations[0, 0, 0] = [6, 0, 0]
    batch = batch_of([trajectory])
    layout, grid = batch.layout, GridTokens.of(CODECS["bert"])
    hidden = (layout.step == 1) & (layout.attribute == Attribute.COLOR) & (layout.cell == layout.cell[0][19 + 4 + 4])
    order = reconstruct(layout, hidden)
    written = GridText(CODECS["bert"], 49).write(batch.values, layout, order)
    names = token_names()
    said = [names[t - grid.first] for t in written.batch.values[0].tolist() if t >= grid.first]
    assert said[:3] == ["<observation>", "<cell ball red 0>", "<wall x 5>"]
    assert said[3].startswith("<direction") and said[4].startswith("<action")
    assert int(order.targets.sum()) == int(written.order.targets.sum()) == 1
    at = int(written.order.targets[0].nonzero())
    around = [names[t - grid.first] for t in written.batch.values[0, at - 1 : at + 2].tolist()]
    assert around == ["<object wall>", "<color grey>", "<state 0>"]
    assert written.batch.layout.attribute[0, at - 1 : at + 2].tolist() == [0, 1, 2]
    assert written.batch.layout.positions[0, 4:9].tolist() == [4, 5, 6, 11, 12], "a run takes as many as its cells"


@pytest.mark.parametrize("name", STRATEGIES)
def test_runs_move_nothing(encoded, name):
    """What is not in a run, and the first cell of one, stands where it would without runs."""
    batch = encoded.batch(range(8))
    order = STRATEGIES[name](batch.layout, torch.Generator().manual_seed(5))
    alone, runs = (GridText(CODECS["bert"], n).write(batch.values, batch.layout, order) for n in (1, 49))
    assert alone.batch.layout.positions.max() == runs.batch.layout.positions.max()
    stands_at = [each.batch.layout.positions.gather(1, each.token.clamp(min=0)) for each in (alone, runs)]
    for row, tokens in enumerate(runs.token.tolist()):
        first = {token: element for element, token in reversed(list(enumerate(tokens))) if token >= 0}
        heads = sorted(first.values())
        assert torch.equal(stands_at[0][row, heads], stands_at[1][row, heads])


def test_what_cannot_be_written_or_read_is_refused(make_trajectory):
    plain = wordpiece()
    with pytest.raises(AnyOrderError, match="add_grid_tokens"):
        GridText(TextCodec(plain, 4, 3))
    with pytest.raises(AnyOrderError, match="longest_run must be between 1 and 49; found 50"):
        GridText(CODECS["bert"], 50)
    batch = batch_of([make_trajectory(1, (1, 1), "Go To The BALL")])
    with pytest.raises(AnyOrderError, match="must give the mission 'Go To The BALL' back; found 'go to the ball'"):
        GridText(CODECS["bert"]).write(batch.values, batch.layout, all_shown(batch.layout))
    batch = batch_of([make_trajectory(2, (2, 2), "go")])
    ids = GridText(CODECS["bert"]).write(batch.values, batch.layout, all_shown(batch.layout)).batch.values[0].tolist()
    for wrong in (ids[:3], [*ids, ids[1]], ids[:-1], [i for i in ids if i != ids[-2]]):
        with pytest.raises(AnyOrderError, match="found"):
            read_grid(wrong, CODECS["bert"], (2, 2))


def test_a_text_cannot_spell_a_token_of_the_grid():
    for codec in CODECS.values():
        assert not set(codec.encode("<action left> <wall x 7>").ids) & set(range(GridTokens.of(codec).first, codec.size))
        assert GridTokens.of(codec).size == codec.size


def test_reading_experts(trajectories, encoded):
    batch = encoded.batch(range(8))
    written = GridText(CODECS["llada"], 49).write(batch.values, batch.layout, all_shown(batch.layout))
    for row, trajectory in enumerate(trajectories):
        assert_given_back(trajectory, written, row, CODECS["llada"])
