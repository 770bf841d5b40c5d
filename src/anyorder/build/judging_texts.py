"""Evaluation of a language model on conversations, and in the text environment that they come from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import torch
from rich.progress import Progress

from anyorder.acting.text_agent import TextAgent
from anyorder.acting.text_corruptions import TEXT_CORRUPTIONS
from anyorder.acting.text_costs import EpisodeBudget
from anyorder.acting.text_player import TextPlayer
from anyorder.acting.text_rollout import play_texts
from anyorder.acting.text_ways import TEXT_WAYS
from anyorder.build.checkpoints import load_conversation_model, model_device
from anyorder.build.headers import data_folder, training_data
from anyorder.build.language import ConversationModel
from anyorder.build.splits import say
from anyorder.config import DataConfig
from anyorder.data.text_storage import has_played, read_played_split
from anyorder.envs.making import make_environments
from anyorder.envs.telling import tasks_of
from anyorder.evaluation.evaluate import EvaluationConfig, advance_bar
from anyorder.evaluation.outcomes import OUTCOMES_FILE
from anyorder.evaluation.robustness import RobustnessArm
from anyorder.evaluation.text_acting import choice_scores, task_scores, text_outcomes
from anyorder.evaluation.text_modes import text_modes
from anyorder.evaluation.text_robustness import compare_texts, text_robustness_arms
from anyorder.evaluation.text_scoring import score_texts
from anyorder.evaluation.texts import TextFindings
from anyorder.files import write_result
from anyorder.terminal import progress_bars

PlayerT = TypeVar("PlayerT", bound=TextPlayer)
SCORING = ("world_model_nll", "accuracy")
"""Metrics for which hidden turns are scored."""


def judge_texts(
    checkpoint: Path, config: EvaluationConfig, folder: Path, env_id: str | None = None, data: str | None = None
) -> tuple[TextFindings, dict[str, Any]]:
    """Score a checkpoint on the test split of a data set, let it play if the data set was played, and write the findings.

    ``metrics.json`` has all numbers, ``episodes.json`` the outcome of each episode.

    Args:
        checkpoint: the checkpoint's folder.
        config: ``cell_rate`` is the share of hidden words and turns, ``seed`` decides which are hidden.
        folder: where the results go.
        env_id: text environment to play; None: the one that the data set comes from, if it comes from one.
        data: folder of a data set of conversations; None: the one that the checkpoint was trained on.

    Returns:
        The findings, and the checkpoint's header.
    """
    way = TEXT_WAYS[config.way_of_acting(TEXT_WAYS, "a language model of conversations")]
    conversations, header = load_conversation_model(checkpoint)
    path = data_folder(header, data, str(checkpoint))
    played = has_played(path)
    env_id = env_id or (header["env_id"] if played else None)
    judge = _Judge(conversations, path, training_data(header, str(checkpoint)).num_demonstrations, config, way)
    findings = TextFindings(env_id or header["env_id"], {})
    lowered = torch.autocast(model_device(), torch.bfloat16, enabled=config.mixed_precision == "bf16")
    with progress_bars() as bars, lowered:
        if not played or set(SCORING) & set(config.metrics):
            findings = judge.scored(findings, bars)
        if played and "accuracy" in config.metrics:
            findings = judge.chosen(findings, bars)
        if env_id and config.plays:
            findings = judge.played(findings, env_id, folder, bars)
    for asked, number in findings.left_out.items():
        say(f"{path}, test: {number} texts have nothing that {asked} asks for and do not count there")
    write_result(folder / "metrics.json", {"config": asdict(config), **findings.to_json()} if played else findings.to_json())
    return findings, header


@dataclass(frozen=True)
class _Judge:
    """A model and what it is judged on."""

    conversations: ConversationModel
    path: Path
    num_demonstrations: int | None
    config: EvaluationConfig
    way: type[TextPlayer]

    def agent(self, way: Callable[..., PlayerT]) -> PlayerT:
        reader, config = self.conversations.reader, self.config
        model = self.conversations.model
        return way(model, reader.codec, reader.form, reader.limit, config.temperature, config.tried_penalty)

    def scored(self, findings: TextFindings, bars: Progress) -> TextFindings:
        """With the scores of hidden turns."""
        reader, config = self.conversations.reader, self.config
        train = reader.read(DataConfig(str(self.path), self.num_demonstrations), "train")
        test = reader.read(DataConfig(str(self.path)), "test")
        tasks = {way: bars.add_task(f"scoring {way}", total=len(test)) for way in text_modes(config.cell_rate)}
        found = score_texts(
            self.conversations.model,
            train,
            test,
            env_id=findings.env_id,
            num_tokens=self.conversations.num_tokens,
            end_id=reader.codec.end_id,
            rate=config.cell_rate,
            seed=config.seed,
            on_batch=lambda way, size: bars.advance(tasks[way], size),
        )
        return replace(findings, scores=found.scores, left_out=found.left_out)

    def chosen(self, findings: TextFindings, bars: Progress) -> TextFindings:
        """With the share of demonstrated actions that the agent would choose."""
        train = read_played_split(self.path, "train", self.num_demonstrations)
        test = read_played_split(self.path, "test")
        agent = self.agent(TextAgent)
        return replace(findings, choices=choice_scores(agent, train, test, advance_bar(bars, "choosing", len(test))))

    def played(self, findings: TextFindings, env_id: str, folder: Path, bars: Progress) -> TextFindings:
        """With the episodes that it plays, on unseen tasks and, if that is asked for, on those of the training split; and with
        what it keeps of its success on the unseen ones when it does not receive all that is said."""
        config, most, arms = self.config, tasks_of(make_environments(env_id)), self._arms()
        unseen = range(config.first_seed, config.first_seed + min(config.num_episodes, most["test"]))
        seeds = [*unseen, *range(min(config.num_seen_episodes, most["train"]))]
        for split, number in (("test", config.num_episodes), ("train", config.num_seen_episodes)):
            if number > most[split]:
                say(f"{env_id} has {most[split]} tasks in {split}; found {number} episodes, so each is played once")
        agent, budget = self.agent(self.way), EpisodeBudget(config.token_budget, config.time_budget)
        found = play_texts(agent, env_id, seeds, advance_bar(bars, "playing", len(seeds)), budget=budget)
        write_result(folder / OUTCOMES_FILE, text_outcomes(seeds, [one.result for one in found]))
        if "task_success" in config.metrics:
            findings = replace(findings, played=task_scores(env_id, seeds, found))
        clean = found[: len(unseen)]
        robustness = [
            compare_texts(agent, clean, arm, env_id, unseen, advance_bar(bars, str(arm), len(unseen)), budget) for arm in arms
        ]
        return replace(findings, robustness=robustness)

    def _arms(self) -> list[RobustnessArm]:
        """What is played with corruption. Where the configuration leaves the strengths as they are, both kinds have them."""
        config = self.config
        if "robustness" not in config.metrics:
            return []
        strengths = dict(config.robustness)
        if strengths == EvaluationConfig().robustness:
            strengths = dict.fromkeys(TEXT_CORRUPTIONS, strengths["occlusion"])
        return text_robustness_arms(strengths, config.robustness_forms)
