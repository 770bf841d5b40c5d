"""Scores of any environment: densities, calibration, baselines that see what the model sees, and nothing that is not there."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from gymnasium import spaces
from scipy.stats import norm

from anyorder.elements.batch import Batch, Budget
from anyorder.elements.fields import EncodedFieldData
from anyorder.elements.fitting import fit_spec
from anyorder.elements.layout import Kind
from anyorder.elements.spec import Bins
from anyorder.evaluation.field_baselines import fit_baselines, value_shares
from anyorder.evaluation.field_modes import FieldFiltering, FieldForesight, FieldPass, FieldsStepByStep, WholeFields
from anyorder.evaluation.field_scoring import score_fields
from anyorder.evaluation.neighbours import FieldQuestions
from anyorder.evaluation.statistics import ItemSums
from anyorder.inference.bin_answers import BinAnswers
from anyorder.masking.order import Order, Role, sees_value
from anyorder.masking.schedules import Rate
from anyorder.masking.strategies import Between, Cell, ForwardDynamics, InverseDynamics, NextAction, Window
from anyorder.seeding import stream
from anyorder.types import FieldTrajectory

BUDGET = Budget(64, "frames")
CELLS = Cell(Rate(0.3, 0.3))
SPACE = spaces.Dict(body=spaces.Box(-np.inf, np.inf, (2,)), light=spaces.Discrete(3))
MODES = {
    "forward": WholeFields(ForwardDynamics()),
    "filtering": FieldFiltering(CELLS),
    "smoothing": WholeFields(CELLS),
    "next_action": WholeFields(NextAction()),
    "inverse_dynamics": WholeFields(InverseDynamics()),
}


def episode(seed, num_actions=12, absent=0.0):
    """A ramp with a slope of its own and noise beside it, a light that changes seldom, and actions."""
    rng = np.random.default_rng(seed)
    steps = np.arange(num_actions + 1)
    ramp = rng.normal() + rng.normal() * steps
    body = np.stack([ramp, rng.normal(size=num_actions + 1)], axis=1).astype(np.float32)
    missing = rng.random(body.shape) < absent
    body[missing] = np.nan
    light = (np.cumsum(rng.random(num_actions + 1) < 0.2) % 3).astype(np.int64)
    dark = rng.random(num_actions + 1) < absent
    ends = steps[:-1] == num_actions - 1
    return FieldTrajectory(
        "Made-v0",
        seed,
        {"body": body, "light": light},
        {"action": rng.integers(0, 2, num_actions)},
        np.ones(num_actions),
        ends,
        ends & False,
        absent={"light": dark},
    )


def data_of(trajectories, spec=None, **others):
    spec = spec or fit_spec(SPACE, spaces.Discrete(2), trajectories)
    return EncodedFieldData(trajectories, spec, **others)


class Knowing(torch.nn.Module):
    """Knows no more than how many values each field has."""

    def __init__(self, spec):
        super().__init__()
        self.spec, self.anything = spec, torch.nn.Parameter(torch.zeros(1))

    def forward(self, values, layout, order):
        sizes = torch.tensor([len(one.values) for one in self.spec.fields])[layout.attribute[order.targets]]
        return torch.zeros(len(sizes), self.spec.size).masked_fill(torch.arange(self.spec.size) >= sizes[:, None], -torch.inf)


def exact_answers(number, mean, deviation, low=-4.0, high=4.0):
    """The exact probabilities of bins, of as many normal distributions as there are means."""
    bins = Bins(low, high, number, 0.0, 1.0)
    edges = low + bins.width * np.arange(1, number)
    upto = norm.cdf(edges, np.asarray(mean)[:, None], np.asarray(deviation)[:, None])
    upto = np.concatenate([np.zeros((len(upto), 1)), upto, np.ones((len(upto), 1))], axis=1)
    return BinAnswers(torch.from_numpy(np.diff(upto, axis=1)), bins)


def test_nats_of_a_density_do_not_depend_on_the_number_of_bins():
    drawn = np.random.default_rng(0).normal(size=20_000)
    found = {}
    for number in (16, 64, 512):
        answers = exact_answers(number, np.zeros(len(drawn)), np.ones(len(drawn)))
        found[number] = float(answers.nats(torch.from_numpy(answers.values.numbers(drawn))).mean())
    entropy = 0.5 * math.log(2 * math.pi * math.e)
    assert found == {number: pytest.approx(entropy, abs=0.02) for number in found}


def test_an_exact_predictor_is_calibrated():
    rng = np.random.default_rng(1)
    mean, deviation = rng.normal(size=20_000), rng.uniform(0.2, 1, 20_000)
    answers = exact_answers(48, mean, deviation)
    truth = torch.from_numpy(answers.values.numbers(rng.normal(mean, deviation)))
    levels = torch.tensor([0.05, 0.25, 0.5, 0.75, 0.95], dtype=torch.float64)
    assert answers.below(truth, levels).mean(dim=0).tolist() == pytest.approx(levels.tolist(), abs=0.01)
    median = answers.quantiles(0.5)[:, 0]
    assert float((median - torch.from_numpy(mean)).abs().max()) < answers.values.width
    assert float((answers.means() - torch.from_numpy(mean).clamp(-3.5, 3.5)).abs().median()) < 0.01


def test_numbers_that_pile_up_at_one_value_are_calibrated():
    bins = Bins(-1.0, 1.0, 8, 0.0, 1.0)
    probabilities = torch.zeros(4000, 8, dtype=torch.float64)
    probabilities[:, [0, 7]] = torch.tensor([0.3, 0.7], dtype=torch.float64)
    truth = torch.where(torch.rand(4000, generator=torch.Generator().manual_seed(0)) < 0.3, 0, 7)
    levels = torch.tensor([0.1, 0.5, 0.9], dtype=torch.float64)
    found = BinAnswers(probabilities, bins).below(truth, levels).mean(dim=0)
    assert found.tolist() == pytest.approx(levels.tolist(), abs=0.03)


def test_an_overconfident_predictor_is_found_out():
    rng = np.random.default_rng(2)
    mean = rng.normal(size=5000)
    answers = exact_answers(64, mean, np.full(5000, 0.3))
    truth = torch.from_numpy(answers.values.numbers(rng.normal(mean, 0.9)))
    low, high = answers.below(truth, torch.tensor([0.05, 0.95], dtype=torch.float64)).mean(dim=0).tolist()
    assert high - low < 0.5


@pytest.mark.parametrize("mode", MODES)
def test_what_is_absent_is_never_counted(mode):
    trajectories = [episode(seed, num_actions=8 + seed, absent=0.4) for seed in range(6)]
    data = data_of(trajectories)
    shares = value_shares(data, data.spec, BUDGET)
    baselines = fit_baselines(data, data.spec, MODES[mode], shares, BUDGET, 0)
    scores = score_fields(Knowing(data.spec), data, MODES[mode], baselines, BUDGET, 0)
    recorded = {
        "body/0": sum(int((~np.isnan(one.observations["body"][1:, 0])).sum()) for one in trajectories),
        "body/1": sum(int((~np.isnan(one.observations["body"][1:, 1])).sum()) for one in trajectories),
        "light": sum(int((~one.absent["light"][1:]).sum()) for one in trajectories),
        "action": sum(map(len, trajectories)),
    }
    whole = {"forward": ("body/0", "body/1", "light"), "next_action": ("action",), "inverse_dynamics": ("action",)}
    if mode in whole:
        assert {name: scores.fields[name].count for name in whole[mode]} == {name: recorded[name] for name in whole[mode]}
    else:
        assert all(0 < scores.fields[name].count < recorded[name] for name in ("body/0", "body/1", "light"))
    total = sum(one.count for name, one in scores.fields.items() if name in recorded)
    assert scores.hidden_fraction <= 1 and total > 0


def test_shares_count_what_is_there():
    trajectories = [episode(seed, absent=0.3) for seed in range(3)]
    data = data_of(trajectories)
    (light,) = [share for one, share in zip(data.spec.fields, value_shares(data, data.spec, BUDGET)) if one.name == "light"]
    seen = np.concatenate([one.observations["light"][~one.absent["light"]] for one in trajectories])
    expected = (np.bincount(seen, minlength=3) + 1) / (len(seen) + 3)
    assert light.tolist() == pytest.approx(expected.tolist())


def any_order(batch, generator):
    """Random roles, and ranks that stay or rise from step to step."""
    layout = batch.layout
    roles = torch.randint(1, 4, layout.shape, generator=generator, dtype=torch.uint8)
    roles = roles.masked_fill(layout.of_kind(Kind.MISSION), Role.CONTEXT).masked_fill(~layout.present, Role.DROPPED)
    rises = torch.rand(layout.step.max() + 2, generator=generator) < 0.5
    yield FieldPass(batch, Order(roles, rises.cumsum(0)[layout.step.clamp(min=0)].to(torch.int32)), torch.arange(len(roles)))


@pytest.mark.parametrize("mode", [*MODES, "any order"])
def test_copies_and_lines_depend_on_what_is_visible_alone(mode):
    """Other values in the place of whatever a question may not see change nothing about its guesses."""
    data = data_of([episode(seed) for seed in range(3)])
    ask = any_order if mode == "any order" else MODES[mode]
    for found in ask(data.batch([0, 1, 2]), stream(0, "test")):
        batch, order = found.batch, found.order
        before = found.questions()
        asked = order.targets.nonzero()
        for question in range(0, len(asked), 3):
            row, element = asked[question].tolist()
            rank = order.ranks[row, element]
            unseen = ~sees_value(order.roles[row], order.ranks[row], rank)
            values, numbers = batch.values.clone(), batch.layout.numbers.clone()
            values[row, unseen], numbers[row, unseen] = 77, 7.7
            after = FieldQuestions.of(Batch(values, replace(batch.layout, numbers=numbers)), order)
            for guess in ("copy", "copy_number", "copied", "line_number"):
                assert torch.equal(getattr(before, guess)[question], getattr(after, guess)[question]), guess


def test_a_line_finds_a_ramp_and_copies_are_the_nearest():
    data = data_of([episode(seed, num_actions=20) for seed in range(4)])
    number = data.spec.names.index("body/0")
    (found,) = WholeFields(ForwardDynamics())(data.batch([0]), stream(0, "test"))
    batch, asked = found.batch, found.questions()
    ramp = asked.rows(((asked.field == number) & (asked.step >= 2)).nonzero()[:, 0])
    assert torch.allclose(ramp.line_number, ramp.number, atol=1e-5)
    numbers = batch.layout.frame_shape.frames(batch.layout.numbers)[0]
    column = int((batch.layout.frame_shape.frames(batch.layout.attribute)[0, 0] == number).nonzero()[0])
    assert torch.allclose(ramp.copy_number, numbers[ramp.step - 1, column].double())
    (found,) = WholeFields(CELLS)(data.batch([1]), stream(1, "test"))
    asked = found.questions()
    inner = (asked.field == number) & (asked.step > 1) & (asked.step < 19)
    assert torch.allclose(asked.line_number[inner], asked.number[inner], atol=1e-5)


def test_filtering_asks_what_smoothing_asks_of_observations_and_shows_no_future():
    data = data_of([episode(seed, num_actions=5 + 3 * seed) for seed in range(4)])
    batch = data.batch([0, 1, 2, 3])
    (whole,) = WholeFields(CELLS)(batch, stream(3, "test"))
    expected = (whole.order.targets & whole.batch.layout.of_kind(Kind.OBSERVATION)).sum()
    count = 0
    for found in FieldFiltering(CELLS)(batch, stream(3, "test")):
        part, at_time, row = found.batch, found.order, found.row
        shown = at_time.roles != Role.DROPPED
        step = torch.where(at_time.targets, part.layout.step, -1).amax(dim=1)[:, None]
        assert not (shown & (part.layout.step > step)).any()
        assert not (shown & part.layout.of_kind(Kind.ACTION) & (part.layout.step >= step)).any()
        assert not (at_time.targets & (part.layout.step != step)).any()
        assert len(row) == len(part.values)
        count += int(at_time.targets.sum())
    assert count == expected > 0


def test_foresight_shows_the_model_its_last_frames_and_the_baselines_all():
    """Of whole episodes, every observation but the first is asked once; a line through the two before it finds a ramp."""
    data = data_of([episode(seed, num_actions=6 + seed) for seed in range(3)])
    batch = data.batch([0, 1, 2])
    number, count = data.spec.names.index("body/0"), 0
    for found in FieldForesight(2)(batch, stream(0, "test")):
        layout, order = found.batch.layout, found.order
        step = torch.where(order.targets, layout.step, -1).amax(dim=1)[:, None]
        shown = (order.roles != Role.DROPPED) & (layout.step >= 0)
        assert (layout.step[shown] >= (step - 1).expand_as(layout.step)[shown]).all()
        assert not (shown & layout.of_kind(Kind.ACTION) & (layout.step == step)).any()
        asked = found.questions()
        count += len(asked)
        ramp = asked.rows(((asked.field == number) & (asked.step >= 2)).nonzero()[:, 0])
        assert torch.allclose(ramp.line_number, ramp.number, atol=1e-5)
    assert count == sum(3 * (6 + seed) for seed in range(3))


def test_between_waypoints_one_step_is_asked_at_a_time_and_a_line_joins_them():
    data = data_of([episode(seed, num_actions=20) for seed in range(4)])
    number, asked_for = data.spec.names.index("body/0"), []
    for found in FieldsStepByStep(Window(Between(), 6))(data.batch([0, 1, 2, 3]), stream(0, "test")):
        layout, order = found.batch.layout, found.order
        shown = layout.of_kind(Kind.OBSERVATION) & (order.roles == Role.CONTEXT)
        ends = torch.stack([torch.where(shown, layout.step, far).aminmax(dim=1)[side] for side, far in ((0, 99), (1, -1))])
        assert (ends[1] - ends[0] == 5).all() and not (order.roles[layout.of_kind(Kind.ACTION)] != Role.DROPPED).any()
        steps = torch.where(order.targets, layout.step, -1).amax(dim=1)
        assert ((order.targets & (layout.step != steps[:, None])).sum() == 0) and (order.targets.sum(dim=1) == 3).all()
        asked_for.append((steps - ends[0]).tolist())
        asked = found.questions()
        ramp = asked.rows((asked.field == number).nonzero()[:, 0])
        assert torch.allclose(ramp.line_number, ramp.number, atol=1e-5)
    assert asked_for == [[step] * 4 for step in (1, 2, 3, 4)]


def test_a_part_counts_for_its_episode_and_a_marginal_model_is_no_better_than_the_shares():
    trajectories = [episode(seed, num_actions=30) for seed in range(5)]
    data = data_of(trajectories, max_frames=8)
    assert max(data.origins) == 4 and len(data) > 5
    mode = MODES["smoothing"]
    baselines = fit_baselines(data, data.spec, mode, value_shares(data, data.spec, BUDGET), BUDGET, 0)
    scores = score_fields(Knowing(data.spec), data, mode, baselines, BUDGET, 0)
    assert scores.num_episodes == 5
    light, noise = scores.fields["light"].categories, scores.fields["body/1"].numbers
    assert light.nats["model"].value == pytest.approx(math.log(3))
    assert light.accuracy["copy"].value > light.accuracy["marginal"].value > 0.2
    assert scores.changed["light"].categories.accuracy["copy"].value < light.accuracy["copy"].value
    assert noise.root_mean_square["marginal"].value == pytest.approx(1, abs=0.15)
    assert noise.root_mean_square["copy"].value == pytest.approx(math.sqrt(2), abs=0.2)
    assert noise.near["marginal"].value == pytest.approx(norm.cdf(0.1) - norm.cdf(-0.1), abs=0.05)
    assert noise.nats["copy"].low < noise.nats["copy"].value < noise.nats["copy"].high
    assert scores.fields["body/0"].numbers.absolute["line"].value < 0.1 * noise.absolute["line"].value


def test_ratios_have_intervals_over_items():
    rng = np.random.default_rng(0)
    held = 0
    for trial in range(100):
        counts = rng.integers(1, 30, 60).astype(float)
        means = rng.normal(2, 1, 60)
        found = ItemSums(60, np.random.default_rng(trial)).ratio(counts * means, counts)
        held += found.low <= 2 <= found.high
    assert 86 <= held <= 99
    alone = ItemSums(1, rng).ratio(np.array([3.0]), np.array([2.0]))
    assert (alone.value, alone.low, alone.high) == (1.5, None, None)
    all_right = ItemSums(10, rng).share(np.full(10, 5.0), np.full(10, 5.0))
    assert all_right.value == 1 and all_right.low < 0.95 and all_right.high == pytest.approx(1)
