"""Strategies as configurations write them: plain data in, strategies out.

An expression is one of

- ``name``: a strategy whose fields all have defaults (``next_action``);
- ``{name: {field: value, ...}}``: a strategy and its fields (``{cell: {rate: 0.5}}``);
- ``{mixture: {label: weight, label: {weight: w, strategy: expression}, ...}}``: one of several, drawn per trajectory. A
  label with a plain weight is itself the name of a strategy;
- ``{stages: {first: expression, then: expression, at: 0.5}}``: the first strategy until this share of the updates, the
  second from there on; either may itself be of stages.

A field is read as its type hint says: a `Rate` in every form of `schedules.schedule_from`, a member of an
enumeration (`Kind`) by its name in lower case, a field by its name, a `Strategy` as an expression, numbers, truth values and
text as they are, lists and mappings of these. So a new strategy, of this package or of another, needs no line here.
"""

from __future__ import annotations

import math
import typing
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import MISSING, Field, dataclass, fields, is_dataclass
from enum import Enum
from types import NoneType, UnionType
from typing import Any, Union

from anyorder.elements.layout import FieldName
from anyorder.masking.schedules import Rate, schedule_from
from anyorder.masking.strategies import Mixture, Strategy, strategy_class
from anyorder.parsing import brief

Moment = Callable[[float], Any]
"""From the progress of training, 0 at the first update and 1 at the last, to the value at that moment."""

FROM_DEFAULTS = {"rate": Rate, "rates": Mapping[FieldName, Rate]}
"""Fields of this name and type may be left out: one setting serves all strategies that hide elements. A strategy that is
made of another strategy must state its ``rate``, which is the chance of something else."""


def strategy_from(
    spec: Any, defaults: Mapping[str, Any], key: str = "strategy", known_fields: Collection[str] | None = None
) -> Callable[[float], Strategy]:
    """Read an expression.

    Args:
        spec: the expression, as plain data.
        defaults: ``rate`` and ``rates``, as a configuration writes them, for the strategies that leave them out.
        key: where the expression stands, for error messages.
        known_fields: names that a field may have; None: any.

    Returns:
        From the progress of training (0..1) to the strategy at that moment.

    Raises:
        ValueError: with the path of the key, what is allowed there and what was found.

    Example:
        >>> strategy_from({"cell": {"rate": {"linear": [0.0, 0.5]}}}, {})(1.0)
        Cell(rate=Rate(low=0.5, high=0.5, choices=()))
    """
    at = _Reader(defaults, known_fields).strategy(spec, key)
    for progress in (0.0, 1.0):  # what only the strategies themselves can check is checked now, not at the first update
        at(progress)
    return at


@dataclass(frozen=True)
class _Reader:
    """Turns plain data into values. Every method takes the data and the path that leads to it."""

    defaults: Mapping[str, Any]
    known_fields: Collection[str] | None = None

    def strategy(self, spec: Any, path: str) -> Moment:
        """An expression."""
        if isinstance(spec, str):
            return self.named(spec, {}, path)
        if isinstance(spec, Mapping) and len(spec) == 1:
            ((name, values),) = spec.items()
            return self.named(name, {} if values is None else values, path)
        raise _wrong(path, "the name of a strategy or {name: {field: value, ...}}", spec)

    def named(self, name: Any, values: Any, path: str) -> Moment:
        """The strategy of this name with these fields."""
        if name == "stages":
            return self.stages(values, f"{path}.stages")
        cls, inside = _class(name, path), f"{path}.{name}"
        if cls is Mixture:
            return self.mixture(values, inside)
        if not isinstance(values, Mapping):
            raise _wrong(inside, "{field: value, ...}", values)
        return _built(cls, self.arguments(cls, values, inside), inside)

    def arguments(self, cls: type, values: Mapping[str, Any], path: str) -> dict[str, Moment]:
        """The fields of a strategy by name; those that keep the dataclass' own default are left out."""
        own, hints = {field.name: field for field in fields(cls) if field.init}, typing.get_type_hints(cls)
        if unknown := [name for name in values if name not in own]:
            allowed = f"have no other fields than {_listed(own)}" if own else "have no fields"
            raise ValueError(f"{path} must {allowed}; found {_listed(unknown)}")
        given = dict(values)
        for name, hint in FROM_DEFAULTS.items():
            if hints.get(name) == hint and name in self.defaults and Strategy not in hints.values():
                given.setdefault(name, self.defaults[name])
        if missing := [name for name, field in own.items() if name not in given and _is_required(field)]:
            raise ValueError(f"{path} needs {_listed(missing)}; found {_listed(values) or 'nothing'}")
        return {name: self.value(hints[name], given[name], f"{path}.{name}") for name in given}

    def mixture(self, spec: Any, path: str) -> Moment:
        """``label -> weight | {weight, strategy}``."""
        if not isinstance(spec, Mapping):
            raise _wrong(path, "{label: weight} or {label: {weight: w, strategy: expression}}", spec)
        if not spec:
            raise ValueError(f"{path} must name at least one strategy; found none")
        weights, strategies = [], []
        for label, entry in spec.items():
            inside = f"{path}.{label}"
            if not isinstance(entry, Mapping):
                strategies.append(self.strategy(label, path))
                weights.append(self.value(float, entry, inside))
            elif set(entry) == {"weight", "strategy"}:
                strategies.append(self.strategy(entry["strategy"], f"{inside}.strategy"))
                weights.append(self.value(float, entry["weight"], f"{inside}.weight"))
            else:
                raise _wrong(inside, "a weight or {weight: w, strategy: expression}", entry)
        return _built(Mixture, {"strategies": _together(strategies), "weights": _together(weights)}, path)

    def stages(self, spec: Any, path: str) -> Moment:
        """``{first, then, at}``: one expression until a share of the updates, another from there on."""
        if not isinstance(spec, Mapping) or set(spec) != {"first", "then", "at"}:
            raise _wrong(path, "{first: expression, then: expression, at: a share of the updates}", spec)
        first, then = (self.strategy(spec[name], f"{path}.{name}") for name in ("first", "then"))
        share = self.plain(float, spec["at"], f"{path}.at")
        if not 0 < share < 1:
            raise _wrong(f"{path}.at", "a share of the updates, above 0 and below 1", spec["at"])
        return lambda progress: (first if progress < share else then)(progress)

    def value(self, hint: Any, spec: Any, path: str) -> Moment:
        """A value of the type that a field declares."""
        origin, inner = typing.get_origin(hint), typing.get_args(hint)
        if hint is Strategy:
            return self.strategy(spec, path)
        if hint is Rate:
            return _explained(path, schedule_from, spec)
        if origin in (Union, UnionType):
            return self.optional(inner, spec, path)
        if isinstance(origin, type) and issubclass(origin, Mapping):
            key_hint, value_hint = inner
            return self.mapping(key_hint, value_hint, spec, path)
        if isinstance(origin, type) and issubclass(origin, Collection):
            return self.sequence(origin, inner, spec, path)
        value = self.plain(hint, spec, path)
        return lambda progress: value

    def plain(self, hint: Any, spec: Any, path: str) -> Any:
        """A value that does not change over training."""
        if hint is not FieldName:
            return _plain(hint, spec, path)
        if self.known_fields is not None and spec not in self.known_fields:
            raise ValueError(f"{path} must be one of {_listed(self.known_fields)}; found {brief(spec)}")
        return _plain(str, spec, path)

    def optional(self, inner: tuple, spec: Any, path: str) -> Moment:
        """``X | None``."""
        if spec is None and NoneType in inner:
            return lambda progress: None
        known = [hint for hint in inner if hint is not NoneType]
        if len(known) != 1:
            raise ValueError(f"{path} has a type that configurations cannot write: one of {known}")
        return self.value(known[0], spec, path)

    def mapping(self, key_hint: Any, value_hint: Any, spec: Any, path: str) -> Moment:
        """``{key: value, ...}``, whose keys do not change over training."""
        if not isinstance(spec, Mapping):
            raise _wrong(path, "{key: value, ...}", spec)
        keys = [self.plain(key_hint, key, path) for key in spec]
        values = _together([self.value(value_hint, value, f"{path}.{key}") for key, value in spec.items()])
        return lambda progress: dict(zip(keys, values(progress)))

    def sequence(self, origin: type, inner: tuple, spec: Any, path: str) -> Moment:
        """A list: of as many entries as the type names (``tuple[X, Y]``), or of any number (``Sequence[X]``)."""
        if not isinstance(spec, (list, tuple)):
            raise _wrong(path, "a list", spec)
        fixed = origin is tuple and inner[-1] is not Ellipsis
        if fixed and len(inner) != len(spec):
            raise _wrong(path, f"a list of {len(inner)}", spec)
        hints = inner if fixed else [inner[0]] * len(spec)
        return _together([self.value(hint, one, f"{path}[{i}]") for i, (hint, one) in enumerate(zip(hints, spec))])


def _class(name: Any, path: str) -> type:
    """The strategy of this name, of this package or another."""
    try:
        cls = strategy_class(name)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    except (ImportError, AttributeError) as error:
        raise ValueError(f"{path}: the entry point of {name} does not load ({error}); reinstall its package") from None
    if not is_dataclass(cls):
        raise ValueError(f"{path}.{name} must be a dataclass, so that its fields can be read; found {cls!r}")
    return cls


def _plain(hint: Any, spec: Any, path: str) -> Any:
    """A value that does not change over training."""
    if isinstance(hint, type) and issubclass(hint, Enum):
        names = {member.name.lower(): member for member in hint}
        if not isinstance(spec, str) or spec not in names:
            raise ValueError(f"{path} must be one of {_listed(names)}; found {brief(spec)}")
        return names[spec]
    if hint not in PLAIN_TYPES:
        raise ValueError(f"{path} has a type that configurations cannot write: {hint}")
    description, types = PLAIN_TYPES[hint]
    if not isinstance(spec, types) or isinstance(spec, bool) != (hint is bool):
        raise _wrong(path, description, spec)
    if isinstance(spec, (int, float)) and not math.isfinite(spec):
        raise _wrong(path, description, spec)
    return hint(spec)


PLAIN_TYPES: dict[type, tuple[str, tuple[type, ...]]] = {
    bool: ("true or false", (bool,)),
    int: ("a whole number", (int,)),
    float: ("a number", (int, float)),
    str: ("text", (str,)),
}
"""Type -> its name in an error message, and the Python types that are accepted for it."""


def _built(cls: type, arguments: Mapping[str, Moment], path: str) -> Moment:
    """The dataclass with these fields. An error that the class itself raises gets the path in front."""

    def at(progress: float) -> Strategy:
        now = {name: value(progress) for name, value in arguments.items()}
        return _explained(path, lambda: cls(**now))

    return at


def _together(values: Sequence[Moment]) -> Moment:
    """One tuple of several values."""
    return lambda progress: tuple(value(progress) for value in values)


def _explained(path: str, function: Callable[..., Any], *arguments: Any) -> Any:
    """Call a function; a ValueError gets the path in front."""
    try:
        return function(*arguments)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def _is_required(field: Field) -> bool:
    return field.default is MISSING and field.default_factory is MISSING


def _listed(names: Iterable[Any]) -> str:
    return ", ".join(brief(Exception(name), 80) for name in names)


def _wrong(path: str, allowed: str, found: Any) -> ValueError:
    return ValueError(f"{path} must be {allowed}; found {brief(found)}")
