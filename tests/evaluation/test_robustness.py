"""Both arms play the same episodes, differ in nothing but the corruption, and are compared pair by pair."""

from dataclasses import replace
from io import StringIO

import numpy as np
import pytest
from rich.console import Console

from anyorder.acting.corruptions import CORRUPTIONS, Corruption, Occlusion, Untold
from anyorder.acting.rebuilding import RebuildingPolicy
from anyorder.acting.rollout import roll_out
from anyorder.acting.stepwise import StepwisePolicy
from anyorder.errors import AnyOrderError
from anyorder.evaluation.outcomes import mcnemar
from anyorder.evaluation.robustness import FORMS, RobustnessAgent, RobustnessArm, RobustnessScore, compare, robustness_arms
from anyorder.evaluation.tables import robustness_table

ENV_ID = "MiniGrid-Empty-5x5-v0"
SEEDS = [30_000_004, 30_000_002]
pytestmark = pytest.mark.usefixtures("short_episodes")


@pytest.fixture(scope="module")
def agent(make_model, vocabulary):
    return RobustnessAgent(make_model((7, 7), vocabulary), temperature=1.0)


def actions(trajectories):
    return [trajectory.actions.tolist() for trajectory in trajectories]


@pytest.mark.parametrize("kind", CORRUPTIONS)
@pytest.mark.parametrize("form", FORMS)
def test_without_strength_every_arm_is_the_clean_one(agent, kind, form):
    clean = roll_out(StepwisePolicy(agent.model, 1.0), ENV_ID, SEEDS)
    assert actions(agent.play(RobustnessArm(kind, 0.0, form), ENV_ID, SEEDS)) == actions(clean)
    score = compare(agent, clean, RobustnessArm(kind, 0.0, form), ENV_ID)
    assert score.corrupted == score.clean and (score.won, score.lost, score.p_value) == (0, 0, 1.0)
    assert score.seeds == (SEEDS[0], SEEDS[1])


def test_an_arm_plays_the_seeds_of_the_clean_one_with_its_corruption(agent, monkeypatch):
    played = []

    def recording(policy, env_id, seeds, corruption=Corruption(), on_finish=None):
        played.append((type(policy), env_id, list(seeds), corruption))
        return roll_out(policy, env_id, seeds, corruption, on_finish)

    clean = roll_out(StepwisePolicy(agent.model, 1.0), ENV_ID, SEEDS)
    monkeypatch.setattr("anyorder.evaluation.robustness.roll_out", recording)
    for form in FORMS:
        compare(agent, clean, RobustnessArm("occlusion", 0.5, form), ENV_ID)
    assert played == [
        (StepwisePolicy, ENV_ID, SEEDS, Untold(Occlusion(0.5))),
        (StepwisePolicy, ENV_ID, SEEDS, Occlusion(0.5)),
        (RebuildingPolicy, ENV_ID, SEEDS, Occlusion(0.5)),
    ]


def test_arms_do_not_depend_on_those_played_before(agent):
    arm = RobustnessArm("attribute_flips", 0.3, "told")
    first = agent.play(arm, ENV_ID, SEEDS)
    agent.play(RobustnessArm("occlusion", 0.3, "told"), ENV_ID, SEEDS)
    assert actions(agent.play(arm, ENV_ID, SEEDS)) == actions(first)


@pytest.fixture
def outcomes(make_trajectory):
    """``outcomes("1101")``: toy episodes of seeds 0, 1, ... that succeeded (1) or not (0)."""

    def make(text):
        made = [make_trajectory(3, seed=seed) for seed in range(len(text))]
        return [replace(t, rewards=np.array([0, 0, int(c)], np.float32)) for t, c in zip(made, text)]

    return make


def test_pairs_are_counted_by_hand(outcomes):
    score = RobustnessScore.of(RobustnessArm("occlusion", 0.3, "told"), outcomes("1111110000"), outcomes("1100001000"))
    assert (score.clean.successes, score.corrupted.successes, score.won, score.lost) == (6, 3, 1, 4)
    assert score.share_kept == 0.5
    assert score.p_value == pytest.approx(2 * (1 + 5) / 2**5)


def test_nothing_to_keep(outcomes):
    score = RobustnessScore.of(RobustnessArm("occlusion", 0.3, "told"), outcomes("000"), outcomes("010"))
    assert score.share_kept is None and (score.won, score.lost) == (1, 0)


@pytest.mark.parametrize(("won", "lost", "p"), [(0, 0, 1.0), (3, 3, 1.0), (0, 6, 2 / 2**6), (6, 0, 2 / 2**6)])
def test_mcnemar_is_exact(won, lost, p):
    assert mcnemar(won, lost) == pytest.approx(p)


def test_arms_of_different_episodes_are_not_compared(outcomes):
    arm = RobustnessArm("occlusion", 0.3, "told")
    with pytest.raises(ValueError, match="same seeds"):
        RobustnessScore.of(arm, outcomes("11"), outcomes("11")[::-1])
    other = [replace(trajectory, mission="go to the door") for trajectory in outcomes("11")]
    with pytest.raises(ValueError, match="same missions"):
        RobustnessScore.of(arm, outcomes("11"), other)


def test_every_kind_strength_and_form_is_an_arm():
    asked = robustness_arms({"occlusion": [0.1, 0.3], "repeated_actions": [0.25]}, ["untold", "told"])
    assert [str(arm) for arm in asked] == [
        "occlusion 0.1, untold",
        "occlusion 0.1, told",
        "occlusion 0.3, untold",
        "occlusion 0.3, told",
        "repeated actions 0.25, untold",
        "repeated actions 0.25, told",
    ]


@pytest.mark.parametrize(
    ("strengths", "forms", "message"),
    [
        ({"fog": [0.1]}, ["told"], "occlusion, attribute_flips, dropped_frames, repeated_actions; found fog"),
        ({"occlusion": [0.1]}, ["whispered"], "untold, told, rebuilt; found whispered"),
        ({"occlusion": [0.1, 1.2]}, ["told"], "between 0 and 1; found 1.2 of occlusion"),
    ],
)
def test_what_cannot_be_played_is_refused(strengths, forms, message):
    with pytest.raises(AnyOrderError, match=message):
        robustness_arms(strengths, forms)


def test_the_table_has_a_row_per_arm(outcomes):
    planned = robustness_arms({"dropped_frames": [0.1]}, FORMS)
    scores = [RobustnessScore.of(arm, outcomes("1110"), outcomes("1000")) for arm in planned]
    console = Console(record=True, width=200, file=StringIO())
    console.print(robustness_table(scores))
    text = console.export_text()
    assert text.count("dropped frames") == 3 and text.count("33.3%") == 3 and text.count("0 / 2") == 3
    assert all(form.words in text for form in FORMS.values())
