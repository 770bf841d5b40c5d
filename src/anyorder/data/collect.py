"""How a data set is collected: from seeds to a folder that accounts for every seed.

Two splits never share a seed, in one data set or across data sets (`anyorder.envs.splits`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from rich.progress import ProgressColumn, Task
from rich.text import Text

from anyorder.config import SpecConfig
from anyorder.data.damage import Damage
from anyorder.data.episodes import EpisodeResult, EpisodeSource, ExpertSource
from anyorder.data.field_storage import spaces_to_json, with_spec, write_field_shard
from anyorder.data.manifest import MANIFEST, Failure, Manifest, Split, package_versions, read_manifest, write_manifest
from anyorder.data.storage import shard_error, write_shard
from anyorder.data.text_storage import write_played_shard
from anyorder.envs.known import packages_of
from anyorder.envs.making import make_environments
from anyorder.envs.minigrid import is_grid_env
from anyorder.envs.played_text import PlayedText
from anyorder.envs.registered import is_registered
from anyorder.envs.splits import SEEDS_PER_SPLIT, SPLIT_OFFSETS
from anyorder.envs.telling import is_text_env, tasks_of
from anyorder.errors import AnyOrderError
from anyorder.files import differences
from anyorder.locks import locked
from anyorder.terminal import progress_bars
from anyorder.types import FieldTrajectory, Trajectory

import gymnasium as gym  # isort: skip  (after envs.minigrid, which silences what this import prints)

NO_SUCCESS = "no success"  # the reason of a Failure
SHARD_SIZE = 1_000  # seeds per shard: an interruption loses at most so many episodes, and they fit into memory


@dataclass(frozen=True)
class CollectSpec:
    """What to collect. Two runs of one spec give the same data set, byte for byte, on any number of processes (except for
    episodes whose playing time is near the limit).

    Attributes:
        env_id: a registered environment; or several, joined by ``+``, which take turns from seed to seed.
        policy: a key of `anyorder.envs.experts.EXPERTS` or ``module:function``; with another episode source, the name to record
            for it.
        num_episodes: number of training episodes to play (failures are recorded, not replaced).
        num_validation: number of validation episodes; 0 leaves the split out.
        num_test: number of test episodes; 0 leaves the split out.
        seed: first training seed; validation starts at 10,000,000 + seed, test at 20,000,000 + seed.
        noise: share of random actions of "noisy_bot" and "noisy_expert", above 0 and at most 1.
        time_limit: seconds of wall time after which an episode counts as failed.
        successes_only: True records episodes that end without success as failures, with the reason `NO_SUCCESS`.
        without: name -> share, of what is lost of the episodes (`anyorder.data.damage.Damage`).
    """

    env_id: str = "BabyAI-GoToRedBall-v0"
    policy: str = "bot"
    num_episodes: int = 10_000
    num_validation: int = 500
    num_test: int = 500
    seed: int = 0
    noise: float = 0.0
    time_limit: float = 10.0
    successes_only: bool = False
    without: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        counts = (self.num_episodes, self.num_validation, self.num_test)
        if min(counts) < 0 or not any(counts):
            raise AnyOrderError(f"numbers of episodes must be at least 0, and at least one above 0; found {counts}")
        if self.seed < 0 or self.seed + max(counts) > SEEDS_PER_SPLIT:
            raise AnyOrderError(
                f"seeds must lie in [0, {SEEDS_PER_SPLIT:,}); found {max(counts):,} episodes from seed {self.seed:,}"
                "; choose a lower seed or fewer episodes"
            )
        if not self.time_limit > 0:
            raise AnyOrderError(f"the time limit must be a number of seconds above 0; found {self.time_limit}")

    def splits(self) -> dict[str, Split]:
        """The splits that have seeds, each with nothing collected yet."""
        counts = zip(SPLIT_OFFSETS.items(), (self.num_episodes, self.num_validation, self.num_test))
        first = {name: (self.seed + offset, count) for (name, offset), count in counts if count}
        return {name: Split(start, start + count - 1) for name, (start, count) in first.items()}


def collect(
    folder: Path,
    spec: CollectSpec,
    *,
    num_processes: int | None = None,
    source: EpisodeSource | None = None,
    fields: SpecConfig | None = None,
) -> Manifest:
    """Collect a data set, or the rest of one that was interrupted; a finished one is checked and left as it is. Episodes of
    other environments than MiniGrid's are trajectories of fields, whose spec is fitted at the end.

    Progress goes to stderr. A folder in which no shard was completed is removed again.

    Args:
        folder: where the data set goes; made if it does not exist.
        spec: what to collect.
        num_processes: None for one per CPU. Processes start afresh, so a script must call this function under
            ``if __name__ == "__main__":``.
        source: plays the episodes; None: the expert that the spec names. A source may play grids that Gymnasium does not know.
        fields: how the fields of trajectories differ from what the spaces and the data say; None: not at all. To give others
            for a finished data set fits its spec again.

    Raises:
        AnyOrderError: when the folder holds another data set or is being written, the spec names an unknown environment or
            policy, a worker process died, or the disk is full; and after all is written, when no spec of fields fits.
        KeyboardInterrupt: when the user interrupts; its message says what is kept and how to continue.
    """
    folder = Path(folder)
    manifest = _open(folder, spec, source)
    fields = fields or SpecConfig()
    if manifest.content == "grid" and fields != SpecConfig():
        raise AnyOrderError(f"data.fields is for environments that are no grids; found {spec.env_id}; leave it out")
    if not any(_missing(folder, manifest)) and not _lacks_spec(manifest, fields):
        return manifest
    with locked(folder):
        manifest = _collect_missing(folder, spec, num_processes, source)
        return with_spec(folder, fields) if _lacks_spec(manifest, fields) else manifest


def _lacks_spec(manifest: Manifest, fields: SpecConfig) -> bool:
    """True if there are trajectories of fields, but no spec of them or one that was asked to be otherwise."""
    training = manifest.splits.get("train", next(iter(manifest.splits.values())))
    wanted = manifest.fields is None or fields != SpecConfig()
    return manifest.content == "fields" and wanted and training.num_episodes > 0


def _collect_missing(folder: Path, spec: CollectSpec, num_processes: int | None, source: EpisodeSource | None) -> Manifest:
    manifest = _open(folder, spec, source)
    todo = list(_missing(folder, manifest))
    if source is None:
        source = ExpertSource(spec.env_id, spec.policy, spec.noise, spec.time_limit, num_processes)
    results = iter(source([seed for _, seeds in todo for seed in seeds]))
    keep, damage = partial(_successful, spec.env_id) if spec.successes_only else _as_it_is, Damage.of(spec.without)
    try:
        with progress_bars(_Rate(), "{task.fields[failed]} failed") as progress:
            failed = 0
            task = progress.add_task("", total=sum(len(seeds) for _, seeds in todo), failed=failed)
            for name, seeds in todo:
                outcome = []
                for result in map(keep, _checked(results, seeds)):
                    outcome.append(damage(result) if isinstance(result, Trajectory | FieldTrajectory) else result)
                    failed += isinstance(result, Failure)
                    progress.update(task, advance=1, failed=failed, description=name)
                manifest = _commit(folder, manifest, name, seeds, outcome)
    except KeyboardInterrupt:
        done = sum(split.num_seeds_done for split in manifest.splits.values())
        message = f"interrupted; {done:,} episodes are kept in {folder}: run the same again to continue"
        raise KeyboardInterrupt(message) from None
    finally:
        getattr(results, "close", lambda: None)()  # ends the processes of a generator
    return manifest


def _open(folder: Path, spec: CollectSpec, source: EpisodeSource | None) -> Manifest:
    """The manifest to fill: a new one, or the one that an earlier run of the same spec and versions left."""
    options = {name: value for name, value in asdict(spec).items() if name != "env_id"}
    wanted = Manifest(spec.env_id, options, spec.splits(), package_versions(*packages_of(spec.env_id)))
    if not (folder / MANIFEST).exists():
        return wanted if source is not None and not is_registered(spec.env_id) else _with_content(wanted)
    found = read_manifest(folder)
    if others := differences(_flat(found), _flat(wanted)):
        raise AnyOrderError(f"{folder} holds another data set ({'; '.join(others)}); choose another folder or delete this one")
    return found


def _with_content(manifest: Manifest) -> Manifest:
    """A new manifest that says what its environments give."""
    env, *others = make_environments(manifest.env_id)
    _check_number_of_tasks(manifest, (env, *others))
    if is_grid_env(env):
        return manifest
    if is_text_env(env) and manifest.spec["without"]:
        raise AnyOrderError(f"without takes values from grids and fields; {manifest.env_id} is played in words; leave it out")
    if is_text_env(env):
        return replace(manifest, content="text")
    return replace(manifest, content="fields", spaces=spaces_to_json(env.observation_space, env.action_space))


def _check_number_of_tasks(manifest: Manifest, envs: Sequence[gym.Env]) -> None:
    """Refuse to play a task twice, where the environments have only so many of them."""
    most = tasks_of(envs)
    if any(split.num_seeds > most[name] for name, split in manifest.splits.items()):
        found = ", ".join(f"{split.num_seeds:,} in {name}" for name, split in manifest.splits.items())
        options = zip(("--num_episodes", "--num_validation", "--num_test"), most.values())
        raise AnyOrderError(
            f"{manifest.env_id} has only so many tasks; found {found}; ask for at most"
            f" {' '.join(f'{option} {number}' for option, number in options)}"
        )


def _flat(manifest: Manifest) -> dict[str, Any]:
    # An older data set was collected with the defaults of what it does not mention.
    return {**asdict(CollectSpec()), "env_id": manifest.env_id, **manifest.spec, **manifest.versions}


def _missing(folder: Path, manifest: Manifest) -> Iterator[tuple[str, range]]:
    """The split and seeds of every shard that is not whole on the disk."""
    for name, split in manifest.splits.items():
        whole = {shard.first_seed for shard in split.shards if shard_error(folder, shard) is None}
        for first in range(split.first_seed, split.last_seed + 1, SHARD_SIZE):
            if first not in whole:
                yield name, range(first, min(first + SHARD_SIZE, split.last_seed + 1))


def _checked(results: Iterator[EpisodeResult], seeds: range) -> Iterator[EpisodeResult]:
    for seed in seeds:
        result = next(results, None)
        if result is None or result.seed != seed:
            found = "nothing" if result is None else f"seed {result.seed}"
            raise ValueError(f"an episode source must yield one result per seed, in order: expected {seed}, found {found}")
        yield result


def _successful(env_id: str, result: EpisodeResult) -> EpisodeResult:
    if result.success is None:
        raise AnyOrderError(
            f"--successes_only needs an environment that says which episodes succeed; {env_id} does not; leave the option out,"
            ' or give info["success"] in a wrapper'
        )
    return result if result.success or isinstance(result, Failure) else Failure(result.seed, NO_SUCCESS)


def _as_it_is(result: EpisodeResult) -> EpisodeResult:
    return result


def _commit(folder: Path, manifest: Manifest, name: str, seeds: range, outcome: Sequence[EpisodeResult]) -> Manifest:
    """Write a shard, then the manifest that lists it; returns that manifest."""
    path, kept = folder / f"{name}-{seeds[0]:08d}.parquet", [one for one in outcome if not isinstance(one, Failure)]
    grids = [one for one in kept if isinstance(one, Trajectory)]
    others = [one for one in kept if isinstance(one, FieldTrajectory)]
    texts = [one for one in kept if isinstance(one, PlayedText)]
    if manifest.content == "fields" and len(others) == len(kept):
        shard = write_field_shard(path, seeds, others)
    elif manifest.content == "grid" and len(grids) == len(kept):
        shard = write_shard(path, seeds, grids)
    elif manifest.content == "text" and len(texts) == len(kept):
        shard = write_played_shard(path, seeds, texts)
    else:
        raise ValueError(f"an episode source must yield trajectories of {manifest.content}; found others")
    manifest = manifest.with_shard(name, shard)
    split = manifest.splits[name]
    failures = [f for f in split.failures if f.seed not in seeds] + [r for r in outcome if isinstance(r, Failure)]
    split = replace(split, failures=tuple(sorted(failures, key=lambda f: f.seed)))
    manifest = replace(manifest, splits={**manifest.splits, name: split})
    write_manifest(folder, manifest)
    return manifest


class _Rate(ProgressColumn):
    def render(self, task: Task) -> Text:
        return Text(f"{task.finished_speed or task.speed or 0:.0f} episodes/s")
