"""What is known of environments beyond their spaces: which extra they need, who is their expert, what counts as success.

Everything that Gymnasium can make is collected without being known. This table only adds experts, and registers variants
whose episodes end where the task ends. To register one imports nothing: the packages are imported when one is made.
"""

from __future__ import annotations

from dataclasses import dataclass

import gymnasium as gym

from anyorder.envs.modules import SEPARATOR


@dataclass(frozen=True)
class KnownEnvironment:
    """An environment, or several whose ids begin alike.

    Attributes:
        prefix: how the ids begin; the longest prefix that fits counts.
        about: one line for people.
        success: what counts as success, for people.
        expert: ``module:function`` with the protocol of `anyorder.envs.experts.Expert`; empty where none is known.
        extra: the extra of this package that brings what it needs; empty: none.
        packages: those of the extra whose versions determine what an episode is.
    """

    prefix: str
    about: str
    success: str
    expert: str = ""
    extra: str = ""
    packages: tuple[str, ...] = ()


_TASKS = "anyorder.envs.tasks"
KNOWN = (
    KnownEnvironment("BabyAI-", "BabyAI's levels in MiniGrid", "a reward", "anyorder.envs.experts:bot"),
    KnownEnvironment("MiniGrid-", "other grid worlds of MiniGrid", "a reward"),
    KnownEnvironment(
        "LunarLander",
        "landing on a pad with four engines, or with two throttles",
        "a return of 200",
        f"{_TASKS}.lander:land",
        "control",
        ("box2d",),
    ),
    KnownEnvironment(
        "pointmaze/",
        "a point with inertia in a maze; an episode ends at the goal",
        "the goal",
        f"{_TASKS}.pointmaze:drive",
        "control",
        ("gymnasium-robotics", "mujoco"),
    ),
    KnownEnvironment(
        "metaworld/",
        "an arm and a task; an episode ends with the first success",
        "the task's own test",
        f"{_TASKS}.metaworld:do_task",
        "metaworld",
        ("metaworld", "mujoco"),
    ),
    KnownEnvironment(
        "minihack/MazeWalk",
        "NetHack's mazes, with the map that the agent remembers",
        "the stairs",
        f"{_TASKS}.minihack:walk_to_stairs",
        "minihack",
        ("minihack", "nle"),
    ),
    KnownEnvironment(
        "textworldexpress/",
        "a game of TextWorldExpress, in words",
        "the game is won",
        expert="anyorder.envs.experts:gold",
        extra="textworldexpress",
        packages=("textworld-express",),
    ),
    KnownEnvironment(
        "scienceworld/",
        "a task of ScienceWorld, in words",
        "a score of 100%",
        expert="anyorder.envs.experts:gold",
        extra="scienceworld",
        packages=("scienceworld",),
    ),
    KnownEnvironment(
        "textworld/",
        "a game that TextWorld generates from the seed, in words",
        "the game is won",
        expert="anyorder.envs.experts:gold",
        extra="textworld",
        packages=("textworld",),
    ),
    KnownEnvironment(
        "babyai-text/",
        "BabyAI's levels in words",
        "a reward",
        f"{_TASKS}.babyai_text:bot_in_words",
    ),
)

MAZES = {"UMaze": 300, "Medium": 600, "Large": 800}
"""Name -> steps after which an episode ends without success."""
STEPS_STAYED = 25
"""Steps that an episode of ``metaworld/TASK-stay-v3`` goes on after its first success, so that experts show how to stay."""
MAZE_WALKS = ("9x9", "15x15")
EXPRESS_GAMES = ("arithmetic", "coin", "cookingworld", "mapreader", "peckingorder", "simonsays", "sorting", "twc")
STEPS_OF_EXPRESS_GAMES = 100
TASKS_OF_SCIENCEWORLD = (
    *("boil", "melt", "freeze", "change-the-state-of-matter-of", "use-thermometer", "measure-melting-point-known-substance"),
    *("measure-melting-point-unknown-substance", "power-component", "power-component-renewable-vs-nonrenewable-energy"),
    *("test-conductivity", "test-conductivity-of-unknown-substances", "find-living-thing", "find-non-living-thing"),
    *("find-plant", "find-animal", "grow-plant", "grow-fruit", "chemistry-mix", "chemistry-mix-paint-secondary-color"),
    *("chemistry-mix-paint-tertiary-color", "lifespan-longest-lived", "lifespan-shortest-lived"),
    *("lifespan-longest-lived-then-shortest-lived", "identify-life-stages-1", "identify-life-stages-2"),
    *("inclined-plane-determine-angle", "inclined-plane-friction-named-surfaces", "inclined-plane-friction-unnamed-surfaces"),
    *("mendelian-genetics-known-plant", "mendelian-genetics-unknown-plant"),
)
STEPS_OF_SCIENCEWORLD = 250
GAMES_OF_TEXTWORLD = {"treasure-hunter": (5, 15, 25), "coin-collector": (5, 15, 25)}
"""Challenge -> levels, from easy to hard."""
STEPS_OF_TEXTWORLD = 100
TASKS_OF_METAWORLD = (
    *("assembly", "basketball", "bin-picking", "box-close", "button-press", "button-press-topdown"),
    *("button-press-topdown-wall", "button-press-wall", "coffee-button", "coffee-pull", "coffee-push", "dial-turn"),
    *("disassemble", "door-close", "door-lock", "door-open", "door-unlock", "drawer-close", "drawer-open", "faucet-close"),
    *("faucet-open", "hammer", "hand-insert", "handle-press", "handle-press-side", "handle-pull", "handle-pull-side"),
    *("lever-pull", "peg-insert-side", "peg-unplug-side", "pick-out-of-hole", "pick-place", "pick-place-wall", "plate-slide"),
    *("plate-slide-back", "plate-slide-back-side", "plate-slide-side", "push", "push-back", "push-wall", "reach", "reach-wall"),
    *("shelf-place", "soccer", "stick-pull", "stick-push", "sweep", "sweep-into", "window-close", "window-open"),
)


def known_environment(env_id: str) -> KnownEnvironment | None:
    """What is known of an id, with or without its module; None if nothing is."""
    name = env_id.rpartition(":")[2]
    fitting = [one for one in KNOWN if name.startswith(one.prefix)]
    return max(fitting, key=lambda one: len(one.prefix), default=None)


def packages_of(env_ids: str) -> tuple[str, ...]:
    """The packages that are known to determine the episodes of an id, or of several joined by ``+``."""
    known = (known_environment(name) for name in env_ids.split(SEPARATOR))
    return tuple(dict.fromkeys(package for one in known if one for package in one.packages))


def _register() -> None:
    for name, steps in MAZES.items():
        gym.register(f"pointmaze/{name}-v3", f"{_TASKS}.pointmaze:make_maze", max_episode_steps=steps, kwargs={"size": name})
    for task in TASKS_OF_METAWORLD:
        for name, steps_after in ((task, 0), (f"{task}-stay", STEPS_STAYED)):
            settings = {"task": task, "steps_after": steps_after}
            gym.register(f"metaworld/{name}-v3", f"{_TASKS}.metaworld:make_task", max_episode_steps=500, kwargs=settings)
    for size in MAZE_WALKS:
        for mapped in ("", "Mapped-"):
            walk = f"MazeWalk-{mapped}{size}-v0"
            gym.register(f"minihack/{walk}", f"{_TASKS}.minihack:make_walk", kwargs={"walk": walk})
    for game in EXPRESS_GAMES:
        entry = f"{_TASKS}.textworldexpress:make_game"
        gym.register(f"textworldexpress/{game}-v0", entry, max_episode_steps=STEPS_OF_EXPRESS_GAMES, kwargs={"game": game})
    for task in TASKS_OF_SCIENCEWORLD:
        entry = f"{_TASKS}.scienceworld:make_science"
        gym.register(f"scienceworld/{task}-v0", entry, max_episode_steps=STEPS_OF_SCIENCEWORLD, kwargs={"task": task})
    for challenge, levels in GAMES_OF_TEXTWORLD.items():
        for level in levels:
            settings = {"challenge": challenge, "level": level}
            entry = f"{_TASKS}.textworld:make_generated"
            gym.register(f"textworld/{challenge}-{level}-v0", entry, max_episode_steps=STEPS_OF_TEXTWORLD, kwargs=settings)


_register()
