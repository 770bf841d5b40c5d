"""Judging one model: what it rebuilds, whether it succeeds, and how much success it keeps when its view has holes."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal, get_args

from rich.progress import Progress

from anyorder.acting.corruptions import CORRUPTIONS
from anyorder.acting.field_corruptions import FIELD_CORRUPTIONS
from anyorder.acting.foreseeing import WAYS_OF_ACTING
from anyorder.acting.policy import TRIED_PENALTY, SampledPolicy
from anyorder.acting.rollout import FIRST_SEED, failures_among, roll_out
from anyorder.acting.text_corruptions import TEXT_CORRUPTIONS
from anyorder.data.manifest import Failure
from anyorder.elements.batch import Budget, EncodedData
from anyorder.elements.grid import GridLayout
from anyorder.errors import AnyOrderError
from anyorder.evaluation.baselines import Baselines
from anyorder.evaluation.bot import bot_length
from anyorder.evaluation.findings import GridFindings, TaskScore
from anyorder.evaluation.goal_reaching import GoalScore, reach_goals
from anyorder.evaluation.likelihood import Scores, score
from anyorder.evaluation.mission_scores import Instructed, MissionScore, score_missions
from anyorder.evaluation.modes import Filtering, Mode, StepByStep, WholeTrajectory
from anyorder.evaluation.more_shown import ShownScore, more_shown
from anyorder.evaluation.outcomes import OUTCOMES_FILE, FailedEpisode, outcomes
from anyorder.evaluation.robustness import RobustnessAgent, compare, robustness_arms
from anyorder.evaluation.sights import Sights
from anyorder.files import write_result
from anyorder.masking.schedules import Rate
from anyorder.masking.strategies import Between, Cell, ForwardDynamics, InverseDynamics, NextAction, Window
from anyorder.models.contract import GridModel
from anyorder.terminal import progress_bars

MetricName = Literal[
    "all",
    "skills",
    "world_model_nll",
    "accuracy",
    "task_success",
    "robustness",
    "dynamics",
    "goals",
    "waypoints",
    "more_shown",
    "missions",
]
ActingName = Literal["direct", "foreseeing", "scoring", "generating", "constrained"]
METRIC_GROUPS = {
    "all": ("world_model_nll", "accuracy", "task_success", "robustness"),
    "skills": ("accuracy", "task_success", "dynamics", "goals", "waypoints"),
}
"""Names that stand for several metrics. ``dynamics``, ``goals`` and ``waypoints`` ask what only some models are trained for,
``more_shown`` asks the same from more and more context, ``missions`` which instruction an episode followed."""
METRICS = tuple(name for name in get_args(MetricName) if name not in METRIC_GROUPS)
WAYPOINT_STEPS = 8
"""How far apart the two observations are between which ``waypoints`` asks."""
FRAMES_PER_EPISODE = 8192
"""What filtering may cost in each episode (see `Filtering`): all times of an episode of 127 frames, 11 of one of 1,500."""


@dataclass(frozen=True)
class EvaluationConfig:
    """What is judged, and how thoroughly.

    Attributes:
        metric: one of ``world_model_nll``, ``accuracy``, ``task_success``, ``robustness``, or ``all`` of these; or
            ``dynamics`` (inverse and forward), ``goals`` (reaching an expert's last observation) or ``waypoints`` (what lies
            between two observations that are eight steps apart), for models trained on such orders, or ``skills``: all of
            them, accuracy and task success; or ``more_shown`` (the same hidden cells, from more and more of the rest), or
            ``missions`` (which instruction an episode followed; for levels of BabyAI).
        num_episodes: how many episodes are played for ``task_success``, and for each arm of ``robustness``.
        num_seen_episodes: in text environments, how many more are played on tasks of the training split.
        first_seed: environment seed of the first episode; the others follow. Data sets use seeds below 30,000,000.
        cell_rate: share of the cells (in conversations: of the words, or of the turns) hidden in ``world_model_nll``,
            ``accuracy``, the picture and the film.
        robustness: kind of corruption (occlusion, attribute_flips, dropped_frames, repeated_actions) -> strengths, each
            of them a probability. In other environments than grids: occlusion of each value, and sensor_noise in standard
            deviations; where this is left as it is here, both with these strengths, as far as there are numbers. In text
            environments: words and observations, probabilities too; both where this is left as it is here.
        robustness_forms: how each corruption is played: ``untold`` (the agent takes what it sees for true), ``told`` (what was
            corrupted is hidden from it) and ``rebuilt`` (told, and it rebuilds that from the history before it acts; grids
            alone).
        temperature: 1 draws actions from the model's own distribution, 0 takes the most probable one. Chance leads out
            of loops: as long as nothing changes, the most probable action stays the same.
        tried_penalty: nats that the log-probability of an action loses for every time the agent has taken it, in the same
            episode, after exactly the same observation. This leads out of loops better than chance; 0: the model alone.
        acting: how the episodes of ``task_success`` are played; None: in the first of the ways that the kind of model knows.
            Models of grids: ``direct`` (the model is asked for the next action) or ``foreseeing`` (it is asked what an expert
            would see next, and which action leads there). Language models of conversations: ``scoring`` (the most probable of
            the admissible actions), ``generating`` (free text) or ``constrained`` (text that stays admissible). The general
            model: ``direct``.
        token_budget: in text environments, how many tokens the model may read and write for the decisions of an episode; one
            that takes more ends and counts as no success. None: any number.
        time_budget: the same in seconds of wall time; of episodes that are played together, each takes an equal share.
        pictures: False writes only numbers: no reconstruction, no reliability plot, no film.
        num_gif_episodes: episodes in the film.
        frames_per_batch: observations in one pass over the test split.
        mixed_precision: what a language model of conversations computes in: ``no`` (fp32), or ``bf16``, about twice as fast on
            a processor or GPU made for it; figures change in their last digits. Other models know ``no`` alone.
        seed: of the random choice of what is hidden.
        reference_returns: the returns of random actions and of an expert, between which the normalised return is 0 to 100; in
            other environments than grids.
    """

    metric: MetricName = "all"
    num_episodes: int = 500
    num_seen_episodes: int = 0
    first_seed: int = FIRST_SEED
    cell_rate: float = 0.3
    robustness: dict[str, list[float]] = field(default_factory=lambda: {"occlusion": [0.1, 0.3]})
    robustness_forms: list[str] = field(default_factory=lambda: ["untold", "told"])
    temperature: float = 1.0
    tried_penalty: float = TRIED_PENALTY
    acting: ActingName | None = None
    token_budget: int | None = None
    time_budget: float | None = None
    pictures: bool = True
    num_gif_episodes: int = 3
    frames_per_batch: int = 256
    mixed_precision: Literal["no", "bf16"] = "no"
    seed: int = 0
    reference_returns: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        if self.metric not in (*METRIC_GROUPS, *METRICS):
            raise AnyOrderError(f"metric must be one of {', '.join((*METRIC_GROUPS, *METRICS))}; found {self.metric}")
        if min(self.num_episodes, self.frames_per_batch) < 1 or min(self.num_gif_episodes, self.num_seen_episodes) < 0:
            raise AnyOrderError(
                "num_episodes and frames_per_batch must be at least 1, num_gif_episodes and num_seen_episodes at least 0; found"
                f" {self.num_episodes}, {self.frames_per_batch}, {self.num_gif_episodes} and {self.num_seen_episodes}"
            )
        if self.first_seed < FIRST_SEED:
            raise AnyOrderError(
                f"first_seed must be at least {FIRST_SEED:,}, since data sets use the seeds below; found {self.first_seed:,}"
            )
        if self.temperature < 0:
            raise AnyOrderError(f"temperature must be at least 0; found {self.temperature}")
        if self.tried_penalty < 0:
            raise AnyOrderError(f"tried_penalty must be at least 0; found {self.tried_penalty}")
        if self.acting not in (None, *get_args(ActingName)):
            raise AnyOrderError(f"acting must be one of {', '.join(get_args(ActingName))}; found {self.acting}")
        if self.acting not in (None, "direct", "scoring") and "robustness" in self.metrics:
            raise AnyOrderError(
                f"robustness compares agents that act directly; found acting {self.acting}; choose another metric, such as"
                " task_success"
            )
        for name in ("token_budget", "time_budget"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise AnyOrderError(f"{name} must be above 0; found {value}; leave it out for no limit")
        if not 0 < self.cell_rate <= 1:
            raise AnyOrderError(f"cell_rate is the hidden share of the cells, above 0 and at most 1; found {self.cell_rate}")
        if self.reference_returns is not None and self.reference_returns[0] == self.reference_returns[1]:
            raise AnyOrderError(f"reference_returns must be two different numbers; found {list(self.reference_returns)}")
        robustness_arms(
            self.robustness, self.robustness_forms, dict.fromkeys((*CORRUPTIONS, *FIELD_CORRUPTIONS, *TEXT_CORRUPTIONS))
        )

    def way_of_acting(self, ways: Iterable[str], kind: str) -> str:
        """The way of acting of a kind of model: the one that was asked for, or else the first that it knows.

        Args:
            ways: that it knows, by name.
            kind: of the model, for the message.

        Raises:
            AnyOrderError: for a way that it does not know.
        """
        known = list(ways)
        if self.acting is None:
            return known[0]
        if self.acting not in known:
            raise AnyOrderError(f"acting must be {' or '.join(known)} for {kind}; found {self.acting}; leave it out")
        return self.acting

    def check_no_option_of_texts(self, kind: str) -> None:
        """Raise an AnyOrderError if something is asked that this kind of model does not heed, but those of conversations do."""
        if self.token_budget is not None or self.time_budget is not None or self.mixed_precision != "no":
            raise AnyOrderError(
                "token_budget, time_budget and mixed_precision are for language models of conversations; found"
                f" {kind}; leave them out"
            )

    @property
    def metrics(self) -> tuple[str, ...]:
        """The names of the metrics that were asked for."""
        return METRIC_GROUPS.get(self.metric, (self.metric,))

    @property
    def scores(self) -> bool:
        """True if the test split is scored."""
        return bool({"world_model_nll", "accuracy", "dynamics"} & set(self.metrics))

    @property
    def plays(self) -> bool:
        """True if episodes are played."""
        return bool({"task_success", "robustness"} & set(self.metrics))


@dataclass(frozen=True)
class Evaluation:
    """One model and what it is judged on.

    Attributes:
        model: the grid model, or a language model that is asked about grids; left in evaluation mode.
        train: the training split, on which the baselines are counted.
        test: the split that is scored.
        env_id: where episodes are played.
        config: what is judged.
        sights: of the test split, to tell what is knowable; None where its episodes cannot be played again.
        instructed: episodes whose missions are asked for; None for none.
    """

    model: GridModel
    train: EncodedData[GridLayout]
    test: EncodedData[GridLayout]
    env_id: str
    config: EvaluationConfig
    sights: Sights | None = None
    instructed: Instructed | None = None

    def run(self, folder: Path) -> GridFindings:
        """Evaluate the model. This writes ``metrics.json`` and, with ``task_success`` or ``robustness``, ``episodes.json``
        (the outcome of each episode). Progress goes to stderr.

        Raises:
            AnyOrderError: when the environment cannot be made or the folder cannot be written.
        """
        self.model.eval()
        self.config.way_of_acting(WAYS_OF_ACTING, "a model of grids")  # what does not fit is refused before anything is played
        self.config.check_no_option_of_texts("a model of grids")
        if "robustness" in self.config.metrics:
            robustness_arms(self.config.robustness, self.config.robustness_forms)
        findings, failed = GridFindings(self.env_id, {}, None, []), FailedCollector([])
        with progress_bars() as bars:
            findings = replace(findings, modes=self._modes(bars))
            if "more_shown" in self.config.metrics:
                findings = replace(findings, more_shown=self._more_shown(bars))
            if "missions" in self.config.metrics:
                findings = replace(findings, missions=self._missions(bars))
            if "goals" in self.config.metrics:
                findings = replace(findings, goals=self._goals(bars, failed))
            if self.config.plays:
                findings = self._episodes(findings, bars, folder, failed)
        findings = replace(findings, failures=failed.episodes)
        write_result(folder / "metrics.json", {"config": asdict(self.config), **findings.to_json()})
        return findings

    def _modes(self, bars: Progress) -> dict[str, Scores]:
        baselines = Baselines.of(self.train, self.model.vocabulary)
        return {
            name: score(
                self.model,
                self.test,
                mode,
                baselines,
                Budget(self.config.frames_per_batch, "frames"),
                self.config.seed,
                advance_bar(bars, f"scoring {name}", len(self.test)),
                self.sights,
            )
            for name, mode in self._asked().items()
        }

    def _asked(self) -> dict[str, Mode]:
        """The modes that are scored, by name: three of a world model, which are never mixed, and those of actions."""
        asked: dict[str, Mode] = {}
        if {"world_model_nll", "accuracy"} & set(self.config.metrics):
            asked |= {
                "forward": WholeTrajectory(ForwardDynamics()),
                "filtering": Filtering(self.cells(), FRAMES_PER_EPISODE),
                "smoothing": WholeTrajectory(self.cells()),
                "next_action": WholeTrajectory(NextAction()),
            }
        if "dynamics" in self.config.metrics:
            asked |= {
                "inverse_dynamics": WholeTrajectory(InverseDynamics()),
                "forward_dynamics": WholeTrajectory(ForwardDynamics()),
            }
        if "waypoints" in self.config.metrics:
            asked["waypoints"] = StepByStep(Window(Between(), WAYPOINT_STEPS + 1))
        return asked

    def _more_shown(self, bars: Progress) -> list[ShownScore]:
        advance = advance_bar(bars, "showing more and more", len(self.test))
        budget = Budget(self.config.frames_per_batch, "frames")
        return more_shown(self.model, self.test, budget, self.config.seed, on_batch=advance)

    def _missions(self, bars: Progress) -> MissionScore:
        asked = self.instructed or Instructed((), ())
        return score_missions(self.model, asked, advance_bar(bars, "ranking missions", len(asked.episodes)))

    def _goals(self, bars: Progress, failed: FailedCollector) -> GoalScore | None:
        config = self.config
        seeds = range(config.first_seed, config.first_seed + config.num_episodes)
        advance = advance_bar(bars, "reaching goals", len(seeds))
        drawn = config.temperature, config.seed, config.tried_penalty
        return reach_goals(self.model, self.env_id, seeds, *drawn, advance, failed.of("goals"))

    def _episodes(self, findings: GridFindings, bars: Progress, folder: Path, failed: FailedCollector) -> GridFindings:
        config, policy = self.config, self.policy()
        seeds = range(config.first_seed, config.first_seed + config.num_episodes)
        clean = roll_out(policy, self.env_id, seeds, on_finish=advance_bar(bars, "playing", len(seeds)))
        for failure in failures_among(clean):
            failed.of("clean")(failure)
        write_result(folder / OUTCOMES_FILE, outcomes(clean))
        if "task_success" in config.metrics:
            findings = replace(findings, task_success=TaskScore.of(clean, bot_length(self.env_id, seeds)))
        if "robustness" in config.metrics:
            agent = RobustnessAgent(self.model, config.temperature, config.seed, config.tried_penalty)
            findings = replace(
                findings,
                robustness=[
                    compare(agent, clean, arm, self.env_id, advance_bar(bars, str(arm), len(seeds)), failed.of(str(arm)))
                    for arm in robustness_arms(config.robustness, config.robustness_forms)
                ],
            )
        return findings

    def policy(self) -> SampledPolicy[Any]:
        """The policy that plays the episodes."""
        config = self.config
        way = WAYS_OF_ACTING[config.way_of_acting(WAYS_OF_ACTING, "a model of grids")]
        return way(self.model, config.temperature, config.seed, config.tried_penalty)

    def cells(self) -> Cell:
        """The strategy that hides cells, for the scores and the pictures."""
        return Cell(Rate(self.config.cell_rate, self.config.cell_rate))


@dataclass(frozen=True)
class FailedCollector:
    """Collects the episodes that failed."""

    episodes: list[FailedEpisode]

    def of(self, arm: str) -> Callable[[Failure], None]:
        """A function that notes an episode of this arm."""
        return lambda failure: self.episodes.append(FailedEpisode(arm, failure.seed, failure.reason))


def advance_bar(bars: Progress, description: str, total: int) -> Callable[..., None]:
    """Add a progress bar; returns a function that moves it on by one, or by the number that it is called with."""
    return partial(bars.advance, bars.add_task(description, total=total))
