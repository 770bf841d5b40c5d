"""What arms learn from beside the demonstrations of their level: whether it can be there when they need it."""

from __future__ import annotations

from pathlib import Path

from anyorder.errors import AnyOrderError
from anyorder.studies.study import Arm, Level, Study


def check_sets(study: Study, path: Path) -> None:
    """Whether every arm finds the data that it also learns from, and the model that fills them in, at each of its levels.

    Args:
        study: that was read.
        path: of its file, for messages.

    Raises:
        AnyOrderError: naming the arm and what it lacks.
    """
    for arm in study.arms:
        where = f"{path}: arms.{arm.name}.sets"
        _check_shares(arm, where)
        if arm.name in _fillers(study, arm):
            raise AnyOrderError(f"{where} are filled in by what learns from them; name another arm")
    for level in study.levels:
        trained = [arm.name for arm in study.arms_at(level)]
        for arm in study.arms_at(level):
            _check_level(arm, level, trained, f"{path}: arms.{arm.name}.sets")


def _check_shares(arm: Arm, where: str) -> None:
    shares = [one.share for one in arm.sets.values()]
    given = [share for share in shares if share is not None]
    if given and (len(given) < len(shares) or not 0 < sum(given) < 1):
        found = ", ".join("none" if share is None else f"{share:g}" for share in shares)
        raise AnyOrderError(
            f"{where} must all have a share, with a sum between 0 and 1, or none; found {found}; demonstrations have the rest"
        )


def _fillers(study: Study, arm: Arm) -> set[str]:
    """Names of the arms whose models an arm waits for, and of those that these wait for, and so on."""
    by_name = {one.name: one for one in study.arms}
    found: set[str] = set()
    waiting = [arm]
    while waiting:
        names = {one.filled_by for one in waiting.pop().sets.values() if one.filled_by} - found
        found |= names
        waiting += [by_name[name] for name in names if name in by_name]
    return found


def _check_level(arm: Arm, level: Level, trained: list[str], where: str) -> None:
    for name, one in arm.sets.items():
        if name not in level.more:
            raise AnyOrderError(
                f"{where}.{name} must be among levels.{level.name}.more; found {', '.join(level.more) or 'none there'}"
            )
        if one.threshold is not None and not one.filled_by:
            raise AnyOrderError(
                f"{where}.{name}.threshold is of what a model fills in; found {one.threshold:g} without filled_by; add that, or"
                " leave the threshold out"
            )
        if one.filled_by and one.filled_by not in trained:
            raise AnyOrderError(
                f"{where}.{name}.filled_by must be an arm that is trained at {level.name}; found {one.filled_by}; those are"
                f" {', '.join(trained)}"
            )
