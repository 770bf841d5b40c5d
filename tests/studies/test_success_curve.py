"""The success curve is of the validation split's seeds, and watching changes nothing."""

import torch

from anyorder.acting.rollout import roll_out
from anyorder.acting.stepwise import StepwisePolicy
from anyorder.data.collect import SPLIT_OFFSETS
from anyorder.studies.success_curve import PlayedWhileTraining

ENV_ID = "BabyAI-GoToRedBall-v0"


def test_it_is_the_share_of_the_episodes_and_leaves_model_and_chance_alone(make_model, vocabulary):
    model = make_model((7, 7), vocabulary)
    seeds = range(SPLIT_OFFSETS["validation"], SPLIT_OFFSETS["validation"] + 6)
    by_hand = roll_out(StepwisePolicy(model, 1.0, tried_penalty=4.0), ENV_ID, seeds)
    watch, before = PlayedWhileTraining(ENV_ID, 6, 1.0, 4.0), torch.get_rng_state()
    model.train()
    assert watch(model) == {"success": sum(one.success for one in by_hand) / 6}
    assert watch(model) == watch(model), "always the same episodes and draws"
    assert model.training and torch.equal(torch.get_rng_state(), before)
