"""Which arm of a comparison is best, if that can be told: the experiments of a study, as plain data.

An arm wins if its score is the highest and the 95% interval of its paired lead over every other arm leaves out 0. Arms of
one level are compared by task success; arms of different levels by their success on environments that none of them was
trained on, since they were trained for different tasks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from anyorder.studies.equal_seconds import equal_seconds
from anyorder.studies.measures import Measure, Success, measures
from anyorder.studies.plotted import plotted
from anyorder.studies.runner import Outcome
from anyorder.studies.study import Study, size_name
from anyorder.studies.unseen import UnseenSuccess, unseen_by_all

NO_VERDICT = "no verdict"
UNDECIDED = "not distinguishable"
BESIDE = ("task success", "next action", "hidden cells", "hidden object cells", "score", "hidden words of observations")
"""Measures that are shown beside the deciding one; so are robustness and unseen levels, wherever they were measured."""


@dataclass(frozen=True)
class Entry:
    """One row of a comparison.

    Attributes:
        label: for people.
        outcomes: results of its finished runs, one per seed.
    """

    label: str
    outcomes: Sequence[Outcome]


def experiments(study: Study, finished: Sequence[Outcome]) -> list[dict[str, Any]]:
    """One entry per comparison and size, and level unless the comparison is across levels.

    Returns:
        Each with ``title``, ``where``, the deciding ``measure``, ``rows`` (``label``, ``seeds``, ``scores`` by column, and
        the ``lead`` of the best over it), the ``best``, the ``winner`` (None if there is none), the ``verdict`` as one
        sentence, what is ``plotted``, and the arms of one level after ``equal_seconds`` of training, if that is known.
    """

    def chosen(level: str, arm: str, size: int | None) -> list[Outcome]:
        return [o for o in finished if (o.run.level.name, o.run.arm.name, o.run.size) == (level, arm, size)]

    found = []
    for size in study.sizes:
        for level in study.levels:
            trained = {arm.name for arm in study.arms_at(level)}
            for title, names in study.comparisons.items():
                if len(names) > 1 and set(names) <= trained:
                    entries = [Entry(name, chosen(level.name, name, size)) for name in names]
                    found.append(_experiment(title, _where(level.name, size), entries, across=False))
        for title, places in study.across.items():
            if len(places) > 1:
                entries = [Entry(f"{arm} ({level})", chosen(level, arm, size)) for level, arm in places]
                found.append(_experiment(title, _where("", size), entries, across=True))
    return found


def _where(level: str, size: int | None) -> str:
    return ", ".join(filter(None, [level, size_name(size) if size is not None else ""]))


def _experiment(title: str, where: str, entries: Sequence[Entry], across: bool) -> dict[str, Any]:
    present = [entry for entry in entries if entry.outcomes]
    outcomes = [outcome for entry in present for outcome in entry.outcomes]
    deciding: Measure = UnseenSuccess(unseen_by_all(outcomes)) if across and outcomes else Success("task success")
    beside = (m for m in measures(outcomes) if m.name != deciding.name and _shown(m.name))
    labelled = [(entry.label, entry.outcomes) for entry in present]
    columns = [deciding, *(m for m in beside if all(m.score(entry.outcomes) for entry in present))]
    rows: dict[str, dict[str, Any]] = {
        entry.label: {
            "label": entry.label,
            "seeds": [outcome.run.seed for outcome in entry.outcomes],
            "scores": {m.name: score for m in columns if (score := m.score(entry.outcomes))} if entry.outcomes else {},
            "lead": None,
        }
        for entry in entries
    }
    scored = [entry for entry in present if deciding.name in rows[entry.label]["scores"]]
    best = max(scored, key=lambda entry: rows[entry.label]["scores"][deciding.name]["rate"], default=None)
    for entry in scored:
        if best is not None and entry is not best:
            rows[entry.label]["lead"] = _lead(deciding, best, entry)
    return {
        "title": title,
        "where": where,
        "measure": deciding.name,
        "rows": list(rows.values()),
        "best": best.label if best else None,
        **_verdict(deciding.name, list(rows.values()), best.label if best else None),
        "plotted": plotted(labelled),
        "equal_seconds": None if across else equal_seconds(labelled),
    }


def _shown(column: str) -> bool:
    return column in BESIDE or column.startswith("success")


def _lead(measure: Measure, best: Entry, other: Entry) -> dict[str, Any] | None:
    """The lead of the best over another, paired over the seeds that both have; None if there are no pairs."""
    ours, theirs = ({outcome.run.seed: outcome for outcome in entry.outcomes} for entry in (best, other))
    seeds = [seed for seed in ours if seed in theirs]
    lead = measure.difference([ours[seed] for seed in seeds], [theirs[seed] for seed in seeds]) if seeds else None
    return None if lead is None else {**lead.to_json(), "text": measure.show(lead)}


def _verdict(measure: str, rows: Sequence[dict[str, Any]], best: str | None) -> dict[str, Any]:
    """The ``winner`` and the ``verdict``."""
    others = [row for row in rows if row["label"] != best]
    unknown = [row["label"] for row in others if row["lead"] is None]
    if best is None or unknown:
        missing = ", ".join(unknown) or "any arm"
        return {"winner": None, "verdict": f"{NO_VERDICT.capitalize()}: {measure} was not measured for {missing}."}
    score = next(row for row in rows if row["label"] == best)["scores"][measure]["text"]
    close = [row["label"] for row in others if not (row["lead"]["low"] is not None and row["lead"]["low"] > 0)]
    if close:
        words = f"{best} has the highest {measure} ({score}), but the interval of its lead over {_joined(close)} holds 0"
        return {"winner": None, "verdict": f"{UNDECIDED.capitalize()}: {words}."}
    words = f"its {measure} ({score}) is above that of {_joined([row['label'] for row in others])}"
    return {"winner": best, "verdict": f"The winner is {best}: {words}, and no interval of a lead holds 0."}


def _joined(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
