"""What each update sees is fixed before the first one runs."""

import math

import pytest

from anyorder.config import TrainingConfig
from anyorder.elements.batch import Budget, EncodedTrajectories
from anyorder.training.plan import learning_rate_factor, plan_updates

BUDGET = Budget(20, "frames")


def test_each_epoch_sees_every_trajectory_once(encoded):
    config = TrainingConfig(num_epochs=3, accumulation=2)
    batches = [batch for update in plan_updates(encoded, BUDGET, config) for batch in update]
    per_epoch = len(batches) // 3
    epochs = [sorted(index for batch in batches[i * per_epoch : (i + 1) * per_epoch] for index in batch) for i in range(3)]
    assert epochs == [list(range(len(encoded)))] * 3
    assert batches[:per_epoch] != batches[per_epoch : 2 * per_epoch], "every epoch is shuffled anew"


def test_an_update_gathers_as_many_batches_as_are_accumulated(encoded):
    single = plan_updates(encoded, BUDGET, TrainingConfig(num_epochs=2))
    double = plan_updates(encoded, BUDGET, TrainingConfig(num_epochs=2, accumulation=2))
    assert {len(update) for update in single} == {1}
    assert len(double) == math.ceil(len(single) / 2)
    assert [batch for update in double for batch in update] == [batch for (batch,) in single]


@pytest.mark.parametrize("num_updates", [1, 7, 30])
def test_a_number_of_updates_is_filled_with_passes_over_the_data(encoded, num_updates):
    settings = {"accumulation": 2}
    found = plan_updates(encoded, BUDGET, TrainingConfig(num_updates=num_updates, num_epochs=1, **settings))
    long = plan_updates(encoded, BUDGET, TrainingConfig(num_epochs=40, **settings))
    assert len(found) == num_updates and found == long[:num_updates]


def test_few_and_many_demonstrations_train_equally_long(encoded, trajectories, vocabulary):
    few, config = (
        EncodedTrajectories(trajectories[:3], vocabulary),
        TrainingConfig(
            num_updates=12,
        ),
    )
    frames = [
        sum(data.lengths[i] for update in plan_updates(data, BUDGET, config) for batch in update for i in batch)
        for data in (few, encoded)
    ]
    assert len(plan_updates(few, BUDGET, config)) == len(plan_updates(encoded, BUDGET, config)) == 12
    assert frames[0] == pytest.approx(frames[1], rel=0.5), "batches are full either way"


def test_the_learning_rate_warms_up_and_cools_down():
    """Ten updates of warm-up out of 110: 1/10, ..., 10/10, then half a cosine over the other hundred, down to 0.02."""
    factors = [learning_rate_factor(update, 110, 10) for update in range(110)]
    assert factors[:10] == pytest.approx([i / 10 for i in range(1, 11)])
    assert factors[10] == 1.0
    assert factors[60] == pytest.approx(0.02 + 0.98 / 2)
    assert factors[109] == pytest.approx(0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * 0.99)))
    assert learning_rate_factor(0, 5, 30) == 1.0, "a very short training has no warm-up"
    assert learning_rate_factor(0, 50, 30) == pytest.approx(1 / 5), "the warm-up is at most a tenth"
