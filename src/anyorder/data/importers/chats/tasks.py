"""Which task a trajectory attempts, and what a user should know about the splits."""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from anyorder.data.importers.chats.values import BadLine, in_few_words, written_json
from anyorder.types import TextTrajectory

Splits = Mapping[str, Sequence[TextTrajectory]]
"""Name of a split -> its trajectories."""

ID_LIKE = re.compile(r"(^|[^a-z])(id|ids|idx|index|uid|uuid|task|problem|question|instance|scenario|episode|seed)([^a-z]|$)")


def task_of(trajectory: TextTrajectory, task_key: str | None = None) -> str:
    """The task that a trajectory attempts: all that others say before the agent's first action, or that action if nothing
    precedes it. White space is normalised, so that several attempts at one task have equal texts.

    Args:
        trajectory: of a conversation.
        task_key: the path of a field of its line, with a dot between keys; the field's value is the task then.

    Raises:
        BadLine: when the line has no such field, or nothing in it.
    """
    if task_key is not None:
        return _field(trajectory, task_key)
    texts: list[str] = []
    for turn in trajectory.turns:
        if turn.part == "action":
            return " ".join(texts) or " ".join(turn.text.split())
        if turn.role != "assistant":
            texts.append(" ".join(turn.text.split()))
    raise ValueError("a trajectory must have an action; found none")


def notes_on(splits: Splits, shares: Mapping[str, float], task_key: str | None) -> list[str]:
    """Sentences about an import that its user should read.

    Args:
        splits: what was imported.
        shares: name of a split -> the share of the tasks that was asked for.
        task_key: as of `task_of`.
    """
    notes = [_on_splits(splits, shares, task_key), _on_task_fields(splits) if task_key is None else ""]
    return [note for note in notes if note]


def _field(trajectory: TextTrajectory, task_key: str) -> str:
    found = json.loads(trajectory.others).get("line", {})
    for key in [task_key] if task_key in found else task_key.split("."):
        found = found.get(key) if isinstance(found, dict) else None
    if found is None or found == "":
        raise BadLine(f"expected the field {task_key} that --task_key names, found {in_few_words(found)}")
    return found if isinstance(found, str) else written_json(found)


def _on_splits(splits: Splits, shares: Mapping[str, float], task_key: str | None) -> str:
    """Which splits are empty, why, and how to mend that."""
    tasks = {task_of(trajectory, task_key) for split in splits.values() for trajectory in split}
    total = sum(map(len, splits.values()))
    empty = [name for name, share in shares.items() if not splits.get(name)]
    unwanted = [name for name in empty if not shares[name]]
    missing = [name for name in empty if shares[name]]
    no_validation = "training without a validation split keeps its last weights as the best ones"
    if missing and len(tasks) == 1 and total > 1:
        field = f"the field {task_key}" if task_key else "the text before the agent's first action"
        (only,) = [name for name, split in splits.items() if split]
        return (
            f"all {total:,} conversations have one task ({field} is the same), so they all fall into {only} and"
            f" {' and '.join(missing)} {_is(missing)} empty; name a field that differs between tasks with --task_key"
        )
    if missing:
        remedy = "lower --validation and --test" if "train" in missing else f"raise {' and '.join('--' + n for n in missing)}"
        ending = f"; {no_validation}" if "validation" in missing else ""
        return (
            f"{' and '.join(missing)} {_is(missing)} empty, since so few tasks ({len(tasks):,}) were drawn; {remedy}, choose"
            f" another --seed, or import more tasks{ending}"
        )
    return f"there is no validation split, as --validation 0 asks; {no_validation}" if "validation" in unwanted else ""


def _is(names: Sequence[str]) -> str:
    return "is" if len(names) == 1 else "are"


def _on_task_fields(splits: Splits) -> str:
    """Which fields look as if they named tasks, though lines with the same value lie in several splits."""
    values: dict[str, dict[str, Counter[str]]] = defaultdict(lambda: defaultdict(Counter))
    for name, split in splits.items():
        for trajectory in split:
            for field, value in _scalars(json.loads(trajectory.others).get("line", {})):
                values[field][value][name] += 1
    found = []
    for field, of_field in values.items():
        divided = sum(len(counts) > 1 for counts in of_field.values())
        if divided and len(of_field) > 1:
            found.append((len(of_field), field, divided))
    if not found:
        return ""
    found.sort(key=lambda one: (-one[0], one[1]))
    listed = ", ".join(f"{field} ({divided:,} of its {number:,} values)" for number, field, divided in found)
    return (
        "lines with the same value lie in different splits for fields that look like the id of a task:"
        f" {listed}; if one of them names the task, import again with --task_key {found[0][1]}"
    )


def _scalars(content: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """The fields of a line that look like ids, each with its value: (path, value)."""
    for key, value in content.items() if isinstance(content, dict) else ():
        here = f"{path}.{key}" if path else key
        if isinstance(value, dict):
            yield from _scalars(value, here)
        elif isinstance(value, (str, int)) and not isinstance(value, bool) and _is_id_like(key):
            yield here, written_json(value)


def _is_id_like(key: str) -> bool:
    """True for ``task_id``, ``taskId``, ``id`` and the like."""
    return bool(ID_LIKE.search(re.sub(r"([a-z])([A-Z])", r"\1_\2", key).lower()))
