"""What the plots of an experiment show, as plain data: curves of training, accuracies, robustness, hiding rates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from anyorder.config import RunConfig
from anyorder.evaluation.statistics import Proportion
from anyorder.studies.promises import lookup
from anyorder.studies.runner import Outcome
from anyorder.studies.success_curve import SUCCESS
from anyorder.studies.text_measures import success_share
from anyorder.training.journal import read_metrics

ATTRIBUTES = ("object", "color", "state", "direction", "action")
OWN = ""
"""The level that a run was trained on, among its metrics."""

Labelled = Sequence[tuple[str, Sequence[Outcome]]]


def plotted(entries: Labelled) -> dict[str, Any]:
    """The data of all plots: ``curves`` (per seed), ``attributes``, ``robustness`` and, if the entries differ in nothing but
    a constant hiding rate, ``rates``. Shares are pooled over the seeds. An entry is a label with its outcomes."""
    return {
        "curves": [curve for label, outcomes in entries for outcome in outcomes for curve in _curves(label, outcome)],
        "attributes": [entry for label, outcomes in entries if (entry := _attributes(label, outcomes))],
        "robustness": [point for label, outcomes in entries for point in _robustness(label, outcomes)],
        "rates": _rates(entries),
    }


def _curves(label: str, outcome: Outcome) -> list[dict[str, Any]]:
    """``loss`` of training and of validation, and validation ``success``, over updates."""
    records = read_metrics(outcome.run.folder)
    named = {
        "training loss": [(r["update"], r["loss"]) for r in records if r["section"] == "train"],
        "validation loss": [(r["update"], r["loss"]) for r in records if r["section"] == "validation"],
        "success": [(r["update"], r[SUCCESS]) for r in records if SUCCESS in r],
    }
    return [
        {"label": label, "seed": outcome.run.seed, "curve": name, "updates": list(updates), "values": list(values)}
        for name, points in named.items()
        if points
        for updates, values in [zip(*points)]
    ]


def _attributes(label: str, outcomes: Sequence[Outcome]) -> dict[str, Any] | None:
    """Accuracy of hidden attributes, past and future visible, beside the most frequent value's."""
    shares = {}
    for name in ATTRIBUTES:
        groups = [lookup(outcome.metrics[OWN], f"smoothing.groups.{name}") for outcome in outcomes]
        if groups and all(groups):
            shares[name] = {key: _pooled([group[key] for group in groups]) for key in ("accuracy", "most_frequent")}
    return {"label": label, "shares": shares} if shares else None


def _robustness(label: str, outcomes: Sequence[Outcome]) -> list[dict[str, Any]]:
    """Success by strength of each corruption in each form, from 0 (clean) on."""
    scores = [outcome.metrics[OWN].get("robustness", []) for outcome in outcomes]
    points: list[dict[str, Any]] = []
    for place in zip(*scores):
        kind, strength, form = (place[0][key] for key in ("kind", "strength", "form"))
        known = {"label": label, "kind": kind, "form": form}
        if not any(point.items() >= known.items() for point in points):
            points.append({**known, "strength": 0.0, **_pooled([score["clean"] for score in place])})
        points.append({**known, "strength": strength, **_pooled([score["corrupted"] for score in place])})
    return points


def _rates(entries: Labelled) -> list[dict[str, Any]]:
    """Hiding rate and success of each entry; empty unless all rates are constant and nothing else differs."""
    configs = [outcomes[0].run.config for _, outcomes in entries]
    rates = [config.masking.mask_prob for config in configs]
    if len(set(map(str, rates))) < 2 or not all(isinstance(rate, float) for rate in rates):
        return []
    if any(_without_rate(config) != _without_rate(configs[0]) for config in configs):
        return []
    points: list[dict[str, Any]] = []
    for (label, outcomes), rate in zip(entries, rates):
        shares = [success_share(outcome.metrics[OWN]) for outcome in outcomes]
        known = [share for share in shares if share]
        if len(known) == len(shares):
            by_seed = [share["rate"] for share in known]
            points.append({"label": label, "rate": rate, "by_seed": by_seed, "success": _pooled(known)})
    return points


def _without_rate(config: RunConfig) -> RunConfig:
    masking, training = replace(config.masking, mask_prob=0.0), replace(config.training, seed=0)
    return replace(config, masking=masking, training=training)


def _pooled(shares: Sequence[dict[str, Any]]) -> dict[str, Any]:
    return Proportion(sum(share["successes"] for share in shares), sum(share["count"] for share in shares)).to_json()
