"""The data sets of a run: which of their trajectories are learned from, and the training orders of each."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import TypeVar

import torch

from anyorder.build.masking import strategy_schedule
from anyorder.build.splits import say
from anyorder.config import DataConfig, DataSetConfig, RunConfig
from anyorder.elements.batch import Budget, EncodedData, EncodedEpisodes
from anyorder.elements.layout import LayoutT
from anyorder.elements.several import Chosen, InSets
from anyorder.errors import AnyOrderError, NothingUsable
from anyorder.masking.strategies import BySet, Strategy, answerable

SetEpisodeT = TypeVar("SetEpisodeT")
PROBED_AT = (0.0, 0.25, 0.5, 0.75, 1.0)
"""Moments of training at which a trajectory must have something that the strategy of that moment can ask for."""
TESTED_AT_ONCE = Budget(4096, "frames")


def read_sets(data: DataConfig, read: Callable[[Path], list[SetEpisodeT]]) -> list[list[SetEpisodeT]]:
    """The training trajectories of each data set of a run, the main one first.

    Args:
        data: of the run.
        read: reads the training split of a folder.

    Raises:
        AnyOrderError: when a data set is missing or damaged, or has fewer trajectories than are asked for.
    """
    main = DataSetConfig(data.path, data.share, data.num_demonstrations, data.episodes)
    return [_chosen(read(Path(one.path)), one) for one in (main, *(data.sets or ()))]


def _chosen(episodes: list[SetEpisodeT], config: DataSetConfig) -> list[SetEpisodeT]:
    kept = [one for one in episodes if _counts(one, config)]
    if not kept:
        raise NothingUsable(f"{config.path} has no {config.episodes} among its {len(episodes)} episodes; choose others")
    number = config.num_demonstrations
    if number is not None and not 0 < number <= len(kept):
        raise AnyOrderError(
            f"data.num_demonstrations must lie between 1 and the {len(kept)} of {config.path}; found {number}; lower it"
        )
    return kept[:number]


def _counts(episode: object, config: DataSetConfig) -> bool:
    if config.episodes == "all":
        return True
    success: bool | None = getattr(episode, "success", None)  # conversations tell nothing of it
    if success is None:
        raise AnyOrderError(
            f"data.episodes {config.episodes} needs episodes that say whether they succeeded; those of {config.path} do not;"
            " choose all"
        )
    return success == (config.episodes == "successes")


def strategies_of_sets(
    config: RunConfig, own: Callable[[float], Strategy], known: Collection[str]
) -> Callable[[float], Strategy]:
    """From the progress of training to the strategy that draws each trajectory's order as its data set says.

    Args:
        config: of the run.
        own: the strategies of the run's ``masking``.
        known: names of the fields, and of their groups, that settings may name.

    Raises:
        AnyOrderError: for a wrong setting.
    """
    schedules = schedules_of_sets(config, own, known)
    return own if len(schedules) == 1 else lambda progress: BySet([schedule(progress) for schedule in schedules])


def schedules_of_sets(
    config: RunConfig, own: Callable[[float], Strategy], known: Collection[str]
) -> list[Callable[[float], Strategy]]:
    """For each data set, the main one first, the strategies of its orders; arguments and errors as of `strategies_of_sets`."""
    schedules = [own]
    for number, one in enumerate(config.data.sets or ()):
        try:
            schedules.append(own if one.masking is None else strategy_schedule(one.masking, known))
        except AnyOrderError as error:
            raise AnyOrderError(f"data.sets[{number}]: {error}") from None
    return schedules


def in_sets(
    data: EncodedEpisodes[LayoutT],
    sets: Sequence[Sequence[object]],
    config: DataConfig,
    strategies: Callable[[float], Strategy],
) -> EncodedData[LayoutT]:
    """Encoded training data as a run draws them: from each set its share, and only what its orders can ask about.

    Args:
        data: all trajectories of all sets, encoded in their order.
        sets: the trajectories of each set.
        config: of the run.
        strategies: from the progress of training to its strategy.
    """
    throughout = [strategies(progress) for progress in PROBED_AT]
    if len(sets) == 1:
        return that_can_be_asked(data, data.gaps, throughout, config.path)
    of_trajectory = [number for number, members in enumerate(sets) for _ in members]
    of_part = [of_trajectory[origin] for origin in data.origins]
    every = InSets(data, of_part, None)
    index = _able(every, data.gaps, throughout)
    kept = [of_part[number] for number in index]
    names = [config.path, *(one.path for one in config.sets or ())]
    for number, name in enumerate(names):
        _account_for(name, of_part.count(number), kept.count(number))
    return InSets(Chosen(data, index), kept, config.shares)


def that_can_be_asked(
    data: EncodedData[LayoutT], gaps: Sequence[int], strategies: Sequence[Strategy], where: str
) -> EncodedData[LayoutT]:
    """The encoded data without the trajectories of which a strategy has nothing to ask; a line on stderr says how many.

    Args:
        data: encoded.
        gaps: numbers of the trajectories in which something is absent; the others are not tested.
        strategies: that each trajectory must have something for.
        where: the data come from, for messages.

    Raises:
        NothingUsable: when none is left.
    """
    index = _able(data, gaps, strategies)
    _account_for(where, len(data), len(index))
    return data if len(index) == len(data) else Chosen(data, index)


def _able(data: EncodedData[LayoutT], gaps: Sequence[int], strategies: Sequence[Strategy]) -> list[int]:
    different: list[Strategy] = []
    for strategy in strategies:
        different += [strategy] if strategy not in different else []
    able = torch.ones(len(data), dtype=torch.bool)
    tested = Chosen(data, gaps)
    for index in tested.in_order(TESTED_AT_ONCE) if gaps else ():
        layout = tested.batch(index).layout
        for strategy in different:
            able[[gaps[number] for number in index]] &= answerable(strategy, layout)
    return able.nonzero()[:, 0].tolist()


def _account_for(where: str, before: int, after: int) -> None:
    """Say how many trajectories are left out; not all may be."""
    if not after:
        raise NothingUsable(
            f"{where}: masking.mixture must ask for something that was recorded; found nothing in {before:,} trajectories with"
            " absent values; add a strategy that asks for observations, such as cell or next_observation"
        )
    if after < before:
        say(f"{where}: {before - after:,} of {before:,} trajectories have nothing that their masking asks for and are left out")
