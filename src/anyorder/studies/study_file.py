"""Reads a study from a YAML file with these keys:

base: changes to the default configuration that all arms share
levels: {NAME: {env: ID, data: FOLDER, num_episodes: 2000, ..., test_on: [ID, ...], arms: [those trained here], seeds: [0],
    more: {SET: {data: FOLDER, num_episodes: 4000, policy: random, ...}}}}   # other data of the level's environment, or with
    # `recorded: FOLDER` what was made from another data set; that one is the truth where a model fills in what is missing
sizes: [200, 2000]      # demonstrations; null is all of them, and the default
updates: 4000           # of every run, or {200: 500, 2000: 4000} by size; left out, base.training.num_epochs counts
seeds: [0, 1, 2]
evaluation: settings of `anyorder evaluate`
unseen_episodes: 100    # on each environment of test_on; left out, those of evaluation
curve_episodes: 50      # at every validation while training, for the success curve; left out, none
arms: {NAME: changes to the base; evaluation: {...} for settings of its own; test_on: [...] instead of the level's;
    sets: {SET: {share: 0.7, filled_by: ARM, threshold: 0.5, masking: {...}, episodes: successes}} for what else it learns
    from: that arm's model fills in first; {seed} in its training.init_from stands for the run's training seed}
comparisons: {TITLE: [the arm that the others are compared with, ARM, ...]}, or {TITLE: [LEVEL: ARM, LEVEL: ARM, ...]}
    across levels
quick: changes to the study for a first look
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from jsonargparse import ArgumentParser

from anyorder.build.collecting import CollectOptions, level_parser
from anyorder.build.masking import strategy_schedule
from anyorder.config import RunConfig
from anyorder.errors import AnyOrderError
from anyorder.evaluation.evaluate import EvaluationConfig
from anyorder.files import read_yaml
from anyorder.options import instantiated, parser
from anyorder.parsing import brief
from anyorder.studies.further_data import check_sets
from anyorder.studies.study import Arm, Level, MoreData, Study, folder_name
from anyorder.trust import check_trust, trusts_code

REQUIRED = ("levels", "seeds", "arms", "comparisons")
OPTIONAL: dict[str, Any] = {
    "base": {},
    "sizes": [None],
    "updates": None,
    "evaluation": {},
    "unseen_episodes": None,
    "curve_episodes": 0,
    "quick": {},
}
MATCHED: dict[str, tuple[str, ...] | None] = {
    "data": None,
    "training": ("seed", "num_epochs", "num_updates", "frames_per_batch", "tokens_per_batch", "accumulation"),
}
"""What no arm may change, so that all arms learn from as much: a whole group (None), or some keys of it."""
LONGEST_NAME = 120
"""Characters of a name: folders are called like it."""
WHOLE = ("mixture", "mask_prob", "attribute_probs", "robustness", "updates")
"""Settings whose value is a mapping: a change replaces it as a whole."""


def read_study(path: Path, quick: bool, folder: Path) -> Study:
    """Read a study.

    Args:
        path: of the YAML file.
        quick: True for its shorter form.
        folder: where its runs go.

    Raises:
        AnyOrderError: naming the file, the key, what is allowed and what was found.
    """
    written = read_yaml(path)
    if not isinstance(written, dict) or not set(REQUIRED) <= set(written) <= {*REQUIRED, *OPTIONAL}:
        found = brief(Exception(", ".join(map(str, written)))) if isinstance(written, dict) else type(written).__name__
        raise AnyOrderError(
            f"{path}: a study must have the keys {', '.join(REQUIRED)} and may have {', '.join(OPTIONAL)}; found {found}"
        )
    shorter = _check_mapping(written.get("quick", {}), f"{path}: quick")
    settings = merged({**OPTIONAL, **written}, shorter if quick else {})
    for key in ("levels", "arms", "comparisons", "base", "evaluation"):
        _check_mapping(settings[key], f"{path}: {key}")
    levels = [_level(name, spec, f"{path}: levels.{name}") for name, spec in settings["levels"].items()]
    arms = [_arm(name, change, settings, f"{path}: arms.{name}") for name, change in settings["arms"].items()]
    titled = settings["comparisons"]
    across = {title: _places(entries, f"{path}: comparison {title}") for title, entries in titled.items()}
    study = Study(
        levels,
        settings["sizes"],
        arms,
        settings["seeds"],
        {},
        {title: entries for title, entries in titled.items() if not across[title]},
        folder,
        {title: places for title, places in across.items() if places},
        settings["unseen_episodes"],
        settings["curve_episodes"],
    )
    _check(study, path)
    return replace(study, updates=_updates(settings, path))


def merged(base: Mapping[str, Any], change: Mapping[str, Any]) -> dict[str, Any]:
    """``change`` laid over ``base``, group by group; what is not a group, and `WHOLE`, is replaced."""
    result = dict(base)
    for key, value in change.items():
        inside = isinstance(value, dict) and isinstance(result.get(key), dict) and key not in WHOLE
        result[key] = merged(result[key], value) if inside else value
    return result


def _level(name: str, spec: Any, where: str) -> Level:
    _check_mapping(spec, where)
    options = dict(spec)
    test_on = _names(options.pop("test_on", []), f"{where}.test_on")
    arms = _names(options.pop("arms"), f"{where}.arms") if "arms" in options else None
    if "data" in options:
        options["output_dir"] = options.pop("data")
    if missing := {"env", "output_dir"} - set(options):
        named = " and ".join(sorted(missing)).replace("output_dir", "data")
        raise AnyOrderError(f"{where} must have env and data; {named} is missing")
    seeds = _seeds(options.pop("seeds"), f"{where}.seeds") if "seeds" in options else None
    more = _check_mapping(options.pop("more", {}), f"{where}.more")
    further = {title: _further(own, options["env"], f"{where}.more.{title}") for title, own in more.items()}
    return Level(name, CollectOptions(**_typed(level_parser(), options, where).as_dict()), test_on, arms, seeds, further)


def _further(spec: Any, env: str, where: str) -> CollectOptions:
    """How a further data set of a level is collected: of the level's environment, for training alone."""
    options = dict(_check_mapping(spec, where))
    if "data" not in options:
        raise AnyOrderError(f"{where} must have data, its folder; found {brief(options)}")
    options["output_dir"] = options.pop("data")
    if "recorded" not in options:
        options = {"env": env, "num_validation": 0, "num_test": 0, **options}
    return CollectOptions(**_typed(level_parser(), options, where).as_dict())


def _arm(name: str, change: Any, settings: Mapping[str, Any], where: str) -> Arm:
    change = dict(_check_mapping(change, where))
    own = _check_mapping(change.pop("evaluation", {}), f"{where}: evaluation")
    for group in MATCHED:
        _check_mapping(change.get(group, {}), f"{where}.{group}")
    test_on = _names(change.pop("test_on"), f"{where}.test_on") if "test_on" in change else None
    sets = _check_mapping(change.pop("sets", {}), f"{where}.sets")
    further = {title: _typed_as(MoreData, own, f"{where}.sets.{title}") for title, own in sets.items()}
    for group, keys in MATCHED.items():
        if found := [key for key in change.get(group, {}) if keys is None or key in keys]:
            raise AnyOrderError(f"{where}: arms must be matched, so none may change {group}.{found[0]}; change it in base")
    run = merged(settings["base"], change)
    judged = merged({"pictures": False, **settings["evaluation"]}, own)
    config = _typed_as(RunConfig, run, where)
    try:
        strategy_schedule(config.masking)
    except AnyOrderError as error:
        raise AnyOrderError(f"{where}: {error}") from None
    if config.language_model is not None and config.language_model.trust_remote_code:
        check_trust(trusts_code(), f"{where} would run code that comes with a checkpoint")
    return Arm(name, config, _typed_as(EvaluationConfig, judged, f"{where}: evaluation"), test_on, further)


def _names(value: Any, where: str) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        raise AnyOrderError(f"{where} must be a list of names; found {brief(value)}")
    return tuple(value)


def _seeds(value: Any, where: str) -> tuple[int, ...]:
    if not isinstance(value, list) or not value or not all(map(_is_count, value)):
        raise AnyOrderError(f"{where} must be a list of whole numbers; found {brief(value)}")
    return tuple(value)


def _places(entries: Any, where: str) -> list[tuple[str, str]]:
    """(level, arm) of each entry of a comparison across levels; empty for a comparison within each level."""
    if not isinstance(entries, list) or not all(isinstance(entry, (str, dict)) for entry in entries):
        raise AnyOrderError(f"{where} must be a list of arms, or of LEVEL: ARM; found {brief(entries)}")
    places = [place for entry in entries if isinstance(entry, dict) for place in entry.items()]
    if len(places) != len(entries) and any(isinstance(entry, dict) for entry in entries):
        raise AnyOrderError(f"{where} must name a level for all of its arms or for none; found {brief(entries)}")
    return places


def _updates(settings: Mapping[str, Any], path: Path) -> dict[int | None, int]:
    """Size -> updates."""
    found, sizes = settings["updates"], settings["sizes"]
    if found is None:
        return {}
    updates = found if isinstance(found, dict) else dict.fromkeys(sizes, found)
    if set(updates) != set(sizes) or not all(_is_count(number) and number for number in updates.values()):
        raise AnyOrderError(
            f"{path}: updates must be a whole number of at least 1, or one for each of the sizes"
            f" {', '.join(map(str, sizes))}; found {brief(found)}"
        )
    return updates


def _check(study: Study, path: Path) -> None:
    by_folder: dict[str, Sequence[Arm | Level]] = {"arms": study.arms, "levels": study.levels}
    for title, parts in by_folder.items():
        names = [part.name for part in parts]
        if len({folder_name(name) for name in names}) < len(names):
            raise AnyOrderError(f"{path}: {title} must have names that differ as folders; found {', '.join(names)}")
    _seeds(study.seeds, f"{path}: seeds")
    if not isinstance(study.sizes, list) or not study.sizes or not all(_is_count(v) or v is None for v in study.sizes):
        raise AnyOrderError(f"{path}: sizes must be a list of whole numbers; found {brief(study.sizes)}")
    for level in study.levels:
        largest = max((size for size in study.sizes if size is not None), default=0)
        if largest > level.data.num_episodes:
            raise AnyOrderError(
                f"{path}: sizes must not exceed the demonstrations of a level; found {largest}, but levels.{level.name} has"
                f" {level.data.num_episodes}; raise its num_episodes"
            )
    check_sets(study, path)
    known = [arm.name for arm in study.arms]
    named = {f"comparison {title}": names for title, names in study.comparisons.items()}
    named |= {f"levels.{level.name}.arms": level.arms or () for level in study.levels}
    for where, mentioned in named.items():
        if unknown := [name for name in mentioned if name not in known]:
            raise AnyOrderError(f"{path}: {where} names unknown arms: {_listed(unknown)}; the arms are {', '.join(known)}")
    trained = {(level.name, arm.name) for level in study.levels for arm in study.arms_at(level)}
    for title, places in study.across.items():
        if unknown := [f"{level}: {arm}" for level, arm in places if (level, arm) not in trained]:
            raise AnyOrderError(
                f"{path}: comparison {title} names arms that are not trained at their level: {_listed(unknown)}"
            )
    for key, value in {"unseen_episodes": study.unseen_episodes, "curve_episodes": study.curve_episodes}.items():
        if not (_is_count(value) or (key == "unseen_episodes" and value is None)):
            raise AnyOrderError(f"{path}: {key} must be a whole number; found {brief(value)}")
    if not study.runs():
        raise AnyOrderError(f"{path} must ask for at least one run; found no level with an arm; add levels and arms")


def _listed(names: Sequence[str]) -> str:
    return brief(AnyOrderError(", ".join(names)))  # an error's text is quoted without quotation marks


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _check_mapping(value: Any, where: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise AnyOrderError(f"{where} must be {{key: value, ...}}; found {brief(value)}")
    if wrong := [key for key in value if not isinstance(key, str) or not key.strip() or len(key) > LONGEST_NAME]:
        raise AnyOrderError(
            f"{where} must have texts of 1 to {LONGEST_NAME} characters as keys; found {brief(wrong[0])}; put it in quotes"
        )
    return value


def _typed_as(cls: type, settings: Mapping[str, Any], where: str) -> Any:
    """An instance of ``cls``; the parser that reads config files checks its settings."""
    reader = parser("study", "")
    reader.add_class_arguments(cls, "it")
    return _typed(reader, {"it": settings}, where).it


def _typed(reader: ArgumentParser, settings: Mapping[str, Any], where: str) -> Any:
    try:
        return instantiated(reader, reader.parse_object(dict(settings)))
    except Exception as error:  # jsonargparse raises several kinds
        raise AnyOrderError(f"{where}: {brief(error, 400)}") from None
