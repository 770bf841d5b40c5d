"""The headers of checkpoints, which may come from strangers: their types are checked, and they lead nowhere unsaid."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import MISSING, fields, is_dataclass
from pathlib import Path
from types import UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from anyorder.config import DataConfig, ElementModelConfig, MaskingConfig, ModelConfig, TrainingConfig
from anyorder.elements.contents import minigrids_contents
from anyorder.elements.grid import NUM_VALUES, Attribute, GridVocabulary
from anyorder.errors import AnyOrderError
from anyorder.language_config import LanguageModelConfig

ConfigT = TypeVar("ConfigT")


def data_folder(header: Mapping[str, Any], given: str | None, where: str) -> Path:
    """The folder of the data set: the one that the user gave, or the one that the header names, which a line on stderr says."""
    if given:
        return Path(given)
    folder = training_data(header, where).path
    print(f"reading the data set {folder}, which {where} names", file=sys.stderr)
    return Path(folder)


def training_data(header: Mapping[str, Any], where: str) -> DataConfig:
    """The data that a checkpoint was trained on."""
    return _part(DataConfig, header, "data", where)


def check_origin(header: Mapping[str, Any], where: str) -> None:
    """Raise an AnyOrderError unless a header says where its model comes from: environment, data, masking and training."""
    text_of(header, "env_id", where)
    for key, cls in {"data": DataConfig, "masking": MaskingConfig, "training": TrainingConfig}.items():
        _part(cls, header, key, where)


def is_of_fields(header: Mapping[str, Any]) -> bool:
    """True for the header of a general model, which was trained on trajectories of fields."""
    return header.get("content") == "fields" and "spec" in header


def grid_model_config(header: Mapping[str, Any], where: str) -> ModelConfig:
    """The sizes of the grid model in a checkpoint.

    Raises:
        AnyOrderError: for settings that are missing, unknown or of another type.
    """
    return _part(ModelConfig, header, "model", where)


def element_model_config(header: Mapping[str, Any], where: str) -> ElementModelConfig:
    """The sizes of the general model in a checkpoint; the default ones where the run named none."""
    config = checked(dict[str, Any], header.get("config"), f"{where}: config")
    return _part(ElementModelConfig, header, "element_model", where) if config.get("element_model") else ElementModelConfig()


def language_model_config(header: Mapping[str, Any], where: str) -> LanguageModelConfig:
    """The language model's settings in a checkpoint; `grid_model_config` says what is refused."""
    return _part(LanguageModelConfig, header, "language_model", where)


def vocabulary_header(vocabulary: GridVocabulary) -> dict[str, Any]:
    """What a checkpoint says of a vocabulary; `vocabulary_and_view` reads it."""
    return {"words": list(vocabulary.words), "contents": [list(content) for content in vocabulary.contents]}


def vocabulary_and_view(header: Mapping[str, Any], where: str) -> tuple[GridVocabulary, tuple[int, int]]:
    """The vocabulary of a grid model, and the columns and rows of the view. A checkpoint that says nothing of the contents of
    cells, as older ones do, has MiniGrid's."""
    words = checked(list[str], header.get("words"), f"{where}: words")
    contents = checked(
        list[list[int]], header.get("contents", [list(one) for one in minigrids_contents()]), f"{where}: contents"
    )
    limits = [NUM_VALUES[attribute] for attribute in (Attribute.OBJECT, Attribute.COLOR, Attribute.STATE)]
    for content in contents:
        if len(content) != len(limits) or not all(0 <= number < limit for number, limit in zip(content, limits)):
            raise AnyOrderError(f"{where}: contents must be MiniGrid's numbers [object, color, state]; found {_shown(content)}")
    view = checked(list[int], header.get("view"), f"{where}: view")
    if len(view) != 2 or min(view) < 1 or len(set(words)) < len(words):
        raise AnyOrderError(f"{where}: words must differ and the view must be [columns, rows]; found {_shown(view)}")
    known = tuple((kind, color, state) for kind, color, state in contents)
    return GridVocabulary(tuple(words), known), (view[0], view[1])


def text_of(header: Mapping[str, Any], key: str, where: str) -> str:
    """A text in the header."""
    return checked(str, header.get(key), f"{where}: {key}")


def _part(cls: type[ConfigT], header: Mapping[str, Any], key: str, where: str) -> ConfigT:
    config = checked(dict[str, Any], header.get("config"), f"{where}: config")
    try:
        return checked(cls, config.get(key), f"{where}: {key}")
    except AnyOrderError as error:
        raise AnyOrderError(f"{error}; restore the checkpoint or train again") from None


def checked(hint: Any, value: Any, where: str) -> Any:
    """A value of a JSON file as the type that it must have; dataclasses are made from mappings.

    Raises:
        AnyOrderError: for another type, an unknown key, or a key that is missing and has no default.
    """
    if is_dataclass(hint):
        return _record(hint, checked(dict[str, Any], value, where), where)
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        if value is None and type(None) in arguments:
            return None
        return _one_of([one for one in arguments if one is not type(None)], value, where)
    if origin is list and isinstance(value, list):
        return [checked(arguments[0], entry, f"{where}[{number}]") for number, entry in enumerate(value)]
    if origin is dict and isinstance(value, dict):
        return {name: checked(arguments[1], entry, f"{where}.{name[:80]}") for name, entry in value.items()}
    if origin is Literal and value in arguments:
        return value
    if hint is float and type(value) is int:
        return value
    if hint is Any or type(value) is hint:
        return value
    allowed = " or ".join(map(str, arguments)) if origin is Literal else getattr(origin or hint, "__name__", str(hint))
    raise AnyOrderError(f"{where} must be {allowed}; found {_shown(value)}")


def _one_of(hints: list[Any], value: Any, where: str) -> Any:
    """The value as the first of these types that it fits; the error is that of the last."""
    *others, last = hints
    for hint in others:
        with suppress(AnyOrderError):
            return checked(hint, value, where)
    return checked(last, value, where)


def _record(cls: Any, values: Mapping[str, Any], where: str) -> Any:
    hints = get_type_hints(cls)
    if unknown := sorted(values.keys() - hints.keys()):
        raise AnyOrderError(f"{where} must have no other keys than {', '.join(hints)}; found {_shown(unknown[0])}")
    needed = [field.name for field in fields(cls) if field.default is MISSING and field.default_factory is MISSING]
    if missing := [name for name in needed if name not in values]:
        raise AnyOrderError(f"{where} must have {', '.join(needed)}; {missing[0]} is missing")
    given = {name: checked(hints[name], value, f"{where}.{name}") for name, value in values.items()}
    try:
        return cls(**given)
    except AnyOrderError as error:
        raise AnyOrderError(f"{where}: {error}") from None


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:80]}..."
