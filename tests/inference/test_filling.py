"""What is missing is asked for and nothing else, answers are put back where they belong, and probabilities are made true."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from cartpole import SIZES, cartpole_data

from anyorder.config import ElementModelConfig, SpecConfig
from anyorder.data.damage import Damage
from anyorder.data.field_storage import read_field_split, spaces_of
from anyorder.data.manifest import read_manifest
from anyorder.elements.grid import Attribute, GridVocabulary
from anyorder.elements.grid_fields import fields_of_grid, grid_spaces, grid_spec
from anyorder.elements.spec import Bins
from anyorder.inference.bin_answers import BinAnswers
from anyorder.inference.calibrating import Correction, filled_in, fitted_corrections, platt_scaling, repeated, temperature
from anyorder.inference.field_gaps import FieldTable, GridInFields
from anyorder.inference.filling import replies
from anyorder.inference.grid_gaps import GridTable
from anyorder.models.element.element_transformer import ElementTransformer

HALF = Damage(actions=0.5, cells=0.3, frames=0.1)


@pytest.fixture(scope="module")
def carts(tmp_path_factory):
    """Episodes of CartPole and their table."""
    folder = cartpole_data(tmp_path_factory.mktemp("carts"))
    manifest = read_manifest(folder)
    torch.manual_seed(0)
    model = ElementTransformer(ElementModelConfig(**SIZES), manifest.fields).eval()
    return read_field_split(folder, "train"), FieldTable(model, *spaces_of(manifest, folder))


@pytest.fixture(scope="module")
def grids(make_trajectory, make_model):
    whole = [make_trajectory(length, view=(2, 2), seed=length) for length in (5, 3, 8)]
    return whole, GridTable(make_model((2, 2), GridVocabulary.of(whole)).float())


@pytest.fixture(scope="module")
def grids_in_fields(make_trajectory):
    whole = [make_trajectory(length, view=(2, 2), seed=length) for length in (5, 3, 8)]
    torch.manual_seed(0)
    spec = grid_spec([fields_of_grid(one) for one in whole], SpecConfig())
    model = ElementTransformer(ElementModelConfig(**SIZES | {"max_frames": 4}), spec).eval()
    return whole, GridInFields(FieldTable(model, *grid_spaces(2, 2)))


CASES = ["grids", "carts", "grids_in_fields"]


@pytest.mark.parametrize("case", CASES)
def test_everything_missing_is_asked_once_and_nothing_else(request, case):
    whole, table = request.getfixturevalue(case)
    damaged = [HALF(one) for one in whole]
    missing = [table.missing(one) for one in damaged]
    assert not any(table.missing(one).any() for one in whole)
    counted = [np.zeros(where.shape, int) for where in missing]
    for found in replies(table, damaged, missing):
        for episode, frame, column in zip(found.episode.tolist(), found.frame.tolist(), found.column.tolist()):
            counted[episode][frame, column] += 1
    assert sum(where.sum() for where in missing) > 20
    assert all(np.array_equal(count, where) for count, where in zip(counted, missing))


@pytest.mark.parametrize("case", CASES)
def test_what_was_filled_in_is_marked_and_the_rest_is_as_it_was(request, case):
    whole, table = request.getfixturevalue(case)
    damaged = [HALF(one) for one in whole]
    for one, before, full in zip(filled_in(table, damaged, {}, 0.0), damaged, whole):
        missing, marks = table.missing(before), table.marks(one)
        assert np.array_equal(marks > 0, missing) and marks.max() <= 1 and not table.missing(one).any()
        known = table.recorded(before)
        assert np.array_equal(table.recorded(one)[~missing], known[~missing], equal_nan=True)
        assert np.array_equal(known[~missing], table.recorded(full)[~missing], equal_nan=True)
        assert not np.isnan(table.recorded(one)[missing]).any(), "every answer is a value that the model reads again"
        assert type(one) is type(before) and one.env_id == before.env_id and (one.rewards == before.rewards).all()


@pytest.mark.parametrize("case", CASES)
def test_what_is_below_the_threshold_stays_absent(request, case):
    whole, table = request.getfixturevalue(case)
    damaged = [HALF(one) for one in whole]
    sure = np.concatenate([table.marks(one)[table.missing(two)] for one, two in zip(filled_in(table, damaged, {}, 0), damaged)])
    middle = float(np.median(sure))
    some = filled_in(table, damaged, {}, middle)
    kept = np.concatenate([table.marks(one)[table.missing(two)] for one, two in zip(some, damaged)])
    assert 0.2 < (kept > 0).mean() < 0.9 and kept[kept > 0].min() >= middle - 1e-6
    for one, two in zip(some, damaged):
        assert np.array_equal(table.missing(one), table.missing(two) & (table.marks(one) == 0))
    nothing = filled_in(table, damaged, {}, 1.01)
    assert all(one is two for one, two in zip(nothing, damaged))


@pytest.mark.parametrize("case", CASES)
def test_absent_values_are_felt_by_no_answer(request, case):
    """The arrays of the damaged episodes may hold anything there, also the truth."""
    whole, table = request.getfixturevalue(case)
    damaged = [HALF(one) for one in whole]
    truthful = [replace(one, absent=two.absent) for one, two in zip(whole, damaged)]
    for one, two in zip(filled_in(table, damaged, {}, 0.0), filled_in(table, truthful, {}, 0.0)):
        assert np.array_equal(table.marks(one), table.marks(two))
        assert np.array_equal(table.recorded(one), table.recorded(two), equal_nan=True)


def test_a_film_gets_actions_though_it_has_none(carts):
    whole, table = carts
    film = replace(whole[0], actions={})
    assert table.missing(film).sum() == len(film)
    [found] = filled_in(table, [film], {}, 0.0)
    assert found.actions["action"].shape == (len(film),) and found.actions["action"].dtype == np.int64
    assert set(found.actions["action"].tolist()) <= {0, 1} and (found.filled["action"] > 0).all()
    gaps = {"observation": np.where(np.arange(len(film) + 1)[:, None] == 2, np.nan, whole[0].observations["observation"])}
    assert table.missing(replace(whole[0], observations=gaps)).any(axis=1).nonzero()[0].tolist() == [2], "NaN is absent, too"


def test_the_temperature_is_found_that_the_logits_were_made_with():
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(20_000, 5, generator=generator) * 2
    logits[:, 4] = -torch.inf
    truth = torch.multinomial(logits.softmax(dim=-1), 1, generator=generator)[:, 0]
    for wrong in (0.3, 1.0, 3.0):
        assert temperature(logits / wrong, truth) == pytest.approx(1 / wrong, rel=0.05)


def test_the_slope_and_the_shift_are_found_that_odds_were_changed_by():
    generator = torch.Generator().manual_seed(0)
    true = torch.rand(50_000, generator=generator, dtype=torch.float64) * 0.9 + 0.05
    right = torch.rand(len(true), generator=generator, dtype=torch.float64) < true
    said = torch.sigmoid((torch.logit(true) - 0.7) / 1.5)
    found = platt_scaling(said, right)
    assert (found.temperature, found.slope, found.shift) == (1.0, pytest.approx(1.5, rel=0.05), pytest.approx(0.7, abs=0.05))


def test_answers_that_were_all_right_are_not_certain():
    found = platt_scaling(torch.linspace(0.5, 1.0, 200, dtype=torch.float64), torch.ones(200, dtype=torch.bool))
    surest = torch.sigmoid(torch.tensor(found.slope * 20 + found.shift))
    assert found.slope >= 0 and 0.99 < surest < 1


def test_numbers_are_corrected_by_being_near_and_values_without_an_order_by_a_temperature(carts):
    whole, table = carts
    many = [replace(one, seed=seed) for seed in range(30) for one in whole]
    found = fitted_corrections(table, many, [table.missing(Damage(actions=0.5, cells=0.5)(one)) for one in whole])
    by_name = {table.names[number]: one for number, one in found.items()}
    assert by_name["action"].slope == 1 and by_name["action"].shift == 0
    numbers = [one for name, one in by_name.items() if name.startswith("observation")]
    assert len(numbers) == 4 and all(one.temperature == 1 and one.slope != 1 for one in numbers)
    number = int(table.part[0])
    logits = torch.randn(50, 64, generator=torch.Generator().manual_seed(0))
    chosen, sure = found[number].answers(table, logits, number)
    plain, plainly = Correction().answers(table, logits, number)
    assert torch.equal(chosen, plain) and torch.equal(sure.argsort(), plainly.argsort())


def test_what_is_certain_stays_certain_without_a_slope_and_a_shift(grids):
    _, table = grids
    logits = torch.full((3, len(table.model.vocabulary)), -torch.inf)
    logits[:, table.model.vocabulary.offsets[Attribute.ACTION]] = 0.0
    assert (Correction(temperature=0.5).answers(table, logits, int(table.part[-1]))[1] == 1.0).all()


def test_patterns_of_other_lengths_are_repeated():
    gaps = np.zeros((4, 3), bool)
    gaps[1, 0] = gaps[2, 1] = gaps[3, 2] = True
    found = repeated(gaps, np.ones((7, 3), bool))
    assert found[:, 0].nonzero()[0].tolist() == [1, 4] and found[:, 1].nonzero()[0].tolist() == [2, 5]
    assert not found[:, 2].any(), "the last frame of a trajectory is no pattern for others"


def test_corrections_come_from_the_parts_that_are_missing(grids):
    whole, table = grids
    many = [replace(one, seed=seed) for seed in range(40) for one in whole]
    gaps = [table.missing(Damage(actions=1.0)(one)) for one in whole]
    found = fitted_corrections(table, many, gaps)
    assert [table.names[number] for number in found] == ["action"] and found[int(table.part[-1])].temperature > 1, (
        "it guesses too boldly"
    )
    assert fitted_corrections(table, whole, gaps) == {}, "16 answers are too few"


def test_the_probability_of_a_number_is_that_of_its_neighbourhood():
    values = Bins(0.0, 10.0, 10, mean=5.0, deviation=2.0)
    answers = BinAnswers(torch.tensor([[0, 0, 0.2, 0.6, 0.2, 0, 0, 0, 0, 0]], dtype=torch.float64), values)
    centre = answers.near(answers.probabilities.argmax(dim=-1))
    assert centre.tolist() == pytest.approx([3.5])
    for distance, expected in ((0.25, 0.3), (0.5, 0.6), (1.0, 0.8), (9.0, 1.0)):
        assert answers.within(centre, distance).tolist() == pytest.approx([expected])
