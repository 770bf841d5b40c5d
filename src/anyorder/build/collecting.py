"""The command that collects a data set: its options, and how it runs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jsonargparse import ArgumentParser

from anyorder.config import SpecConfig
from anyorder.data.collect import CollectSpec, collect
from anyorder.data.damage import Damage
from anyorder.data.episodes import EpisodeSource
from anyorder.data.manifest import Manifest, Split
from anyorder.data.rewriting import rewrite
from anyorder.data.storage import nothing_kept
from anyorder.envs.experts import check_policy_name
from anyorder.envs.making import make_environments
from anyorder.envs.minigrid import is_grid_env
from anyorder.envs.modules import SEPARATOR
from anyorder.errors import AnyOrderError
from anyorder.options import parser


@dataclass(frozen=True)
class CollectOptions:
    """What to collect, and where it goes.

    Attributes:
        env: a registered id of Gymnasium (`anyorder environments` lists those with experts); or several, joined by +, which
            take turns from seed to seed. An environment of your own is module:id, where the module registers it; the module is
            installed or lies in the current folder.
        policy: bot, noisy_bot (of BabyAI), random, expert, noisy_expert (that are known for the environment; gold and
            noisy_gold are the same by the name that text worlds have for it), checkpoint, or module:function, a policy of your
            own.
        num_episodes: number of training episodes.
        num_validation: number of validation episodes.
        num_test: number of test episodes.
        output_dir: folder of the data set; if it holds an interrupted one, that is continued.
        seed: first training seed; validation seeds start 10 million higher, test seeds 20 million.
        noise: share of random actions of the noisy policies, above 0 and at most 1.
        time_limit: seconds of wall time after which an episode counts as failed.
        checkpoint: checkpoint of the model that plays, if policy is checkpoint.
        num_processes: number of processes; null uses one per core.
        successes_only: leave out episodes that end without success; the manifest lists them as failures.
        without: what is lost of the episodes and absent from the data set: actions, cells (of observations), frames (whole
            observations), missions; or name: share that is lost, such as {cells: 0.3, actions: 0.5}.
        recorded: folder of a data set whose episodes are taken, instead of playing new ones; they lose what ``without`` says.
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
    successes_only: bool = False
    without: str | list[str] | dict[str, float] | None = None
    recorded: str | None = None


def collect_parser() -> ArgumentParser:
    """The parser of the command's options."""
    options = level_parser()
    options.add_class_arguments(SpecConfig, "data.fields")
    return options


def level_parser() -> ArgumentParser:
    """The parser of what is collected, without what becomes of its fields."""
    options = parser("collect", "Play episodes of an environment and store them as a data set.")
    options.add_class_arguments(CollectOptions)
    return options


def run_collect(options: CollectOptions, config: SpecConfig | None = None) -> Manifest:
    """Collect what the options ask for, and print how much it is; returns the manifest.

    Args:
        options: of the command.
        config: of episodes that are no grids: how their fields differ from what the data say; None: not at all.

    Raises:
        AnyOrderError: for options that do not fit together, whatever `collect` raises, and after all is written when no episode
            of a split could be kept.
    """
    if options.recorded is not None:
        return _damage_recorded(options)
    check_policy_name(options.policy, "checkpoint")
    if (options.policy == "checkpoint") != (options.checkpoint is not None):
        raise AnyOrderError("--policy checkpoint and --checkpoint FILE must be given together; found only one of them")
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
        options.successes_only,
        Damage.of(options.without).rates,
    )
    source = _checkpoint_source(Path(options.checkpoint), options.env) if options.checkpoint else None
    manifest = collect(Path(options.output_dir), spec, num_processes=options.num_processes, source=source, fields=config)
    _print_splits(manifest)
    if options.policy in ("bot", "expert", "gold") and any(map(_some_failed, manifest.splits.values())):
        who = f"the {options.policy}"
        print(f"episodes of {who} without success are demonstrations too, unless --successes_only leaves them out")
    if manifest.fields is not None:
        print(f"fields: {', '.join(manifest.fields.names)}")
        for name, reason in manifest.fields.left_out.items():
            print(f"left out: {name} ({reason})")
    print(f"{options.env} in {options.output_dir}")
    for name, split in manifest.splits.items():
        if not split.num_episodes:
            raise AnyOrderError(f"{nothing_kept(name, split)}; choose another environment or policy, and another folder")
    return manifest


def _damage_recorded(options: CollectOptions) -> Manifest:
    """Write a data set with what is left of the episodes of another one."""
    assert options.recorded is not None
    plain = CollectOptions(output_dir=options.output_dir, without=options.without, recorded=options.recorded)
    if others := [name for name, value in vars(options).items() if value != getattr(plain, name)]:
        raise AnyOrderError(
            f"--recorded takes all episodes as they are, so --{others[0]} does nothing; leave it out, or leave --recorded out"
        )
    damage = Damage.of(options.without)
    if not damage.rates:
        raise AnyOrderError("--recorded needs to know what is lost; found nothing; add, for example, --without actions")

    def change(name: str, episodes: Sequence[Any], advance: Callable[[int], None]) -> list[Any]:
        advance(len(episodes))
        return [damage(one) for one in episodes]

    manifest = rewrite(Path(options.recorded), Path(options.output_dir), {"without": damage.rates}, change, "damaging episodes")
    _print_splits(manifest)
    lost = ", ".join(f"{rate:.0%} of the {name}" for name, rate in damage.rates.items())
    print(f"the episodes of {options.recorded} without {lost} are in {options.output_dir}")
    return manifest


def _print_splits(manifest: Manifest) -> None:
    for name, split in manifest.splits.items():
        print(f"{name:10} {split.num_episodes:6,} episodes {split.num_steps:8,} steps{_success(split)}{_failed(split)}")


def _some_failed(split: Split) -> bool:
    return split.num_successes not in (None, split.num_episodes)


def _success(split: Split) -> str:
    if split.num_successes is None or not split.num_episodes:
        return ""
    return f", {split.num_successes:,} with success ({split.num_successes / split.num_episodes:.1%})"


def _failed(split: Split) -> str:
    """How many failed, and the reason that most of them have."""
    if not split.failures:
        return ""
    (reason, number), *others = Counter(failure.reason for failure in split.failures).most_common()
    why = f"{number:,} of them: {reason}" if others else reason
    return f", {len(split.failures):,} failed ({why}; the manifest lists them)"


def _checkpoint_source(checkpoint: Path, env_id: str) -> EpisodeSource:
    """The model of a checkpoint plays; what kind of model it is, its header says."""
    from anyorder.build.checkpoints import is_of_conversations  # torch takes seconds to import
    from anyorder.build.elements import holds_fields

    if holds_fields(checkpoint):
        return _general_source(checkpoint, env_id)
    if is_of_conversations(checkpoint):
        return _text_source(checkpoint, env_id)
    from anyorder.acting.policy import TRIED_PENALTY, ModelPolicy
    from anyorder.acting.rollout import policy_source
    from anyorder.build.checkpoints import load_model

    model, _ = load_model(checkpoint)
    return policy_source(ModelPolicy(model, tried_penalty=TRIED_PENALTY), env_id)


def _text_source(checkpoint: Path, env_id: str) -> EpisodeSource:
    from anyorder.acting.text_agent import TextAgent
    from anyorder.acting.text_rollout import make_text_environment, text_agent_source
    from anyorder.build.checkpoints import load_conversation_model

    for level in env_id.split(SEPARATOR):
        make_text_environment(level).close()  # what does not fit is refused before anything is written
    found, _ = load_conversation_model(checkpoint)
    return text_agent_source(TextAgent(found.model, found.reader.codec, found.reader.form, found.reader.limit), env_id)


def _general_source(checkpoint: Path, env_id: str) -> EpisodeSource:
    from anyorder.acting.field_policy import FieldPolicy
    from anyorder.acting.field_rollout import field_policy_source
    from anyorder.build.elements import load_element_checkpoint

    if is_grid_env(make_environments(env_id)[0]):
        raise AnyOrderError(
            f"a grid must be played by a model of grids; found {env_id} and the general model {checkpoint}; choose a checkpoint"
            " of the grid model, or another environment"
        )
    found = load_element_checkpoint(checkpoint)
    return field_policy_source(FieldPolicy(found.model, found.action_space), env_id)
