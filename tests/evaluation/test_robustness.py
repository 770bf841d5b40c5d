"""Holes are drawn as promised, and both arms play the same episodes."""

import numpy as np
import pytest

from anyorder.envs.minigrid import View
from anyorder.evaluation.robustness import compare, occlusion
from anyorder.evaluation.rollout import clearly, perception_generator, roll_out
from anyorder.policy import Policy

ENV_ID = "MiniGrid-Empty-5x5-v0"
pytestmark = pytest.mark.usefixtures("short_episodes")


def view():
    return View(np.full((7, 7, 3), 5, np.uint8), 2, "go to the red ball")


def test_holes_look_unseen_and_nothing_else_changes():
    shown = occlusion(0.5, declared=True)(view(), perception_generator(1))
    assert (shown.view.image[shown.unknown] == 0).all()
    assert (shown.view.image[~shown.unknown] == 5).all()
    assert 0 < shown.unknown.sum() < 49
    assert (shown.view.mission, shown.view.direction) == ("go to the red ball", 2)


def test_the_view_itself_is_left_alone():
    seen = view()
    occlusion(1.0, declared=False)(seen, perception_generator(1))
    assert (seen.image == 5).all()


def test_equal_seeds_give_equal_holes_whether_declared_or_not():
    told, untold = (occlusion(0.3, declared)(view(), perception_generator(7)) for declared in (True, False))
    assert untold.unknown is None
    assert np.array_equal(told.view.image, untold.view.image)


def test_the_rate_is_the_hidden_share():
    generator, perceive = perception_generator(0), occlusion(0.3, declared=True)
    share = np.mean([perceive(view(), generator).unknown.mean() for _ in range(400)])
    assert share == pytest.approx(0.3, abs=4 * np.sqrt(0.21 / (400 * 49)))


@pytest.mark.parametrize("rate", [-0.1, 1.5])
def test_impossible_rates_are_refused(rate):
    with pytest.raises(ValueError, match="between 0 and 1"):
        occlusion(rate, declared=True)


@pytest.fixture(scope="module")
def policy(make_model, vocabulary):
    return Policy(make_model((7, 7), vocabulary), temperature=1.0)


def test_no_holes_keep_everything(make_model, vocabulary):
    policy = Policy(make_model((7, 7), vocabulary))
    clean = roll_out(policy, ENV_ID, [30_000_000, 30_000_001])
    score = compare(policy, clean, 0.0, declared=True)
    assert score.occluded == score.clean
    assert score.seeds == (30_000_000, 30_000_001)
    assert score.share_kept == (1.0 if score.clean.successes else None)


def test_the_occluded_arm_plays_the_seeds_of_the_clean_one(policy, monkeypatch):
    played = []

    def recording(policy, env_id, seeds, perceive=clearly, on_finish=None):
        played.append((env_id, list(seeds)))
        return roll_out(policy, env_id, seeds, perceive, on_finish)

    clean = roll_out(policy, ENV_ID, [30_000_004, 30_000_002])
    monkeypatch.setattr("anyorder.evaluation.robustness.roll_out", recording)
    compare(policy, clean, 0.5, declared=False)
    assert played == [(ENV_ID, [30_000_004, 30_000_002])]
