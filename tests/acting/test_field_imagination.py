"""Imagination in any environment asks what forward dynamics answer, and never sees what really followed."""

import numpy as np
import pytest
import torch
from gymnasium import spaces

from anyorder.acting.field_imagination import given_actions, imagine_fields, observation_columns
from anyorder.acting.field_policy import FieldPolicy
from anyorder.config import ElementModelConfig
from anyorder.elements.fields import EncodedFieldData
from anyorder.elements.fitting import fit_spec
from anyorder.elements.spec import Bins
from anyorder.evaluation.beginnings import random_beginnings
from anyorder.evaluation.field_imagined import FieldPrefix, score_field_imagination
from anyorder.inference.bin_answers import BinAnswers
from anyorder.masking.strategies import ForwardDynamics
from anyorder.models.element.element_transformer import ElementTransformer
from anyorder.pictures.field_imagined_pictures import imagined_series
from anyorder.types import FieldTrajectory

SPACE = spaces.Dict(body=spaces.Box(-np.inf, np.inf, (2,)), light=spaces.Discrete(3))


def episode(seed, num_actions=12):
    rng = np.random.default_rng(seed)
    steps = np.arange(num_actions + 1)
    body = np.stack([rng.normal() + rng.normal() * steps, rng.normal(size=len(steps))], axis=1).astype(np.float32)
    ends = steps[:-1] == num_actions - 1
    observed = {"body": body, "light": rng.integers(0, 3, len(steps))}
    return FieldTrajectory(
        "Made-v0", seed, observed, {"action": rng.integers(0, 2, num_actions)}, np.ones(num_actions), ends, ends & False
    )


@pytest.fixture(scope="module")
def episodes():
    return [episode(seed, 8 + seed) for seed in range(6)]


def made(episodes, max_frames):
    torch.manual_seed(0)
    spec = fit_spec(SPACE, spaces.Discrete(2), episodes)
    config = ElementModelConfig(width=16, num_layers=2, num_heads=2, max_frames=max_frames)
    return ElementTransformer(config, spec).eval()


@pytest.fixture(scope="module")
def model(episodes):
    return made(episodes, 32)


def test_the_first_step_is_answered_as_in_training(model, episodes):
    batch = EncodedFieldData(episodes[:1], model.spec).batch([0])
    order = ForwardDynamics()(batch.layout, torch.Generator())
    with torch.no_grad():
        logits = model(batch.values, batch.layout, order)
    columns = observation_columns(model.spec)
    trained = logits.view(-1, len(columns), logits.shape[1])
    for start in (0, 3, 7):
        prefix = FieldPrefix(episodes[0], start)
        found = imagine_fields(model, [prefix.history(model)], given_actions([prefix.actions(1)]), 1)
        for place, field in enumerate(model.spec.of_kind("observation")):
            if isinstance(field.values, Bins):
                median = BinAnswers.of(trained[start, place][None], field.values).quantiles(0.5)[0, 0]
                told = found.numbers[0, 0, place] * field.values.deviation + field.values.mean
                assert told == pytest.approx(float(median), abs=1e-4 * field.values.deviation)
            else:
                assert found.values[0, 0, place] == trained[start, place].argmax()


@pytest.mark.parametrize("max_frames", [2, 3, 32])
def test_what_follows_the_prefix_changes_nothing(episodes, max_frames):
    model, other = made(episodes, max_frames), episode(77, 8)
    plan = given_actions([FieldPrefix(episodes[0], 4).actions(3)])
    joined = FieldTrajectory(
        *("Made-v0", 0),
        {path: np.concatenate([array[:5], other.observations[path][5:]]) for path, array in episodes[0].observations.items()},
        episodes[0].actions,
        *(episodes[0].rewards, episodes[0].terminations, episodes[0].truncations),
    )
    one, same = (imagine_fields(model, [FieldPrefix(each, 4).history(model)], plan, 3) for each in (episodes[0], joined))
    assert torch.equal(one.values, same.values) and torch.equal(one.numbers, same.numbers)
    assert len(one.histories[0]) == min(max_frames - 1, 8)


def test_futures_are_drawn_and_an_agent_may_choose_its_actions(model, episodes):
    histories = [FieldPrefix(episodes[0], 4).history(model)] * 40
    policy = FieldPolicy(model, spaces.Discrete(2), temperature=1.0)
    drawn = imagine_fields(model, histories, lambda branches, number: policy.flat_actions(branches), 2, torch.Generator())
    assert len(drawn.values[:, 0, 2].unique()) == 3 and len(drawn.numbers[:, 1, 0].unique()) == 40
    assert all(len(history) == 5 for history in histories), "the given histories are as they were"
    with pytest.raises(ValueError, match="at least 1 step"):
        imagine_fields(model, histories, given_actions([]), 0)


def test_scores_stand_beside_copies_and_lines(model, episodes):
    """The ramp goes on as the line says; episodes that end are asked no more."""
    prefixes = [FieldPrefix(one, len(one) - 1 - number % 3) for number, one in enumerate(episodes)]
    scores = score_field_imagination(model, prefixes, 4)
    assert [score.horizon for score in scores] == [1, 2, 3]
    assert [score.fields["light"].num_categories for score in scores] == [6, 4, 2]
    for score in scores:
        ramp, both = score.fields["body/0"], score.fields["body"]
        assert ramp.root_mean_square["line"].value < 1e-5 < ramp.root_mean_square["copy"].value
        assert (
            ramp.num_numbers * 2 == both.num_numbers
            and not ramp.accuracy
            and set(score.fields["light"].accuracy) == {"model", "copy"}
        )
    ends = [one.start for one in random_beginnings(FieldPrefix, episodes, 3)]
    assert ends == [one.start for one in random_beginnings(FieldPrefix, episodes, 3)] and len(set(ends)) > 2


def test_pictures_show_the_truth_and_the_band_of_many_futures(model, episodes):
    series, first = imagined_series(model, FieldPrefix(episodes[5], 9), 8)
    named = {one.name: one for one in series}
    assert first == 0 and set(named) == {"body/0", "body/1", "light", "action"}
    body = named["body/1"]
    assert body.hidden.tolist() == [False] * 10 + [True] * 4, "up to the end of the episode"
    assert np.allclose(body.truth, episodes[5].observations["body"][:, 1], atol=1e-4)
    assert (body.low[10:] <= body.answer[10:]).all() and (body.answer[10:] <= body.high[10:]).all()
    assert named["light"].answer[10:].max() <= 2 and np.isnan(named["action"].answer).all()
