"""Every strategy by its name in a configuration."""

from __future__ import annotations

from importlib.metadata import entry_points

from anyorder.masking.strategies.compose import AtOnce, ByMission, Mixture, Only, Window, WithoutMission
from anyorder.masking.strategies.damage import Cut, Damaged
from anyorder.masking.strategies.dynamics import BackwardDynamics, ForwardDynamics, InverseDynamics
from anyorder.masking.strategies.goals import Between, GoalConditioned, Waypoint
from anyorder.masking.strategies.groups import AttributeWise, Cell, Token, Unit
from anyorder.masking.strategies.imitation import NextAction, NextObservation, NextStep
from anyorder.masking.strategies.kinds import ActionsOnly, MissionWords, Mixed, ObservationsOnly
from anyorder.masking.strategies.permutations import Blocks, Permutation
from anyorder.masking.strategies.returns import NextReturn, ReturnConditioned, Value
from anyorder.masking.strategies.windows import Future, Past, RandomAutoregressive
from anyorder.parsing import brief

STRATEGIES: dict[str, type] = {
    "cell": Cell,
    "token": Token,
    "unit": Unit,
    "attribute": AttributeWise,
    "actions_only": ActionsOnly,
    "observations_only": ObservationsOnly,
    "mixed": Mixed,
    "mission_words": MissionWords,
    "next_action": NextAction,
    "next_observation": NextObservation,
    "next_step": NextStep,
    "forward_dynamics": ForwardDynamics,
    "inverse_dynamics": InverseDynamics,
    "backward_dynamics": BackwardDynamics,
    "past": Past,
    "future": Future,
    "random_autoregressive": RandomAutoregressive,
    "goal_conditioned": GoalConditioned,
    "waypoint": Waypoint,
    "between": Between,
    "return_conditioned": ReturnConditioned,
    "next_return": NextReturn,
    "value": Value,
    "permutation": Permutation,
    "blocks": Blocks,
    "mixture": Mixture,
    "only": Only,
    "by_mission": ByMission,
    "without_mission": WithoutMission,
    "window": Window,
    "damaged": Damaged,
    "cut": Cut,
    "at_once": AtOnce,
}
"""Name -> class of `Strategy`, whose fields are its settings. Fields named ``rate`` are a `Rate`; the strategies
from ``mixture`` on are made of other strategies and have fields that are a `Strategy`."""

ENTRY_POINTS = "anyorder.strategies"
"""The group of entry points in which other packages name their strategies."""


def strategy_class(name: str) -> type:
    """The class of a strategy of this package or of another installed one, which is imported only when asked for.

    Raises:
        ValueError: for an unknown name, listing the known ones, and for a name that is given twice.
    """
    others = list(entry_points(group=ENTRY_POINTS))
    found = [entry for entry in others if entry.name == name]
    if name not in STRATEGIES and not found:
        raise ValueError(
            f"a strategy must be one of {', '.join([*STRATEGIES, *(e.name for e in others)])}; found {brief(Exception(name))}"
        )
    if len(found) + (name in STRATEGIES) > 1:
        raise ValueError(
            f"a strategy must have a name of its own; found {name} more than once, among others in the entry points"
            f" {', '.join(entry.value for entry in found)}; uninstall the package or rename its strategy"
        )
    return found[0].load() if found else STRATEGIES[name]
