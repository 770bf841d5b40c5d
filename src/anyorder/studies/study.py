"""A study: the same training with one thing changed, at several levels, data sizes and seeds."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from anyorder.build.collecting import CollectOptions
from anyorder.build.filling import FillOptions
from anyorder.config import DataSetConfig, MaskingConfig, RunConfig, WhichEpisodes
from anyorder.evaluation.evaluate import EvaluationConfig
from anyorder.studies.stages import stages_of

SEED = "{seed}"
"""Stands for the run's training seed in the ``training.init_from`` of an arm."""


@dataclass(frozen=True)
class Level:
    """Where demonstrations come from and where episodes are played.

    Attributes:
        name: shown in tables.
        data: how its data set is collected; all arms and sizes share it.
        test_on: environments that the trained models also play, without having seen them.
        arms: names of those that are trained here; None: all.
        seeds: of training here; None: the study's.
        more: name -> how a further data set is collected, from which arms may learn, too; in the order of their making.
    """

    name: str
    data: CollectOptions
    test_on: tuple[str, ...] = ()
    arms: tuple[str, ...] | None = None
    seeds: tuple[int, ...] | None = None
    more: Mapping[str, CollectOptions] = field(default_factory=dict)


@dataclass(frozen=True)
class MoreData:
    """What an arm learns from beside the demonstrations of its level.

    Attributes:
        share: of the trajectories in the batches; None draws as many as there are.
        filled_by: the arm whose model, of the same level, size and seed, fills in what is missing; None: used as it is.
        threshold: what that model gives a lower probability stays absent; None: the default of `FillOptions`.
        masking: training orders of its own; None: those of the arm.
        episodes: which of them: ``all``, ``successes`` or ``failures``.
    """

    share: float | None = None
    filled_by: str | None = None
    threshold: float | None = None
    masking: MaskingConfig | None = None
    episodes: WhichEpisodes = "all"


@dataclass(frozen=True)
class Arm:
    """One variant.

    Attributes:
        name: shown in tables; its folders are named after it.
        config: configuration of the runs, except for data and seed.
        evaluation: how its runs are judged; figures that several arms have are counted on the same episodes.
        test_on: environments in the place of the level's; None: the level's.
        sets: name of a further data set of the level -> how it is learned from.
    """

    name: str
    config: RunConfig
    evaluation: EvaluationConfig
    test_on: tuple[str, ...] | None = None
    sets: Mapping[str, MoreData] = field(default_factory=dict)


@dataclass(frozen=True)
class Run:
    """One training and what it is judged by.

    Attributes:
        level, arm: what of the study it trains.
        size: number of demonstrations; None: all.
        seed: of training.
        config: the complete configuration.
        folder: where the run writes.
        unseen_episodes: how many are played on each environment of `test_on`.
        curve_episodes: how many are played at every validation while training, on seeds of the validation split; 0: none.
        fills: name of a further data set -> how it is filled in before the run can train.
        stage: runs of lower stages must be finished before it begins, as it needs their models (`anyorder.studies.stages`).
    """

    level: Level
    size: int | None
    arm: Arm
    seed: int
    config: RunConfig
    folder: Path
    unseen_episodes: int
    curve_episodes: int = 0
    fills: Mapping[str, FillOptions] = field(default_factory=dict)
    stage: int = 0

    @property
    def needed(self) -> list[Path]:
        """Checkpoints that must be there before it begins: what it starts from, and what fills in its data."""
        first = self.config.training.init_from
        return [Path(path) for path in (*([first] if first else []), *(fill.checkpoint for fill in self.fills.values()))]

    @property
    def test_on(self) -> tuple[str, ...]:
        """Environments that the model plays without having seen them."""
        return self.level.test_on if self.arm.test_on is None else self.arm.test_on

    def __str__(self) -> str:
        return f"{self.level.name}, {size_name(self.size)}, {self.arm.name}, seed {self.seed}"


@dataclass(frozen=True)
class Study:
    """What is run and what is compared.

    Attributes:
        levels, sizes, arms, seeds: every combination is one run, where a level has no arms or seeds of its own; a size is a
            number of demonstrations, None is all.
        updates: size -> updates of its runs, the same for every arm; sizes that are not there train as configured.
        comparisons: title -> names of arms; the first is what the others are compared with.
        folder: where the runs go.
        across: title -> names of a level and an arm; the comparisons of what was trained at different levels, with the
            first as the reference, too.
        unseen_episodes: see `Run`; None: as many as on the own level.
        curve_episodes: see `Run`.
    """

    levels: Sequence[Level]
    sizes: Sequence[int | None]
    arms: Sequence[Arm]
    seeds: Sequence[int]
    updates: Mapping[int | None, int]
    comparisons: Mapping[str, Sequence[str]]
    folder: Path
    across: Mapping[str, Sequence[tuple[str, str]]] = field(default_factory=dict)
    unseen_episodes: int | None = None
    curve_episodes: int = 0

    def arms_at(self, level: Level) -> list[Arm]:
        """The arms that are trained at a level."""
        return [arm for arm in self.arms if level.arms is None or arm.name in level.arms]

    def seeds_at(self, level: Level) -> Sequence[int]:
        """The training seeds of a level."""
        return self.seeds if level.seeds is None else level.seeds

    def every_seed(self) -> list[int]:
        """The training seeds of all levels."""
        return list(dict.fromkeys(seed for level in self.levels for seed in self.seeds_at(level)))

    def runs(self) -> list[Run]:
        """All runs, the first seed of everything first, so that early results cover all levels, sizes and arms.

        Raises:
            AnyOrderError: if runs start from each other's models.
        """
        runs = [
            self._run(level, size, arm, seed)
            for seed in self.every_seed()
            for level in self.levels
            if seed in self.seeds_at(level)
            for size in self.sizes
            for arm in self.arms_at(level)
        ]
        stages = stages_of([run.folder for run in runs], [run.needed for run in runs])
        return [replace(run, stage=stage) for run, stage in zip(runs, stages)]

    def _run(self, level: Level, size: int | None, arm: Arm, seed: int) -> Run:
        # Runs are spread over the cores, one each.
        num_updates = self.updates.get(size, arm.config.training.num_updates)
        start = (arm.config.training.init_from or "").replace(SEED, str(seed)) or None
        training = replace(arm.config.training, seed=seed, num_updates=num_updates, num_processes=1, num_threads=1)
        training = replace(training, init_from=start)
        fills = {name: self._fill(level, size, arm, seed, name) for name, one in arm.sets.items() if one.filled_by}
        data = replace(arm.config.data, path=level.data.output_dir, num_demonstrations=size)
        if arm.sets:
            folders = {name: fills[name].output_dir if name in fills else level.more[name].output_dir for name in arm.sets}
            sets = [
                DataSetConfig(folders[name], one.share, episodes=one.episodes, masking=one.masking)
                for name, one in arm.sets.items()
            ]
            shares = [one.share for one in sets if one.share is not None]
            data = replace(data, share=1 - sum(shares) if shares else None, sets=sets)
        config = replace(arm.config, data=data, training=training)
        folder = self._folder(level, size, arm.name, seed)
        unseen = self.unseen_episodes or arm.evaluation.num_episodes
        return Run(level, size, arm, seed, config, folder, unseen, self.curve_episodes, fills)

    def _fill(self, level: Level, size: int | None, arm: Arm, seed: int, name: str) -> FillOptions:
        """How a further data set is filled in for an arm. If it was made from another one, that one is the truth."""
        filler, threshold = arm.sets[name].filled_by, arm.sets[name].threshold
        assert filler is not None
        folder, lossy = self._folder(level, size, filler, seed), level.more[name]
        checkpoint = folder / "checkpoints" / "best.pt"
        # Arms with thresholds of their own do not share what the same model filled in.
        filled = folder / "filled" / folder_name(name if threshold is None else f"{name} above {threshold:g}")
        least = FillOptions.threshold if threshold is None else threshold
        return FillOptions(str(checkpoint), lossy.output_dir, str(filled), least, truth=lossy.recorded)

    def _folder(self, level: Level, size: int | None, arm: str, seed: int) -> Path:
        return self.folder.joinpath(*map(folder_name, (level.name, size_name(size), arm, f"seed {seed}")))


def size_name(size: int | None) -> str:
    """For people: ``2,000 demonstrations``."""
    return "all demonstrations" if size is None else f"{size:,} demonstrations"


def folder_name(name: str) -> str:
    """A name as part of a path and of a link: letters, digits, points and dashes, ``_`` for everything else."""
    return re.sub(r"[^\w.-]+", "_", name.replace(",", ""))
