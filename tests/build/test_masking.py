"""Whether a run learns to say missions."""

import pytest

from anyorder.build.masking import asks_for_missions
from anyorder.config import DataConfig, DataSetConfig, MaskingConfig, RunConfig


def run(mixture, path="data/somewhere", other=None):
    sets = None if other is None else [DataSetConfig(path, masking=other)]
    return RunConfig(data=DataConfig(path, sets=sets), masking=MaskingConfig(mixture))


@pytest.mark.parametrize(
    "config",
    [
        run({"cell": 0.5, "mission_words": 0.5}),
        run({"words": {"weight": 1, "strategy": {"mission_words": {"rate": 1.0}}}}),
        run({"late": {"weight": 1, "strategy": {"stages": {"first": "cell", "then": "mission_words", "at": 0.5}}}}),
        run({"cell": 1}, other=MaskingConfig({"mission_words": 1})),
    ],
)
def test_a_mixture_that_names_the_words_of_missions_asks_for_them(config):
    assert asks_for_missions(config)


@pytest.mark.parametrize(
    "config",
    [
        run({"cell": 1}, path="mission_words"),
        run({"next_step": 1, "goals": {"weight": 1, "strategy": {"goal_conditioned": {"mission": True}}}}),
        run({"cell": 1}, path="mission_words", other=MaskingConfig({"cell": 1})),
    ],
)
def test_others_do_not(config):
    assert not asks_for_missions(config)
