"""Judging the general model: what it rebuilds, what it earns, and how much of that it keeps when observations are corrupted."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from gymnasium import spaces
from rich.progress import Progress

from anyorder.acting.field_corruptions import FIELD_CORRUPTIONS
from anyorder.acting.field_goals import FieldGoalPolicy
from anyorder.acting.field_policy import FieldPolicy
from anyorder.acting.field_rollout import Perceive, roll_out_fields
from anyorder.data.manifest import Failure
from anyorder.elements.batch import Budget
from anyorder.elements.fields import EncodedFieldData
from anyorder.elements.spec import Bins
from anyorder.envs.experts import has_expert, require_expert
from anyorder.evaluation.evaluate import WAYPOINT_STEPS, EvaluationConfig, FailedCollector, advance_bar
from anyorder.evaluation.field_acting import FieldRobustness, PlayedScore, played_outcomes
from anyorder.evaluation.field_baselines import fit_baselines, value_shares
from anyorder.evaluation.field_findings import FieldFindings
from anyorder.evaluation.field_goal_reaching import FieldGoalScore, reach_field_goals
from anyorder.evaluation.field_modes import FieldFiltering, FieldForesight, FieldMode, FieldsStepByStep, WholeFields
from anyorder.evaluation.field_scores import FieldScores
from anyorder.evaluation.field_scoring import score_fields
from anyorder.evaluation.more_shown import ShownScore, more_shown
from anyorder.evaluation.outcomes import OUTCOMES_FILE
from anyorder.evaluation.robustness import RobustnessArm, robustness_arms
from anyorder.files import write_result
from anyorder.masking.schedules import Rate
from anyorder.masking.strategies import Between, Cell, ForwardDynamics, InverseDynamics, NextAction, Window
from anyorder.models.element.element_transformer import ElementTransformer
from anyorder.terminal import progress_bars
from anyorder.types import FieldTrajectory

FRAMES_PER_PART = 256
"""What filtering may cost in each part of a trajectory (see `FieldFiltering`): 16 times of 32 frames, on average."""
LEAST_FRAMES, FRAMES_FORESEEN = 8, 32
"""Models that read fewer frames than the first are asked about the dynamics of parts with as many frames as the second."""


@dataclass(frozen=True)
class FieldEvaluation:
    """The general model and what it is judged on.

    Attributes:
        model: left in evaluation mode.
        action_space: of the environment.
        train: the training split, on which the baselines are fitted.
        test: the split that is scored.
        env_id: where episodes are played.
        config: what is judged.
        plays: False plays no episodes, whatever is to be judged: the environment is not there.
    """

    model: ElementTransformer
    action_space: spaces.Space[Any]
    train: Sequence[FieldTrajectory]
    test: Sequence[FieldTrajectory]
    env_id: str
    config: EvaluationConfig
    plays: bool = True

    def run(self, folder: Path) -> FieldFindings:
        """Evaluate the model. This writes ``metrics.json`` and, with ``task_success`` or ``robustness``, ``episodes.json``
        (the outcome of each episode). Progress goes to stderr.

        Raises:
            AnyOrderError: for a corruption that only grids have, when the environment cannot be made, when the metric is
                ``goals`` and no expert of the environment is known, or when the folder cannot be written.
        """
        arms, failed = self._arms(), FailedCollector([])
        if self.config.metric == "goals":
            require_expert(self.env_id)
        self.model.eval()
        with progress_bars() as bars:
            findings = FieldFindings(self.env_id, self._modes(bars))
            if "more_shown" in self.config.metrics:
                findings = replace(findings, more_shown=self._more_shown(bars))
            if "goals" in self.config.metrics and self.plays and has_expert(self.env_id):
                findings = replace(findings, goals=self._goals(bars, failed))
            if self.config.plays and self.plays:
                findings = self._episodes(findings, arms, bars, folder, failed)
        findings = replace(findings, failures=failed.episodes)
        write_result(folder / "metrics.json", {"config": asdict(self.config), **findings.to_json()})
        return findings

    def _arms(self) -> list[RobustnessArm]:
        """What is played with corruption: each kind in its own form, unless the configuration leaves the form out."""
        config = self.config
        if "robustness" not in config.metrics:
            return []
        strengths = dict(config.robustness)
        measured = any(isinstance(one.values, Bins) for one in self.model.spec.of_kind("observation"))
        if measured and strengths == EvaluationConfig().robustness:
            strengths["sensor_noise"] = strengths["occlusion"]
        arms = robustness_arms(strengths, config.robustness_forms, FIELD_CORRUPTIONS)
        return [arm for arm in arms if arm.form == FIELD_CORRUPTIONS[arm.kind].form]

    def _modes(self, bars: Progress) -> dict[str, FieldScores]:
        model, budget, seed, found = self.model, Budget(self.config.frames_per_batch, "frames"), self.config.seed, {}
        for max_frames, asked in self._asked().items():
            train, test = (EncodedFieldData(split, model.spec, max_frames) for split in (self.train, self.test))
            shares = value_shares(train, model.spec, budget)
            for name, mode in asked.items():
                baselines = fit_baselines(train, model.spec, mode, shares, budget, seed)
                advance = advance_bar(bars, f"scoring {name}", len(test))
                scores = score_fields(model, test, mode, baselines, budget, seed, advance)
                if scores.fields:  # a data set without actions has none to ask for
                    found[name] = scores
        return found

    def _asked(self) -> dict[int | None, dict[str, FieldMode]]:
        """The modes that are scored, by name: three of a world model, which are never mixed, those of actions, and what lies
        between waypoints; by the length of the parts that are asked about, None for whole episodes."""
        most, metrics = self.model.config.max_frames, set(self.config.metrics)
        asked: dict[int | None, dict[str, FieldMode]] = defaultdict(dict)
        if {"world_model_nll", "accuracy"} & metrics:
            asked[most] |= {
                "forward": WholeFields(ForwardDynamics()),
                "filtering": FieldFiltering(self.cells(), FRAMES_PER_PART),
                "smoothing": WholeFields(self.cells()),
                "next_action": WholeFields(NextAction()),
            }
        if "dynamics" in metrics:
            asked[most]["inverse_dynamics"] = WholeFields(InverseDynamics())
            if most < LEAST_FRAMES:  # in so short parts, a line would have nothing to go by
                asked[FRAMES_FORESEEN]["forward_dynamics"] = FieldForesight(most)
            else:
                asked[most]["forward_dynamics"] = WholeFields(ForwardDynamics())
        if "waypoints" in metrics:
            asked[None]["waypoints"] = FieldsStepByStep(Window(Between(), WAYPOINT_STEPS + 1))
        return asked

    def _more_shown(self, bars: Progress) -> list[ShownScore]:
        data = EncodedFieldData(self.test, self.model.spec, self.model.config.max_frames)
        advance, budget = advance_bar(bars, "showing more and more", len(data)), Budget(self.config.frames_per_batch, "frames")
        return more_shown(self.model, data, budget, self.config.seed, on_batch=advance)

    def _goals(self, bars: Progress, failed: FailedCollector) -> FieldGoalScore | None:
        config = self.config
        seeds = range(config.first_seed, config.first_seed + config.num_episodes)
        policy = FieldGoalPolicy(self.model, self.action_space, config.temperature, config.seed)
        return reach_field_goals(
            policy, self.env_id, seeds, advance_bar(bars, "reaching goals", len(seeds)), failed.of("goals")
        )

    def cells(self) -> Cell:
        """The strategy that hides cells, for the scores and the pictures."""
        return Cell(Rate(self.config.cell_rate, self.config.cell_rate))

    def _episodes(
        self, findings: FieldFindings, arms: Sequence[RobustnessArm], bars: Progress, folder: Path, failed: FailedCollector
    ) -> FieldFindings:
        config, references = self.config, self.config.reference_returns
        clean = self._play("clean", None, bars, failed)
        write_result(folder / OUTCOMES_FILE, played_outcomes(clean))
        robustness = []
        for arm in arms:
            perceive = FIELD_CORRUPTIONS[arm.kind].make(self.model.spec, arm.strength)
            played = self._play(str(arm), perceive, bars, failed)
            robustness.append(FieldRobustness.of(arm, clean, played, references))
        if "task_success" in config.metrics:
            findings = replace(
                findings,
                task_success=PlayedScore.of(clean, references),
                demonstrations=PlayedScore.of(self.train, references),
            )
        return replace(findings, robustness=[one for one in robustness if one is not None])

    def _play(
        self, arm: str, perceive: Perceive | None, bars: Progress, failed: FailedCollector
    ) -> list[FieldTrajectory | Failure]:
        config = self.config
        seeds = range(config.first_seed, config.first_seed + config.num_episodes)
        policy = FieldPolicy(self.model, self.action_space, config.temperature, config.seed)
        played = roll_out_fields(policy, self.env_id, seeds, perceive, advance_bar(bars, f"playing {arm}", len(seeds)))
        for one in played:
            if isinstance(one, Failure):
                failed.of(arm)(one)
        return played
