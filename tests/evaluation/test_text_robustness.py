"""Success, scores and steps with what gets lost beside those without, on the same tasks."""

import pytest

from anyorder.acting.text_costs import EpisodeCost, MeteredEpisode
from anyorder.envs.played_text import PlayedText
from anyorder.errors import AnyOrderError
from anyorder.evaluation.findings import as_plain
from anyorder.evaluation.robustness import RobustnessArm
from anyorder.evaluation.text_robustness import TextRobustness, text_robustness, text_robustness_arms, text_robustness_table
from anyorder.restoring import restored


def episode(seed, won, steps):
    texts, zeros = ("here",) * (steps + 1), (0.0,) * steps
    scores = (*zeros, float(won))
    played = PlayedText("toy", seed, "go", texts, ("wait",) * steps, zeros, scores, ((),) * (steps + 1), won, won, not won)
    return MeteredEpisode(played, EpisodeCost(steps))


def test_arms_are_compared_task_by_task():
    clean = [episode(seed, won, 2) for seed, won in enumerate([True, True, True, False])]
    lost = [episode(seed, won, 4) for seed, won in enumerate([True, False, False, True])]
    found = text_robustness(RobustnessArm("words", 0.3, "told"), clean, lost)
    assert (found.clean.successes, found.corrupted.successes, found.won, found.lost) == (3, 2, 1, 2)
    assert (found.clean_score.value, found.score.value) == (0.75, 0.5) and found.share_kept == pytest.approx(2 / 3)
    assert (found.clean_steps.value, found.steps.value) == (2, 4)
    assert restored(TextRobustness, as_plain(found)) == found
    assert text_robustness_table([found]).row_count == 1


def test_other_tasks_are_no_comparison():
    with pytest.raises(ValueError, match="the same seeds"):
        text_robustness(RobustnessArm("words", 0.3, "told"), [episode(0, True, 2)], [episode(1, True, 2)])


def test_corruptions_of_grids_and_rebuilding_are_refused():
    assert len(text_robustness_arms({"words": [0.1, 0.3], "observations": [0.1]}, ["told", "untold"])) == 6
    with pytest.raises(AnyOrderError, match="must be among words, observations; found attribute_flips"):
        text_robustness_arms({"attribute_flips": [0.1]}, ["told"])
    with pytest.raises(AnyOrderError, match="must be among untold, told; found rebuilt"):
        text_robustness_arms({"words": [0.1]}, ["rebuilt"])
