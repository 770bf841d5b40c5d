"""What a study reads from its runs on conversations: shares of the tokens that are right, and nats of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from anyorder.evaluation.statistics import Proportion

TEXT_SHARES = {
    "next action, tokens": "next action.actions.accuracy",
    "hidden words of actions": "smoothing.actions.accuracy",
    "hidden words of observations": "smoothing.observations.accuracy",
    "hidden words of observations, of the knowable": "smoothing.observations.right_of_knowable",
    "hidden actions, tokens": "infilling.actions.accuracy",
    "hidden observations, tokens": "infilling.observations.accuracy",
    "next observation, tokens": "forward.observations.accuracy",
    "next observation, of the knowable": "forward.observations.right_of_knowable",
}
"""Column -> where a run's metrics hold the proportion; tokens that end a turn are not among them."""

TEXT_NLLS = {
    "next action NLL, tokens": "next action.actions.nll_per_token",
    "hidden words of observations, NLL": "smoothing.observations.nll_per_token",
    "next observation NLL, tokens": "forward.observations.nll_per_token",
}
"""Column -> where a run's metrics hold the NLL, in nats per token."""

TEST = "test"


def success_share(metrics: Mapping[str, Any]) -> dict[str, Any] | None:
    """The share of episodes with success, as `Proportion.to_json` has it: of text worlds, of all their test tasks together.
    None if none was played."""
    played = metrics.get("task_success")
    if isinstance(played, Mapping):
        return played.get("success")
    return _of_test_tasks(played or (), "success")


def demonstrated_choices(metrics: Mapping[str, Any]) -> dict[str, Any] | None:
    """How often an agent in words would choose the demonstrated action, on the test split; None if that was not asked."""
    return _of_test_tasks(metrics.get("choices", ()), "agent")


def _of_test_tasks(tasks: Any, name: str) -> dict[str, Any] | None:
    found = [task[name] for task in tasks if task["split"] == TEST]
    return Proportion(sum(one["successes"] for one in found), sum(one["count"] for one in found)).to_json() if found else None
