"""Compares the grid model with published models that read a frame as one or two tokens, after equal CPU time: uniMASK (Carroll
et al. 2022) and MTM (Wu et al. 2023).

``git clone https://github.com/micahcarroll/uniMASK`` and ``git clone https://github.com/facebookresearch/mtm`` fetch the
published code; then run ``python benchmarks/peers.py --data FOLDER --unimask uniMASK --mtm mtm``, where FOLDER holds a data
set of a MiniGrid level. Without either, our model is measured alone; ``--little`` takes seconds. Each side trains from the
beginning for each budget of CPU seconds, one thread, with its learning rate warmed up and brought down within the budget, on
the same demonstrations, by the same loss.

What the models read of a frame is what each of its elements is, one-hot. A token of uniMASK is everything of a step at once,
zero where it is hidden; the mission's words are in every token. Masks are drawn as ours, but since it knows no ranks, a
trajectory whose actions are all asked for, each from its past, becomes one of whose actions a random one is. MTM has a token
for an observation, one for an action and one for the mission, and its own masks. It hides observations as a whole: asked for
some cells of each, it sees none of them.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import product
from pathlib import Path

import torch
from mtm_sides import num_parameters
from mtm_sides import published as mtm_code
from peers_sides import Frames, LastAction, OneHot, UniMaskFrames, at_a_random_rank, mtm_frames, mtm_order, unimask_model
from torch import nn

from anyorder.acting.policy import ModelPolicy
from anyorder.acting.rollout import roll_out
from anyorder.build.masking import strategy_schedule
from anyorder.build.weighting import GRID_MODEL_BALANCE
from anyorder.config import MaskingConfig, ModelConfig, TrainingConfig
from anyorder.data.manifest import read_manifest
from anyorder.data.storage import read_split
from anyorder.elements.batch import Budget, EncodedTrajectories
from anyorder.elements.grid import GridLayout, GridVocabulary, object_elements
from anyorder.elements.layout import Kind
from anyorder.errors import AnyOrderError
from anyorder.evaluation.statistics import Proportion
from anyorder.masking.order import Order, imitate
from anyorder.models.grid.grid_transformer import GridTransformer
from anyorder.seeding import stream
from anyorder.training.loss import Weighting
from anyorder.training.optimizers import make_optimizer
from anyorder.training.plan import learning_rate_factor

BUDGETS = (40.0, 90.0, 200.0)
OUR_MIXTURE = {"cell": 0.4, "next_step": 0.6}
PEER_MIXTURE = {"cell": 0.4, "next_action": 0.6}
PEER_RATE = 1e-3
PEER_BATCH, OUR_BATCH = 128, 32
"""Frames. Ours learns more from small ones in little time; the peers take many times as many frames in the same time."""
STEPS = 1000
"""Of a schedule of the learning rate, whose place is the share of the budget that is spent."""


Draw = Callable[[GridLayout, torch.Generator], Order]
"""Draws a training order."""


class Side:
    """A model in training."""

    def __init__(self, name: str, model: nn.Module, draw: Draw, rate: float, batch: int, optimizer: str) -> None:
        self.name, self.model, self.draw = f"{name}, {optimizer}", model, draw
        self.config = TrainingConfig(learning_rate=rate, frames_per_batch=batch, optimizer=optimizer)  # type: ignore[arg-type]
        self.optimizer = make_optimizer(model, self.config)  # type: ignore[arg-type]
        self.peaks = [group["lr"] for group in self.optimizer.param_groups]
        self.weighting = Weighting(GRID_MODEL_BALANCE, self.config.object_weight, objects=object_elements)

    def train(self, data: EncodedTrajectories, seconds: float, seed: int) -> int:
        """Train for so many CPU seconds; returns the number of frames."""
        self.model.train()
        start, update, epoch, frames = time.process_time(), 0, 0, 0
        while True:
            budget = Budget(self.config.frames_per_batch, "frames")
            for index in data.shuffled(budget, stream(seed, "batches", epoch)):
                spent = (time.process_time() - start) / seconds
                if spent >= 1:
                    return frames
                self._update(data, index, spent, seed, update)
                update, frames = update + 1, frames + sum(data.lengths[i] for i in index)
            epoch += 1

    def _update(self, data: EncodedTrajectories, index: list[int], spent: float, seed: int, update: int) -> None:
        factor = learning_rate_factor(int(spent * STEPS), STEPS, self.config.warmup_updates)
        for group, peak in zip(self.optimizer.param_groups, self.peaks):
            group["lr"] = peak * factor
        batch = data.batch(index)
        order = self.draw(batch.layout, stream(seed, "order", update))
        logits = self.model(batch.values, batch.layout, order)
        self.weighting.sums(logits, batch.values, batch.layout, order).mean().backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), self.config.max_grad_norm)
        self.optimizer.step()
        self.optimizer.zero_grad()


@torch.no_grad()
def scores(model: nn.Module, data: EncodedTrajectories) -> dict[str, Proportion]:
    """Next actions from the past; cells of which everything is hidden, and those that hold an object, at a rate of 0.30."""
    model.eval()
    right, count = torch.zeros(3), torch.zeros(3)
    hide = strategy_schedule(MaskingConfig(mixture={"cell": 1.0}))(0.0)
    for number, index in enumerate(data.in_order(Budget(512, "frames"))):
        batch = data.batch(index)
        for kind, order in enumerate((imitate(batch.layout), hide(batch.layout, stream(0, "validation", number)))):
            guesses = batch.values.clone()
            guesses[order.targets] = model(batch.values, batch.layout, order).argmax(dim=-1)
            correct, layout = guesses == batch.values, batch.layout
            if kind == 0:
                asked = order.targets & layout.of_kind(Kind.ACTION)
                right[0], count[0] = right[0] + (correct & asked).sum(), count[0] + asked.sum()
                continue
            cells = layout.grid.cells
            asked = cells(order.targets).any(dim=-1)
            all_right = cells(correct).all(dim=-1)
            for place, chosen in ((1, asked), (2, asked & cells(object_elements(batch.values, layout)).any(dim=-1))):
                right[place], count[place] = right[place] + (all_right & chosen).sum(), count[place] + chosen.sum()
    names = ("next actions", "hidden cells", "hidden objects")
    return {name: Proportion(int(r), int(n)) for name, r, n in zip(names, right, count)}


def success(model: nn.Module, env_id: str, episodes: int) -> Proportion:
    """Of playing episodes of seeds that nobody was trained on."""
    policy = (LastAction if isinstance(model, Frames) else ModelPolicy)(model)  # type: ignore[arg-type]
    played = roll_out(policy, env_id, range(30_000_000, 30_000_000 + episodes))
    return Proportion(sum(trajectory.success for trajectory in played), episodes)


@dataclass(frozen=True)
class Published:
    """The checkouts of the peers, of which each may be missing."""

    unimask: Path | None
    mtm: Path | None

    def sides(self, vocabulary: GridVocabulary, view: tuple[int, int], optimizer: str, seed: int) -> Iterator[Side]:
        """Ours, and each peer that is there, with one optimizer."""
        torch.manual_seed(seed)
        model = GridTransformer(ModelConfig(), vocabulary, view)
        yield Side("ours", model, _strategy(OUR_MIXTURE), TrainingConfig().learning_rate, OUR_BATCH, optimizer)
        if self.unimask is not None:
            torch.manual_seed(seed)
            net = unimask_model(self.unimask)(OneHot(vocabulary, view).num_columns + len(vocabulary.words))
            draw = partial(_one_rank, _strategy(PEER_MIXTURE))
            yield Side("uniMASK", UniMaskFrames(net, vocabulary, view), draw, PEER_RATE, PEER_BATCH, optimizer)
        if self.mtm is not None:
            torch.manual_seed(seed)
            code, masks = mtm_code(self.mtm)
            frames = mtm_frames(code, vocabulary, view, num_parameters(model))
            yield Side("MTM", frames, partial(mtm_order, masks), PEER_RATE, PEER_BATCH, optimizer)


def _strategy(mixture: dict[str, float]) -> Draw:
    return strategy_schedule(MaskingConfig(mixture=dict(mixture)))(0.0)


def _one_rank(strategy: Draw, layout: GridLayout, generator: torch.Generator) -> Order:
    return at_a_random_rank(strategy(layout, generator), generator)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--data", type=Path, required=True)
    options.add_argument("--unimask", type=Path, help="a checkout of uniMASK")
    options.add_argument("--mtm", type=Path, help="a checkout of MTM")
    options.add_argument("--seconds", type=float, nargs="+", default=BUDGETS, help="of CPU time")
    options.add_argument("--seeds", type=int, nargs="+", default=[0])
    options.add_argument("--optimizers", nargs="+", choices=["muon", "adamw"], default=["muon", "adamw"])
    options.add_argument("--episodes", type=int, default=200)
    options.add_argument("--little", action="store_true", help="a second of each")
    chosen = options.parse_args()
    torch.set_num_threads(1)
    budgets, episodes = ((1.0,), 4) if chosen.little else (chosen.seconds, chosen.episodes)
    train, held_out = (read_split(chosen.data, split) for split in ("train", "validation"))
    vocabulary, env_id = GridVocabulary.of(train), read_manifest(chosen.data).env_id
    data, validation = EncodedTrajectories(train, vocabulary), EncodedTrajectories(held_out, vocabulary)
    columns = ("", "seed", "CPU seconds", "frames/s", "next actions", "hidden cells", "hidden objects", "success")
    print("| " + " | ".join(columns) + " |\n" + "|---" * len(columns) + "|")
    for seconds, seed, optimizer in product(budgets, chosen.seeds, chosen.optimizers):
        for side in Published(chosen.unimask, chosen.mtm).sides(vocabulary, data.view, optimizer, seed):
            frames_per_second = side.train(data, seconds, seed) / seconds
            found = scores(side.model, validation)
            found["success"] = success(side.model, env_id, episodes)
            shares = " | ".join(f"{100 * share.rate:.1f}%" for share in found.values())
            print(f"| {side.name} | {seed} | {seconds:g} | {frames_per_second:,.0f} | {shares} |", flush=True)


if __name__ == "__main__":
    try:
        main()
    except AnyOrderError as error:
        raise SystemExit(f"error: {error}") from None
