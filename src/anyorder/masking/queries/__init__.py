"""Queries: an order fixed for inference. ``query(layout) -> Order``; its targets are what is asked, one question per
trajectory of the batch.

Where a training strategy asks the same question, the query has its ranks, so the answer has exactly the distribution
that was trained. What a query does not show is DROPPED, returns-to-go always. A ``step`` is one number for the batch,
or int64 ``[B]``; one outside a trajectory is a ValueError that names the allowed range.
"""

from anyorder.masking.queries.chosen import Roles
from anyorder.masking.queries.dynamics import BackwardDynamics, ForwardDynamics, InverseDynamics, NextAction
from anyorder.masking.queries.goals import GoalConditionedAction, Waypoints
from anyorder.masking.queries.holes import Future, HiddenCells, Infill, RandomHiddenCells
from anyorder.masking.queries.parts import Query, know

__all__ = [
    "QUERIES",
    "BackwardDynamics",
    "ForwardDynamics",
    "Future",
    "GoalConditionedAction",
    "HiddenCells",
    "Infill",
    "InverseDynamics",
    "NextAction",
    "Query",
    "RandomHiddenCells",
    "Roles",
    "Waypoints",
    "know",
]

QUERIES: dict[str, type] = {
    "next_action": NextAction,
    "forward_dynamics": ForwardDynamics,
    "inverse_dynamics": InverseDynamics,
    "backward_dynamics": BackwardDynamics,
    "goal_conditioned": GoalConditionedAction,
    "waypoints": Waypoints,
    "infill": Infill,
    "future": Future,
    "hidden_cells": RandomHiddenCells,
}
"""Name on the command line -> query whose fields are numbers."""
