"""Prints frames per second of training the grid model, on one thread: strategies in float32, in bf16, and their ratio.

Run with ``python benchmarks/train.py``; ``--little`` takes some seconds. Both precisions take turns at every update, and the
ratio is the median over the updates, so it can be trusted on a busy machine; the speeds only if nothing else runs.
"""

from __future__ import annotations

import argparse
import statistics
import time

import torch

from anyorder.build.runs import strategy_schedule
from anyorder.build.weighting import GRID_MODEL_BALANCE
from anyorder.config import MaskingConfig, ModelConfig, TrainingConfig
from anyorder.data.episodes import ExpertSource
from anyorder.elements.batch import Budget, EncodedTrajectories
from anyorder.elements.grid import GridVocabulary, object_elements
from anyorder.models.grid.grid_transformer import GridTransformer
from anyorder.seeding import stream
from anyorder.training.loss import Weighting
from anyorder.training.optimizers import make_optimizer

MIXTURES = {
    "default": MaskingConfig().mixture,
    "cell": {"cell": 1.0},
    "next_step": {"next_step": 1.0},
    "next_action": {"next_action": 1.0},
}
WARM_UP = 5


class Training:
    """A model and what an update of it needs."""

    def __init__(self, data: EncodedTrajectories, vocabulary: GridVocabulary, masking: MaskingConfig, low: bool) -> None:
        torch.manual_seed(0)
        self.data, self.low, config = data, low, TrainingConfig()
        self.model = GridTransformer(ModelConfig(), vocabulary, data.view)
        self.optimizer = make_optimizer(self.model, config)
        self.strategy = strategy_schedule(masking)(0.0)
        self.weighting = Weighting(GRID_MODEL_BALANCE, config.object_weight, objects=object_elements)

    def update(self, index: list[int], number: int) -> float:
        """Seconds of one update."""
        start = time.perf_counter()
        batch = self.data.batch(index)
        order = self.strategy(batch.layout, stream(0, "order", number))
        with torch.autocast("cpu", torch.bfloat16, enabled=self.low):
            logits = self.model(batch.values, batch.layout, order)
        self.weighting.sums(logits, batch.values, batch.layout, order).mean().backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        self.optimizer.zero_grad()
        return time.perf_counter() - start


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--little", action="store_true", help="a few updates only")
    little = options.parse_args().little
    torch.set_num_threads(1)
    trajectories = list(ExpertSource("BabyAI-GoToRedBall-v0", num_processes=1)(range(100 if little else 600)))
    vocabulary = GridVocabulary.of(trajectories)
    data = EncodedTrajectories(trajectories, vocabulary)
    batches = data.shuffled(Budget(TrainingConfig().frames_per_batch, "frames"), stream(0, "batches"))
    batches = (20 * batches)[: WARM_UP + (3 if little else 60)]
    print(f"{'mixture':<16}{'float32':>10}{'bf16':>10}{'ratio':>8}   frames/s")
    for name, mixture in MIXTURES.items():
        pair = [Training(data, vocabulary, MaskingConfig(mixture=mixture), low) for low in (False, True)]
        seconds = [[one.update(index, number) for one in pair] for number, index in enumerate(batches)][WARM_UP:]
        frames = [sum(data.lengths[i] for i in index) for index in batches[WARM_UP:]]
        rates = [statistics.median(n / s for n, s in zip(frames, of_one)) for of_one in zip(*seconds)]
        ratio = statistics.median(exact / low for exact, low in seconds)
        print(f"{name:<16}{rates[0]:>10,.0f}{rates[1]:>10,.0f}{ratio:>8.2f}", flush=True)


if __name__ == "__main__":
    main()
