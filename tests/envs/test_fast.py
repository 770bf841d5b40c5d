"""Episodes of fast environments and of the fast bot are those of MiniGrid's own, to the bit."""

import gymnasium as gym
import numpy as np
import pytest

from anyorder.data.episodes import TIME_LIMIT, play_episode
from anyorder.data.manifest import Failure
from anyorder.envs import experts
from anyorder.envs.experts import make_expert
from anyorder.envs.fast_bot import FastBot
from anyorder.envs.minigrid import make_env
from anyorder.errors import AnyOrderError

from minigrid.core.grid import Grid  # isort: skip
from minigrid.core.world_object import Ball, Door, Wall  # isort: skip
from minigrid.envs.babyai.goto import GoToLocal, GoToRedBall  # isort: skip
from minigrid.utils.baby_ai_bot import BabyAIBot  # isort: skip

LEVELS = sorted(name for name in gym.registry if name.startswith("BabyAI-"))
GRIDS = sorted(name for name in gym.registry if name.startswith("MiniGrid-"))
LOOPS = {"BabyAI-UnlockToUnlock-v0": [0, 5]}  # the bot loops for ever on most seeds
FIELDS = ("observations", "directions", "actions", "rewards")


def plain_episode(env_id, policy, noise, seed, time_limit=20):
    """One of MiniGrid's environment and, if the policy has one, MiniGrid's bot."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(experts, "planner_of", BabyAIBot)
        env = gym.make(env_id, disable_env_checker=True)
        return play_episode(env, make_expert(policy, noise), seed, time_limit)


def fast_episode(env_id, policy, noise, seed, time_limit=20):
    return play_episode(make_env(env_id), make_expert(policy, noise), seed, time_limit)


def assert_same(plain, fast):
    if isinstance(plain, Failure):
        assert fast == plain
        return
    for field in FIELDS:
        mine, theirs = getattr(fast, field), getattr(plain, field)
        assert (mine.dtype, mine.shape, mine.tobytes()) == (theirs.dtype, theirs.shape, theirs.tobytes()), field
    ends = [(episode.mission, episode.terminated, episode.truncated) for episode in (plain, fast)]
    assert ends[0] == ends[1]


@pytest.mark.parametrize("env_id", LEVELS)
def test_the_bots_episodes_are_the_same(env_id):
    for seed in LOOPS.get(env_id, [0, 1]):
        assert_same(plain_episode(env_id, "bot", 0, seed), fast_episode(env_id, "bot", 0, seed))


@pytest.mark.parametrize("env_id", LEVELS[::4])
def test_the_noisy_bots_episodes_are_the_same(env_id):
    assert_same(plain_episode(env_id, "noisy_bot", 0.2, 7), fast_episode(env_id, "noisy_bot", 0.2, 7))


@pytest.mark.slow
@pytest.mark.parametrize("env_id", LEVELS)
def test_the_bots_episodes_are_the_same_for_1000_seeds(env_id):
    for seed in range(1000):
        fast = fast_episode(env_id, "bot", 0, seed, time_limit=1)
        plain = plain_episode(env_id, "bot", 0, seed, time_limit=1)
        if plain == Failure(seed, TIME_LIMIT) != fast:  # slow, but not without end
            plain = plain_episode(env_id, "bot", 0, seed, time_limit=60)
        assert_same(plain, fast)


def steps(env, seed, count):
    """What an environment shows and gives under random actions, over as many episodes as it takes."""
    generator = np.random.default_rng(seed)
    observation, _ = env.reset(seed=seed)
    shown = []
    for _ in range(count):
        shown.append((observation["image"].tolist(), observation["direction"], observation["mission"]))
        observation, *rest = env.step(int(generator.integers(env.action_space.n)))
        shown.append(rest)
        if rest[1] or rest[2]:
            observation, _ = env.reset()  # goes on in the same stream of random numbers
    return shown


@pytest.mark.parametrize("env_id", GRIDS + LEVELS[1::8])
def test_random_steps_are_the_same(env_id, capsys):
    try:
        fast = make_env(env_id)
        fast.reset(seed=3)
    except (AnyOrderError, ImportError, gym.error.DependencyNotInstalled):
        pytest.skip("needs files or packages that are not there")
    plain = gym.make(env_id, disable_env_checker=True)
    assert steps(fast, 3, 60) == steps(plain, 3, 60)
    state = [env.unwrapped.np_random.bit_generator.state for env in (fast, plain)]
    assert state[0] == state[1]


class Opaque(Ball):
    """A thing of a user's own, which hides what is behind it."""

    def see_behind(self):
        return False

    def encode(self):
        return (5, 5, 1)


class Mirrored(Grid):
    """A grid of a user's own."""

    def encode(self, vis_mask=None):
        return super().encode(vis_mask)[::-1].copy()


class WithOpaque(GoToRedBall):
    def gen_mission(self):
        super().gen_mission()
        self.grid.set(1, 1, None)
        for x in range(2, 6):
            if self.grid.get(x, 2) is None and (x, 2) != tuple(self.agent_pos):
                self.put_obj(Opaque("blue"), x, 2)


class WithMirror(GoToRedBall):
    def gen_mission(self):
        super().gen_mission()
        self.grid.__class__ = Mirrored


class Blind(GoToLocal):
    """Shows the row before the agent only."""

    def gen_obs_grid(self, agent_view_size=None):
        grid, seen = super().gen_obs_grid(agent_view_size)
        seen[:, :-2] = False
        return grid, seen


class Wide(GoToRedBall):
    def __init__(self, **options):
        super().__init__(agent_view_size=9, **options)


class Open(GoToRedBall):
    """A room without its outer wall, which the bot may leave."""

    def gen_mission(self):
        super().gen_mission()
        for n in range(8):
            for x, y in ((n, 0), (n, 7), (0, n), (7, n)):
                self.grid.set(x, y, None)


class WithMargin(GoToRedBall):
    """Two columns more than its room needs."""

    def __init__(self, **options):
        super().__init__(**options)
        self.width += 2


class RedWalls(GoToRedBall):
    def gen_mission(self):
        super().gen_mission()
        for n in range(8):
            self.grid.set(n, 0, Wall("red"))


@pytest.fixture
def registered():
    """Registers a level; returns its id."""
    names = []

    def register(kind):
        names.append(f"BabyAI-{kind.__name__}OfMine-v0")
        gym.register(names[-1], kind)
        return names[-1]

    yield register
    for name in names:
        del gym.registry[name]


@pytest.mark.parametrize("kind", [WithOpaque, WithMirror, Blind, Wide, Open, WithMargin, RedWalls])
def test_levels_with_ways_of_their_own_keep_them(kind, registered):
    env_id = registered(kind)
    for seed in range(12):
        assert_same(plain_episode(env_id, "bot", 0, seed), fast_episode(env_id, "bot", 0, seed))
    env = make_env(env_id)
    env.reset(seed=0)
    assert isinstance(experts._planner(env), BabyAIBot) == (kind in (Blind, WithMirror))


def test_a_bot_that_leaves_the_grid_fails_the_same(registered):
    env_id = registered(Open)
    plain = [plain_episode(env_id, "noisy_bot", 0.9, seed) for seed in range(12)]
    assert any(isinstance(result, Failure) for result in plain)
    for seed, result in enumerate(plain):
        assert_same(result, fast_episode(env_id, "noisy_bot", 0.9, seed))


def test_what_others_change_is_shown():
    env = make_env("BabyAI-GoToDoor-v0")
    env.reset(seed=0)
    world = env.unwrapped
    for cell in world.grid.grid:
        if isinstance(cell, Door):
            cell.is_open, cell.color = True, "red"
    world.grid.set(*world.front_pos, Ball("green"))
    plain = world.__class__.__mro__[1].gen_obs(world)
    assert (world.gen_obs()["image"] == plain["image"]).all()
    assert world.gen_obs()["image"].flags.writeable


def test_only_environments_of_make_env_change():
    env = make_env("BabyAI-GoToRedBall-v0")
    assert isinstance(env.unwrapped, GoToRedBall) and type(env.unwrapped).__name__ == "GoToRedBall"
    env.reset(seed=0)
    assert isinstance(experts._planner(env), FastBot)
    plain = gym.make("BabyAI-GoToRedBall-v0", disable_env_checker=True)
    assert type(plain.unwrapped) is GoToRedBall
    assert "_gen_grid" not in vars(GoToRedBall)
