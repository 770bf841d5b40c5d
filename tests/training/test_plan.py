"""What each update sees is fixed before the first one runs."""

import math

import pytest

from anyorder.config import TrainingConfig
from anyorder.training.plan import learning_rate_factor, plan_updates


def test_each_epoch_sees_every_trajectory_once(encoded):
    config = TrainingConfig(num_epochs=3, frames_per_batch=20, accumulation=2)
    batches = [batch for update in plan_updates(encoded, config) for batch in update]
    per_epoch = len(batches) // 3
    epochs = [sorted(sum(batches[i * per_epoch : (i + 1) * per_epoch], [])) for i in range(3)]
    assert epochs == [list(range(len(encoded)))] * 3
    assert batches[:per_epoch] != batches[per_epoch : 2 * per_epoch], "every epoch is shuffled anew"


def test_an_update_gathers_as_many_batches_as_are_accumulated(encoded):
    single = plan_updates(encoded, TrainingConfig(num_epochs=2, frames_per_batch=20))
    double = plan_updates(encoded, TrainingConfig(num_epochs=2, frames_per_batch=20, accumulation=2))
    assert {len(update) for update in single} == {1}
    assert len(double) == math.ceil(len(single) / 2)
    assert [batch for update in double for batch in update] == [batch for (batch,) in single]


def test_the_learning_rate_warms_up_and_cools_down():
    """Ten updates of warm-up out of 110: 1/10, ..., 10/10, then half a cosine over the other hundred, down to 0.02."""
    factors = [learning_rate_factor(update, 110, 10) for update in range(110)]
    assert factors[:10] == pytest.approx([i / 10 for i in range(1, 11)])
    assert factors[10] == 1.0
    assert factors[60] == pytest.approx(0.02 + 0.98 / 2)
    assert factors[109] == pytest.approx(0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * 0.99)))
    assert learning_rate_factor(0, 5, 30) == 1.0, "a very short training has no warm-up"
    assert learning_rate_factor(0, 50, 30) == pytest.approx(1 / 5), "the warm-up is at most a tenth"
