"""Prints how long each strategy takes to draw an order, and which share of an update that is, on one thread.

Run with ``python benchmarks/orders.py``; ``--little`` takes some seconds. Figures are medians; compare only figures of one run.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from dataclasses import fields

import torch

from anyorder.config import ModelConfig, TrainingConfig
from anyorder.data.episodes import ExpertSource
from anyorder.elements.batch import Budget, EncodedTrajectories
from anyorder.elements.grid import GridVocabulary, object_elements
from anyorder.elements.layout import Kind
from anyorder.masking.schedules import AntitheticRate, Rate
from anyorder.masking.strategies import (
    STRATEGIES,
    AtOnce,
    ByMission,
    Cell,
    Cut,
    Damaged,
    ForwardDynamics,
    GoalConditioned,
    KnownReturns,
    Mixture,
    NextAction,
    NextStep,
    Only,
    ReturnConditioned,
    Strategy,
    Waypoint,
    Window,
    WithoutMission,
)
from anyorder.models.grid.grid_transformer import GridTransformer
from anyorder.seeding import stream
from anyorder.training.loss import Weighting
from anyorder.training.optimizers import make_optimizer

RATE = Rate(0.3, 0.3)
REQUIRED = {"rate": RATE, "length": 2}
"""Values for the fields of strategies that have no default."""
COMPOSED = {
    "mixture": Mixture([Cell(RATE), NextAction()], [0.5, 0.5]),
    "only": Only(NextStep(), kinds=[Kind.OBSERVATION]),
    "by_mission": ByMission({"red": Cell(RATE)}, NextAction()),
    "without_mission": WithoutMission(Cell(RATE), RATE),
    "window": Window(ForwardDynamics(), 2),
    "at_once": AtOnce(GoalConditioned(history=False)),
    "damaged": Damaged(NextStep(), RATE),
    "cut": Cut(Cell(RATE)),
}
"""Strategies that are made of other strategies."""
VARIANTS = {
    "antithetic cell": Cell(AntitheticRate(0.0, 1.0)),
    "window of cells": Window(Cell(RATE), 4),
    "waypoint, no history": Waypoint(history=False),
    "returns of the episode": ReturnConditioned(KnownReturns.EPISODE),
    "first return": ReturnConditioned(KnownReturns.FIRST),
}


def strategies() -> dict[str, Strategy]:
    """Every strategy of `STRATEGIES`, then some with other settings."""
    alone = {
        name: cls(**{f.name: REQUIRED[f.name] for f in fields(cls) if f.name in REQUIRED})
        for name, cls in STRATEGIES.items()
        if name not in COMPOSED
    }
    return alone | COMPOSED | VARIANTS


def median_seconds(action: Callable[[int], None], repeats: int) -> float:
    """Median seconds of ``repeats`` calls ``action(number)``, after five calls that warm up."""
    seconds = []
    for number in range(repeats + 5):
        start = time.perf_counter()
        action(number)
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds[5:])


def seconds_per_update(data: EncodedTrajectories, vocabulary: GridVocabulary, index: list[int]) -> float:
    """Median seconds of one update of the default model, the drawing of its order included."""
    model = GridTransformer(ModelConfig(), vocabulary, data.view)
    optimizer, weighting = make_optimizer(model, TrainingConfig()), Weighting("kind", 3.0, objects=object_elements)
    batch = data.batch(index)

    def update(number: int) -> None:
        order = COMPOSED["mixture"](batch.layout, stream(0, "order", number))
        logits = model(batch.values, batch.layout, order)
        weighting.sums(logits, batch.values, batch.layout, order).mean().backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()

    return median_seconds(update, 20)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--little", action="store_true", help="a few draws only")
    repeats = 6 if options.parse_args().little else 50
    torch.set_num_threads(1)
    trajectories = list(ExpertSource("BabyAI-GoToRedBall-v0", num_processes=1)(range(200)))
    vocabulary = GridVocabulary.of(trajectories)
    data = EncodedTrajectories(trajectories, vocabulary)
    index = next(index for index in data.shuffled(Budget(128, "frames"), stream(0, "benchmark")) if 10 <= len(index) <= 16)
    layout = data.batch(index).layout
    update = seconds_per_update(data, vocabulary, index)
    print(
        f"{len(index)} trajectories, {layout.grid.num_frames} frames, {layout.shape[1]} elements each;"
        f" an update takes {1e3 * update:.1f} ms"
    )
    for name, strategy in strategies().items():
        seconds = median_seconds(
            lambda number, name=name, strategy=strategy: strategy(layout, stream(0, name, number)), repeats
        )
        print(f"{name:22} {1e3 * seconds:5.2f} ms  {seconds / update:5.1%}")


if __name__ == "__main__":
    main()
