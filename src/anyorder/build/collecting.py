"""What to collect, as options, and the collecting itself."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from jsonargparse import ArgumentParser

from anyorder.data.collect import CollectSpec, collect
from anyorder.data.episodes import EpisodeSource
from anyorder.data.manifest import Manifest
from anyorder.envs.experts import EXPERTS
from anyorder.errors import AnyOrderError
from anyorder.options import parser


@dataclass(frozen=True)
class CollectOptions:
    """What to collect, and where to.

    Attributes:
        env: a registered MiniGrid or BabyAI id; several, joined by +, take turns, seed by seed.
        policy: bot, noisy_bot, random or checkpoint.
        num_episodes: training episodes.
        num_validation: validation episodes.
        num_test: test episodes.
        output_dir: folder of the data set; an interrupted one is continued.
        seed: first training seed; validation and test seeds lie 10 and 20 million further.
        noise: share of random actions of noisy_bot.
        time_limit: seconds of wall time after which an episode counts as failed.
        checkpoint: whose policy plays, with policy checkpoint.
        num_processes: null uses all cores.
    """

    env: str = "BabyAI-GoToRedBall-v0"
    policy: str = "bot"
    num_episodes: int = 1200
    num_validation: int = 200
    num_test: int = 500
    output_dir: str = "data/raw"
    seed: int = 0
    noise: float = 0.0
    time_limit: float = 10.0
    checkpoint: str | None = None
    num_processes: int | None = None


def collect_parser() -> ArgumentParser:
    """The options of the command."""
    options = parser("collect", "Play episodes of an environment and store them as a data set.")
    options.add_class_arguments(CollectOptions)
    return options


def run_collect(options: CollectOptions) -> Manifest:
    """Collect what the options ask for."""
    if options.policy not in (*EXPERTS, "checkpoint"):
        raise AnyOrderError(f"there is no policy {options.policy!r}; choose one of {', '.join(EXPERTS)}, checkpoint")
    if (options.policy == "checkpoint") != (options.checkpoint is not None):
        raise AnyOrderError("--policy checkpoint goes with --checkpoint FILE, and the other way round")
    policy = options.policy if options.checkpoint is None else f"checkpoint {options.checkpoint}"
    spec = CollectSpec(
        options.env,
        policy,
        options.num_episodes,
        options.num_validation,
        options.num_test,
        options.seed,
        options.noise,
        options.time_limit,
    )
    source = _checkpoint_source(Path(options.checkpoint), options.env) if options.checkpoint else None
    manifest = collect(Path(options.output_dir), spec, num_processes=options.num_processes, source=source)
    for name, split in manifest.splits.items():
        failed = f", {len(split.failures)} failed (listed in the manifest)" if split.failures else ""
        print(f"{name:10} {split.num_episodes:6,} episodes {split.num_steps:8,} steps{failed}")
    print(f"{options.env} in {options.output_dir}")
    return manifest


def _checkpoint_source(checkpoint: Path, env_id: str) -> EpisodeSource:
    from anyorder.acting.policy import TRIED_PENALTY, ModelPolicy  # torch takes seconds, and experts do not need it
    from anyorder.acting.rollout import policy_source
    from anyorder.build.checkpoints import load_model

    model, _ = load_model(checkpoint)
    return policy_source(ModelPolicy(model, tried_penalty=TRIED_PENALTY), env_id)
