"""Prints frames per second of training updates for several sizes of the grid model, on one thread.

Run with ``python benchmarks/train.py``. Figures are medians of 20 updates; compare only figures of one run.
"""

from __future__ import annotations

import statistics
import time

import torch

from anyorder.config import ModelConfig, TrainingConfig
from anyorder.data.episodes import ExpertSource
from anyorder.elements.batch import Budget, EncodedTrajectories
from anyorder.elements.grid import GridVocabulary
from anyorder.masking.schedules import Rate
from anyorder.masking.strategies import Cell, Mixture, NextAction
from anyorder.models.grid.grid_transformer import GridTransformer
from anyorder.seeding import stream
from anyorder.training.loss import Weighting
from anyorder.training.trainer import make_optimizer

SIZES = [(48, 2), (48, 3), (64, 3)]


def frames_per_second(data: EncodedTrajectories, vocabulary: GridVocabulary, config: ModelConfig) -> tuple[float, float]:
    """Frames per second, and the share of the time that went into drawing orders."""
    model = GridTransformer(config, vocabulary, data.view)
    optimizer = make_optimizer(model, TrainingConfig())
    strategy, weighting = Mixture([Cell(Rate(0.3, 0.3)), NextAction()], [0.5, 0.5]), Weighting("kind", 3.0)
    rates, shares = [], []
    for number, index in enumerate(data.shuffled(Budget(128, "frames"), stream(0, "benchmark"))[:25]):
        start = time.perf_counter()
        batch = data.batch(index)
        before = time.perf_counter()
        order = strategy(batch.layout, stream(0, "order", number))
        drawn = time.perf_counter() - before
        logits = model(batch.values, batch.layout, order)
        weighting.sums(logits, batch.values, batch.layout, order).mean().backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        if number >= 5:  # the first ones warm up
            seconds = time.perf_counter() - start
            rates.append(sum(data.lengths[i] for i in index) / seconds)
            shares.append(drawn / seconds)
    return statistics.median(rates), statistics.median(shares)


def main() -> None:
    torch.set_num_threads(1)
    trajectories = list(ExpertSource("BabyAI-GoToRedBall-v0", num_processes=1)(range(600)))
    vocabulary = GridVocabulary.of(trajectories)
    data = EncodedTrajectories(trajectories, vocabulary)
    for width, num_layers in SIZES:
        rate, share = frames_per_second(data, vocabulary, ModelConfig(width=width, num_layers=num_layers))
        print(f"width {width}, {num_layers} layers: {rate:6.0f} frames/s, {share:.1%} of it drawing orders")


if __name__ == "__main__":
    main()
