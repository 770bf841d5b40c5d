"""Which runs of a study wait for which: those that write the checkpoints that they need."""

from __future__ import annotations

from collections.abc import Sequence
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

from anyorder.errors import AnyOrderError


def stages_of(folders: Sequence[Path], needed: Sequence[Sequence[Path]]) -> list[int]:
    """The stage of each run: 0 if it waits for no other one, otherwise one more than the highest of those that it waits for.

    Args:
        folders: where each run writes.
        needed: the checkpoints that each run needs; those in none of the folders are there already.

    Raises:
        AnyOrderError: if runs wait for each other.
    """
    waits = {
        number: [maker for maker, folder in enumerate(folders) if any(path.is_relative_to(folder) for path in paths)]
        for number, paths in enumerate(needed)
    }
    stages: dict[int, int] = {}
    try:
        for number in TopologicalSorter(waits).static_order():
            stages[number] = max((1 + stages[maker] for maker in waits[number]), default=0)
    except CycleError as error:
        circle = " -> ".join(str(folders[number]) for number in error.args[1])
        raise AnyOrderError(f"runs may not start from each other's models; found {circle}; change an init_from") from None
    return [stages[number] for number in range(len(folders))]
