"""Queries: fixed orders for inference. ``query(layout)`` returns an `Order` whose targets are what is asked, one question
per trajectory of the batch.

Where a training strategy asks the same question, the query has its ranks, so the answer has exactly the distribution
that was trained. What a query does not show is DROPPED; returns-to-go always are. A ``step`` is one number for the batch,
or int64 ``[B]``; one outside a trajectory is a ValueError that names the allowed range.
"""

from anyorder.masking.queries.chosen import RolesQuery
from anyorder.masking.queries.dynamics import BackwardDynamicsQuery, ForwardDynamicsQuery, InverseDynamicsQuery, NextActionQuery
from anyorder.masking.queries.goals import GoalConditionedActionQuery, WaypointsQuery
from anyorder.masking.queries.holes import FutureQuery, HiddenCellsQuery, InfillQuery, RandomHiddenCellsQuery
from anyorder.masking.queries.parts import Query, know

__all__ = [
    "QUERIES",
    "BackwardDynamicsQuery",
    "ForwardDynamicsQuery",
    "FutureQuery",
    "GoalConditionedActionQuery",
    "HiddenCellsQuery",
    "InfillQuery",
    "InverseDynamicsQuery",
    "NextActionQuery",
    "Query",
    "RandomHiddenCellsQuery",
    "RolesQuery",
    "WaypointsQuery",
    "know",
]

QUERIES: dict[str, type] = {
    "next_action": NextActionQuery,
    "forward_dynamics": ForwardDynamicsQuery,
    "inverse_dynamics": InverseDynamicsQuery,
    "backward_dynamics": BackwardDynamicsQuery,
    "goal_conditioned": GoalConditionedActionQuery,
    "waypoints": WaypointsQuery,
    "infill": InfillQuery,
    "future": FutureQuery,
    "hidden_cells": RandomHiddenCellsQuery,
}
"""Name on the command line -> class of the query, whose fields are numbers or true or false."""
