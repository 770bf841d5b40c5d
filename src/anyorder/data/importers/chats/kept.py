"""Which keys of lines, turns and blocks an import has not understood. They are kept beside the text, and counted."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from typing import Any

from anyorder.types import TextTrajectory

UNDERSTOOD = {"name", "id", "tool_call_id", "tool_call_ids", "toolCallId"}
"""Keys of turns that are kept with the trajectory because they are not said, and are understood."""


def kept_keys(trajectories: Iterable[TextTrajectory]) -> list[dict[str, Any]]:
    """The keys that stand beside the text: for each its name as ``key``, ``where`` it stands (line, turn or block) and how
    many have it as ``count``."""
    counts: Counter[tuple[str, str]] = Counter()
    for one in trajectories:
        others = json.loads(one.others)
        counts.update(("line", key) for key, value in others.get("line", {}).items() if value is not None)
        for turn in others.get("turns", {}).values():
            for key, value in turn.items():
                if key.startswith("content."):
                    counts[("block", key.removeprefix("content."))] += len(value)
                elif key not in UNDERSTOOD:
                    counts[("turn", key)] += 1
    places = ("line", "turn", "block")
    ordered = sorted(counts.items(), key=lambda one: (places.index(one[0][0]), one[0][1]))
    return [{"key": key, "where": where, "count": count} for (where, key), count in ordered]
