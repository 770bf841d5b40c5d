"""Which instruction was this: right where only one fits, and judged by BabyAI's rules where several do."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from anyorder.data.episodes import ExpertSource
from anyorder.elements.grid import Attribute, GridVocabulary
from anyorder.errors import AnyOrderError
from anyorder.evaluation.mission_scores import Instructed, score_missions

LEVEL = "BabyAI-GoToLocal-v0"


@pytest.fixture(scope="module")
def episodes():
    return list(ExpertSource(LEVEL, num_processes=1)(range(20)))


class Believer(nn.Module):
    """Finds what was done more probable if the mission's color or kind of thing (by its number of a word) is ``word``."""

    view, max_frames = (7, 7), None

    def __init__(self, vocabulary, word):
        super().__init__()
        self.vocabulary, self.word = vocabulary, vocabulary.encode_mission(word)[0]

    def forward(self, values, layout, order):
        rows = order.targets.nonzero()[:, 0]
        believes = (layout.grid.words(values) == self.word).any(dim=1)[rows]
        first, size = self.vocabulary.offsets[Attribute.ACTION], self.vocabulary.sizes[Attribute.ACTION]
        logits = torch.full((len(rows), len(self.vocabulary)), -torch.inf)
        logits[:, first : first + size] = 0.0
        return logits.scatter_add(1, values[order.targets][:, None], believes[:, None].float())


def test_shares_are_those_of_the_ranking(episodes):
    missions = sorted({one.mission for one in episodes})
    word = episodes[0].mission.split()[-1]
    model = Believer(GridVocabulary.of(episodes), word)
    score = score_missions(model, Instructed(episodes, missions))
    assert score.first.count == len(episodes) and score.num_missions == len(missions)
    favoured = [mission for mission in missions if word in mission.split()]
    assert score.first.successes == sum(one.mission == favoured[0] for one in episodes), "ties go in the order given"
    assert score.first.successes <= score.first_fits.successes and 1 <= score.mean_fitting < len(missions)
    assert score.first.successes <= score.among_fitting.successes
    assert score.chance == 1 / len(missions)


def test_what_cannot_be_told_is_left_out_and_nothing_left_is_an_error(episodes):
    missions = sorted({one.mission for one in episodes})
    model = Believer(GridVocabulary.of(episodes), "ball")
    failed = [replace(one, rewards=0 * one.rewards) if number else one for number, one in enumerate(episodes)]
    assert not failed[1].success
    assert score_missions(model, Instructed(failed, missions)).first.count == 1
    with pytest.raises(AnyOrderError, match="found none"):
        score_missions(model, Instructed(episodes, ["go to the moon"]))


def test_other_levels_are_refused(episodes):
    elsewhere = [replace(one, env_id="MiniGrid-Empty-5x5-v0") for one in episodes]
    with pytest.raises(AnyOrderError, match="BabyAI's own rules judge missions; found MiniGrid-Empty"):
        score_missions(Believer(GridVocabulary.of(episodes), "ball"), Instructed(elsewhere, [episodes[0].mission]))
