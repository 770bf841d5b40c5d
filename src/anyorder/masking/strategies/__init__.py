"""Strategies: how a training order is drawn; ``strategy(layout, generator)`` returns an `Order`.

Every draw is made per trajectory. A draw that hides nothing is made again, so each stated distribution holds *given
that at least one element is a target*. A new strategy is one class, with its exact distribution in its docstring, and
one row of `STRATEGIES`; or a class in any installed package, named by an entry point of the group
``anyorder.strategies``.
"""

from anyorder.masking.strategies.base import NothingToAsk, Strategy, answerable
from anyorder.masking.strategies.compose import AtOnce, ByMission, BySet, Mixture, Only, Window, WithoutMission
from anyorder.masking.strategies.damage import Cut, Damaged
from anyorder.masking.strategies.dynamics import BackwardDynamics, ForwardDynamics, InverseDynamics
from anyorder.masking.strategies.goals import Between, GoalConditioned, Waypoint
from anyorder.masking.strategies.groups import AttributeWise, Cell, Token, Unit
from anyorder.masking.strategies.imitation import NextAction, NextObservation, NextStep
from anyorder.masking.strategies.kinds import ActionsOnly, MissionWords, Mixed, ObservationsOnly
from anyorder.masking.strategies.permutations import Blocks, Permutation
from anyorder.masking.strategies.returns import KnownReturns, NextReturn, ReturnConditioned, Value
from anyorder.masking.strategies.table import STRATEGIES, strategy_class
from anyorder.masking.strategies.windows import Future, Past, RandomAutoregressive

__all__ = [
    "STRATEGIES",
    "ActionsOnly",
    "AtOnce",
    "AttributeWise",
    "BackwardDynamics",
    "Between",
    "Blocks",
    "ByMission",
    "BySet",
    "Cell",
    "Cut",
    "Damaged",
    "ForwardDynamics",
    "Future",
    "GoalConditioned",
    "InverseDynamics",
    "KnownReturns",
    "MissionWords",
    "Mixed",
    "Mixture",
    "NextAction",
    "NextObservation",
    "NextReturn",
    "NextStep",
    "NothingToAsk",
    "ObservationsOnly",
    "Only",
    "Past",
    "Permutation",
    "RandomAutoregressive",
    "ReturnConditioned",
    "Strategy",
    "Token",
    "Unit",
    "Value",
    "Waypoint",
    "Window",
    "WithoutMission",
    "answerable",
    "strategy_class",
]
