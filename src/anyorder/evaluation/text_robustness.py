"""How much of its success, its score and its speed an agent keeps when words or whole observations do not reach it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from rich.table import Table

from anyorder.acting.text_corruptions import TEXT_CORRUPTIONS, TextCorruption, UntoldText
from anyorder.acting.text_costs import EpisodeBudget, MeteredEpisode
from anyorder.acting.text_player import TextPlayer
from anyorder.acting.text_rollout import NO_LIMIT, play_texts
from anyorder.evaluation.robustness import RobustnessArm, RobustnessScore, robustness_arms
from anyorder.evaluation.statistics import Measured
from anyorder.evaluation.tables import ROBUSTNESS_COLUMNS, robustness_cells
from anyorder.evaluation.text_acting import TextTaskScore
from anyorder.terminal import titled_table

PlayedTexts = Sequence[MeteredEpisode]

TEXT_FORMS: Mapping[str, Callable[[TextCorruption], TextCorruption]] = {"untold": UntoldText, "told": lambda lost: lost}
"""``untold``: what is lost is simply not there. ``told``: mask tokens stand for it."""


@dataclass(frozen=True)
class TextRobustness(RobustnessScore):
    """Success with and without a corruption, and also scores and steps, on the same seeds.

    Attributes:
        clean_score, score: mean of the last score without and with corruption; None where all episodes of either failed, as
            also in the steps.
        clean_steps, steps: mean number of actions.
    """

    clean_score: Measured | None
    score: Measured | None
    clean_steps: Measured | None
    steps: Measured | None


def text_robustness_arms(strengths: Mapping[str, Sequence[float]], forms: Sequence[str]) -> list[RobustnessArm]:
    """One arm per kind, strength and form.

    Raises:
        AnyOrderError: for what is no corruption or form of conversations, or an impossible strength.
    """
    return robustness_arms(strengths, forms, TEXT_CORRUPTIONS, TEXT_FORMS)


def compare_texts(
    agent: TextPlayer,
    clean: PlayedTexts,
    arm: RobustnessArm,
    env_id: str,
    seeds: Sequence[int],
    on_finish: Callable[[], None] = lambda: None,
    budget: EpisodeBudget = NO_LIMIT,
) -> TextRobustness:
    """Play the clean arm's seeds again, corrupted.

    Args:
        agent: the one that played ``clean``.
        clean: its episodes without corruption.
        arm: the corruption, and what the agent is told about it.
        env_id: where ``clean`` was played, see `play_texts`.
        seeds: of the episodes.
        on_finish: called once per finished episode.
        budget: of an episode, as for ``clean``.
    """
    corruption = TEXT_FORMS[arm.form](TEXT_CORRUPTIONS[arm.kind](arm.strength))
    played = play_texts(agent, env_id, seeds, on_finish, budget=budget, corruption=corruption)
    return text_robustness(arm, clean, played)


def text_robustness(arm: RobustnessArm, clean: PlayedTexts, corrupted: PlayedTexts) -> TextRobustness:
    """Compare two arms episode by episode; one that failed had no success.

    Raises:
        ValueError: if they did not play the same tasks.
    """
    before, after = (TextTaskScore.of("", "", played) for played in (clean, corrupted))
    return TextRobustness(
        **vars(RobustnessScore.of(arm, *([one.result for one in played] for played in (clean, corrupted)))),
        clean_score=before.score,
        score=after.score,
        clean_steps=before.steps,
        steps=after.steps,
    )


def text_robustness_table(scores: Sequence[TextRobustness]) -> Table:
    """Success, score and steps under corruption, beside the clean arm on the same seeds."""
    title = "Success under corruption, same tasks, with 95% intervals; p: exact McNemar test"
    table = titled_table(title, *ROBUSTNESS_COLUMNS, "clean score", "score", "clean steps", "steps")
    for one in scores:
        means = [(one.clean_score, "{:.2f}"), (one.score, "{:.2f}"), (one.clean_steps, "{:.1f}"), (one.steps, "{:.1f}")]
        words = ("-" if mean is None else mean.words(form.format) for mean, form in means)
        table.add_row(*robustness_cells(one), *words)
    return table
