"""A spec from Gymnasium's spaces and a look at the training data.

| leaf of a space | fields |
|---|---|
| Discrete | one, of categories |
| MultiBinary, MultiDiscrete with equal sizes | one, with a cell for each entry |
| MultiDiscrete with different sizes | one for each entry, all in one cell |
| Box of whole numbers with three axes, the last at most 4 long | one for each channel, all in the cell of their place |
| Box of whole numbers with two or more axes | one, with a cell for each entry |
| every other Box | one for each entry, all in one cell |
| Text that is the episode's instruction | its words |
| other Text | one, of categories |

What never changes, and what repeats another field or the frame before, is left out: a model would be praised for it. What is
constant within each episode (a goal, a task) becomes part of the mission.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from gymnasium import spaces

from anyorder.config import SpecConfig
from anyorder.elements.spec import PARTS_OF_SPEC, Bins, Categories, Field, Part, Spec, Values, Words
from anyorder.envs.spaces import ACTION, OBSERVATION, leaves
from anyorder.errors import AnyOrderError
from anyorder.types import FieldTrajectory

MOST_CHANNELS = 4
MOST_CATEGORIES = 4_096
MOST_ENTRIES = 1_024
"""Entries of one leaf; an image is larger."""
MOST_NUMBERS = 64
"""A Box of real numbers with more entries than this has a cell for each, with bins in common."""
MOST_INTEGERS = 256
"""Whole numbers of a wider range become bins."""
UNSEEN_WORD = "<unknown>"


@dataclass(frozen=True)
class _Column:
    """What becomes a field, before its values are known."""

    name: str
    kind: Part
    group: str
    num_cells: int
    path: str
    start: int
    stride: int
    leaf: spaces.Space[Any]


def fit_spec(
    observation_space: spaces.Space[Any],
    action_space: spaces.Space[Any],
    trajectories: Sequence[FieldTrajectory],
    config: SpecConfig | None = None,
) -> Spec:
    """The spec of a data set.

    Args:
        observation_space, action_space: of its environment.
        trajectories: its training split, at least one.
        config: what is to be otherwise; None: nothing.

    Raises:
        AnyOrderError: for a space that cannot become fields (an image, texts without end), and for a setting that names what
            does not exist.
    """
    config = config or SpecConfig()
    left_out: dict[str, str] = {}
    columns: list[_Column] = []
    for root, space in ((OBSERVATION, observation_space), (ACTION, action_space)):
        kind: Part = "observation" if root == OBSERVATION else "action"
        for path, leaf in leaves(space, root).items():
            if path in (config.leave_out or ()):
                left_out[path] = "as asked for"
            elif not any(_is_recorded(path, one) for one in trajectories):
                left_out[path] = "never recorded"
            elif isinstance(leaf, spaces.Text) and _is_instruction(path, trajectories):
                left_out[path] = "it is the mission"
            else:
                columns += _columns(path, leaf, kind)
    empty = {column.name for column in columns if not _has_values(_present(column, trajectories))}
    left_out |= dict.fromkeys(sorted(empty), "never recorded")
    columns = [column for column in columns if column.name not in empty]
    columns, dropped = _without_repetition(columns, trajectories, set(config.keep or ()))
    fields = [_field(column, trajectories, config) for column in columns]
    fields += [*_mission_words(trajectories), *_returns(trajectories, config)]
    fields = _configured(fields, config, dropped)
    kept = [one for one in fields if not {one.name, one.group} & set(config.leave_out or ())]
    left_out |= dropped | {one.name: "as asked for" for one in fields if one not in kept}
    _check_named(config, {*left_out, *(name for one in fields for name in (one.name, one.group, one.source))})
    kept = _grouped(kept, config)
    if not any(one.kind == "observation" for one in kept):
        raise AnyOrderError(f"no field of the observations is left ({_reasons(left_out)}); keep some with data.fields.keep")
    return Spec(tuple(sorted(kept, key=lambda one: PARTS_OF_SPEC.index(one.kind))), left_out)


def _recorded(trajectory: FieldTrajectory) -> Mapping[str, np.ndarray]:
    return {**trajectory.observations, **trajectory.actions}


def _is_recorded(path: str, trajectory: FieldTrajectory) -> bool:
    array = _recorded(trajectory).get(path)
    return array is not None and not (path in trajectory.absent and trajectory.absent[path].all())


def _columns(path: str, leaf: spaces.Space[Any], kind: Part) -> Iterator[_Column]:
    """What a leaf becomes, as the table above says."""

    def apart(number: int, cells: int, named: bool = True) -> Iterator[_Column]:
        """``number`` fields that share ``cells`` cells."""
        for i in range(number):
            name = f"{path}/{i}" if named and number > 1 else path
            yield _Column(name, kind, path, cells, path, i, number, leaf)

    size = int(np.prod(leaf.shape or ()))
    integers = isinstance(leaf, spaces.Box) and leaf.dtype is not None and leaf.dtype.kind in "iu"
    if isinstance(leaf, (spaces.Box, spaces.MultiDiscrete, spaces.MultiBinary)) and size > MOST_ENTRIES:
        found = "x".join(map(str, leaf.shape or ()))
        raise AnyOrderError(
            f"{path} must have at most {MOST_ENTRIES:,} entries; found {found}: the models read numbers and categories, not"
            " pictures; encode it into features with a wrapper, or leave it out with"
            f" --data.fields.leave_out '[\"{path}\"]'"
        )
    if isinstance(leaf, (spaces.Discrete, spaces.Text)):
        return apart(1, 1)
    if isinstance(leaf, spaces.MultiBinary):
        return apart(1, size)
    if isinstance(leaf, spaces.MultiDiscrete):
        same = len(set(zip(leaf.nvec.ravel().tolist(), leaf.start.ravel().tolist()))) == 1
        return apart(1, size) if same else apart(size, 1)
    shape = leaf.shape or ()
    if integers and len(shape) == 3 and shape[-1] <= MOST_CHANNELS:
        return apart(shape[-1], size // shape[-1])
    if (integers and len(shape) >= 2) or size > MOST_NUMBERS:
        return apart(1, size)
    return apart(size, 1)


def _read(column: _Column, trajectories: Sequence[FieldTrajectory]) -> list[np.ndarray]:
    """``[T', n]`` of a column, of each trajectory that has its path; the first recorded value stands where one is absent, so
    that what never changes seems to change nowhere."""
    found = []
    for one in trajectories:
        if column.path in _recorded(one):
            read, lost = _of_column(column, _recorded(one)[column.path]), one.absent.get(column.path)
            found.append(read if lost is None else _with_first(read, _of_column(column, lost)))
    return found


def _with_first(read: np.ndarray, lost: np.ndarray) -> np.ndarray:
    return np.where(lost, read[lost.argmin(axis=0), np.arange(read.shape[1])], read)


def _of_column(column: _Column, array: np.ndarray) -> np.ndarray:
    flat = array.reshape(len(array), -1)
    return flat[:, column.start : column.start + column.stride * (column.num_cells - 1) + 1 : column.stride]


def _present(column: _Column, trajectories: Sequence[FieldTrajectory]) -> np.ndarray:
    """All values of a column that were recorded, ``[N]``."""
    kept = []
    for one in trajectories:
        if column.path in _recorded(one):
            read = _of_column(column, _recorded(one)[column.path])
            lost = one.absent.get(column.path)
            kept.append(read.ravel() if lost is None else read[~_of_column(column, lost)])
    return np.concatenate(kept)


def _has_values(values: np.ndarray) -> bool:
    return bool(len(values)) and not (values.dtype.kind == "f" and np.isnan(values).all())


def _without_repetition(
    columns: Sequence[_Column], trajectories: Sequence[FieldTrajectory], keep: set[str]
) -> tuple[list[_Column], dict[str, str]]:
    """The columns without those that are constant or copies, with what is constant in each episode moved to the mission; and
    for each column that is left out, why."""
    kept, left_out = [], {}
    seen: dict[bytes, str] = {}
    earlier: dict[bytes, str] = {}
    observed = [column for column in columns if column.kind == "observation"]
    for column in observed:
        before = [array[:-1] for array in _read(column, trajectories)]
        earlier.setdefault(_bytes(before), column.name)
    for column in columns:
        if column.name in keep or column.kind == "action":
            kept.append(column)
            continue
        read = _read(column, trajectories)
        whole, later = _bytes(read), _bytes([array[1:] for array in read])
        if all(_is_constant(array) for array in read) and len(trajectories) > 1:
            if len({array[:1].tobytes() for array in read}) == 1:
                left_out[column.name] = "it never changes"
                continue
            if column.num_cells == 1:
                column = replace(column, kind="mission", group=f"{column.group}/fixed")
        elif whole in seen:
            left_out[column.name] = f"it equals {seen[whole]}"
            continue
        elif earlier.get(later, column.name) != column.name:
            left_out[column.name] = f"it repeats {earlier[later]} of the step before"
            continue
        seen.setdefault(whole, column.name)
        kept.append(column)
    return kept, left_out


def _is_constant(array: np.ndarray) -> bool:
    return bool((array == array[:1]).all())


def _bytes(arrays: Sequence[np.ndarray]) -> bytes:
    return b"".join(np.ascontiguousarray(array).tobytes() for array in arrays)


def _field(column: _Column, trajectories: Sequence[FieldTrajectory], config: SpecConfig) -> Field:
    read = _present(column, trajectories)
    own = config.bins or {}
    usual = config.action_bins if column.kind == "action" else config.observation_bins
    number = own.get(column.name, own.get(column.group, usual))
    values = _values(column, read, number)
    return Field(column.name, column.kind, column.group, column.num_cells, values, column.path, column.start, column.stride)


def _values(column: _Column, read: np.ndarray, number: int) -> Values:
    leaf = column.leaf
    if isinstance(leaf, spaces.Box):
        if leaf.dtype is None or leaf.dtype.kind == "f":
            return bins_of(read, number)
        occurring = np.unique(read)
        if occurring[-1] - occurring[0] >= MOST_INTEGERS:
            return bins_of(read, number)
        return numbered(occurring.tolist())
    if isinstance(leaf, spaces.MultiBinary):
        return numbered([0, 1])
    if isinstance(leaf, spaces.MultiDiscrete):
        size, first = int(leaf.nvec.ravel()[column.start]), int(leaf.start.ravel()[column.start])
        return numbered(range(first, first + size))
    if isinstance(leaf, spaces.Discrete) and leaf.n <= MOST_CATEGORIES:
        return numbered(range(int(leaf.start), int(leaf.start) + int(leaf.n)))
    occurring = np.unique(read)
    if len(occurring) > MOST_CATEGORIES:
        raise AnyOrderError(
            f"{column.path} must take at most {MOST_CATEGORIES:,} different values; found {len(occurring):,}; leave it out with"
            f" --data.fields.leave_out '[\"{column.path}\"]'"
        )
    return numbered(occurring.tolist())


def numbered(values: Sequence[Any]) -> Categories:
    """Categories that are called by their values."""
    return Categories(tuple(values), tuple(map(str, values)))


def bins_of(read: np.ndarray, number: int) -> Bins:
    """Bins between the 0.1 and 99.9 percentiles of what was read; NaN and infinities do not count."""
    finite = read[np.isfinite(read)].astype(np.float64)
    if not len(finite):
        finite = np.zeros(1)
    low, high = np.percentile(finite, [0.1, 99.9])
    if not high > low:
        low, high = finite.min(), finite.max()
    if not high > low:
        low, high = low - 0.5, high + 0.5
    deviation = float(finite.std())
    return Bins(float(low), float(high), number, float(finite.mean()), deviation if deviation > 0 else 1.0)


def _is_instruction(path: str, trajectories: Sequence[FieldTrajectory]) -> bool:
    return all((one.observations.get(path, np.array([""])) == one.mission).all() for one in trajectories)


def _mission_words(trajectories: Sequence[FieldTrajectory]) -> Iterator[Field]:
    words = {word for one in trajectories for word in one.mission.split()}
    if len({one.mission for one in trajectories}) > 1:
        yield Field("mission", "mission", "mission", 1, Words((UNSEEN_WORD, *sorted(words))), "mission")


def rewards_to_come(trajectory: FieldTrajectory) -> np.ndarray:
    """float64 ``[T]``: the sum of the rewards from each step on."""
    return np.cumsum(trajectory.rewards[::-1])[::-1]


def _returns(trajectories: Sequence[FieldTrajectory], config: SpecConfig) -> Iterator[Field]:
    read = np.concatenate([rewards_to_come(one) for one in trajectories])
    if len(np.unique(read)) > 1:
        yield Field("return", "return", "return", 1, bins_of(read, config.observation_bins), "return")


def _configured(fields: Sequence[Field], config: SpecConfig, dropped: Collection[str]) -> list[Field]:
    """The fields with the names of fields and categories that the configuration gives them."""
    known = {*dropped, *(one.name for one in fields)}
    for setting, named in (("names", config.names), ("categories", config.categories)):
        if unknown := sorted(set(named or ()) - known):
            raise AnyOrderError(f"data.fields.{setting} must name fields ({', '.join(sorted(known))}); found {unknown[0]!r}")
    renamed = []
    for one in fields:
        labels = (config.categories or {}).get(one.name)
        if labels is not None:
            if not isinstance(one.values, Categories) or len(labels) != len(one.values):
                raise AnyOrderError(
                    f"data.fields.categories.{one.name} must name its {len(one.values)} categories; found {len(labels)} names"
                )
            one = replace(one, values=Categories(one.values.values, tuple(labels)))
        renamed.append(replace(one, name=(config.names or {}).get(one.name, one.name)))
    return renamed


def _check_named(config: SpecConfig, known: Collection[str]) -> None:
    """Raise an AnyOrderError for a setting that names what the data do not have."""
    for setting, named in (("leave_out", config.leave_out), ("keep", config.keep), ("bins", config.bins)):
        if unknown := sorted(set(named or ()) - set(known)):
            listed = ", ".join(sorted(known))
            raise AnyOrderError(f"data.fields.{setting} must name fields, groups or paths ({listed}); found {unknown[0]!r}")


def _grouped(fields: Sequence[Field], config: SpecConfig) -> list[Field]:
    """The fields in the groups that the configuration forms; the rest of a group stays together."""
    places = {name: group for group, names in (config.groups or {}).items() for name in names}
    if unknown := sorted(set(places) - {one.name for one in fields}):
        known = ", ".join(one.name for one in fields)
        raise AnyOrderError(f"data.fields.groups must name fields ({known}); found {unknown[0]!r}")
    moved = [replace(one, group=places.get(one.name, one.group)) for one in fields]
    first = {group: number for number, group in reversed(list(enumerate(one.group for one in moved)))}
    return sorted(moved, key=lambda one: first[one.group])


def _reasons(left_out: Mapping[str, str]) -> str:
    return "; ".join(f"{name}: {reason}" for name, reason in list(left_out.items())[:3])
