"""The bot's length is that of its episodes, and nothing where there is no bot."""

import pytest

from anyorder.data.episodes import ExpertSource
from anyorder.evaluation import bot
from anyorder.evaluation.bot import bot_length

SEEDS = range(30_000_000, 30_000_006)


def test_it_is_the_mean_of_its_episodes(monkeypatch):
    lengths = [len(one) for one in ExpertSource("BabyAI-GoToRedBall-v0", num_processes=1)(SEEDS)]
    assert bot_length("BabyAI-GoToRedBall-v0", SEEDS) == pytest.approx(sum(lengths) / 6)
    monkeypatch.setattr(bot, "MOST_EPISODES", 2)
    assert bot_length("BabyAI-GoToRedBall-v0", SEEDS) == pytest.approx(sum(lengths[:2]) / 2)


def test_there_is_none_without_a_bot():
    assert bot_length("MiniGrid-Empty-5x5-v0", SEEDS) is None
