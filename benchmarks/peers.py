"""Compares the grid model with uniMASK (Carroll et al. 2022), which reads a frame as one token, after equal CPU time.

``git clone https://github.com/micahcarroll/uniMASK`` fetches the published code; then run ``python benchmarks/peers.py --data
FOLDER --unimask uniMASK``, where FOLDER holds a data set of a MiniGrid level. Without ``--unimask`` our model is measured
alone; ``--little`` takes seconds. Each side trains from the beginning for each budget of CPU seconds, one thread, with its
learning rate warmed up and brought down within the budget, on the same demonstrations.

A token of uniMASK is everything of a step at once: what each element is, one-hot, zero where it is hidden; the mission's words
are in every token. Its model is the published one; masks are drawn as ours, but since it knows no ranks, a trajectory whose
actions are all asked for, each from its past, becomes one of whose actions a random one is.

Legend: B trajectories, E elements, F frames, K targets, V vocabulary, C columns of a token.
"""

from __future__ import annotations

import argparse
import importlib.util
import sys
import time
import types
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from anyorder.acting.policy import History, ModelPolicy
from anyorder.acting.rollout import roll_out
from anyorder.build.masking import strategy_schedule
from anyorder.build.weighting import GRID_MODEL_BALANCE
from anyorder.config import MaskingConfig, ModelConfig, TrainingConfig
from anyorder.data.manifest import read_manifest
from anyorder.data.storage import read_split
from anyorder.elements.batch import Budget, EncodedTrajectories
from anyorder.elements.grid import AFTER_CELLS, Attribute, GridLayout, GridVocabulary, object_elements
from anyorder.elements.layout import Kind
from anyorder.errors import AnyOrderError
from anyorder.evaluation.statistics import Proportion
from anyorder.masking.order import Order, Role, imitate
from anyorder.models.grid.grid_transformer import GridTransformer
from anyorder.models.parameters import ParameterGroup, without
from anyorder.seeding import stream
from anyorder.training.loss import Weighting
from anyorder.training.optimizers import make_optimizer
from anyorder.training.plan import learning_rate_factor

BUDGETS = (40.0, 90.0, 200.0)
OUR_MIXTURE = {"cell": 0.4, "next_step": 0.6}
PEER_MIXTURE = {"cell": 0.4, "next_action": 0.6}
PEER_SIZES = {"embed_dim": 128, "nheads": 8, "nlayers": 2, "feedforward_nhid": 256, "dropout": 0.0}
PEER_RATE = 1e-3
PEER_BATCH, OUR_BATCH = 128, 32
"""Frames. Ours learns more from small ones in little time; the peer takes five times as many frames in the same time."""
STEPS = 1000
"""Of a schedule of the learning rate, whose place is the share of the budget that is spent."""


class Frames(nn.Module):
    """uniMASK's model, which asks and answers as ours does.

    Args:
        net: of the class ``uniMASKModel``, with C columns.
        vocabulary, view: of the data.
    """

    max_frames = None

    def __init__(self, net: nn.Module, vocabulary: GridVocabulary, view: tuple[int, int]) -> None:
        super().__init__()
        self.net, self.vocabulary, self.view = net, vocabulary, view
        self.attributes = torch.tensor(_attributes(view))
        allowed = vocabulary.allowed()[self.attributes]
        sizes = allowed.sum(dim=1)
        first = sizes.cumsum(0) - sizes
        values = torch.arange(len(vocabulary))
        # Which column says that an element of a frame has a value; one beyond all for values that it cannot have.
        beyond = self.num_columns(vocabulary, view)
        offsets = torch.tensor([vocabulary.offsets[Attribute(a)] for a in self.attributes.tolist()])
        self.columns = torch.where(allowed, first[:, None] + values - offsets[:, None], beyond)

    @staticmethod
    def num_columns(vocabulary: GridVocabulary, view: tuple[int, int]) -> int:
        """C: those of a frame's elements, then one for every word."""
        return int(vocabulary.allowed()[_attributes(view)].sum()) + len(vocabulary.words)

    def forward(self, values: Tensor, layout: GridLayout, order: Order) -> Tensor:
        """See `anyorder.models.contract.Model`; one pass for each rank that has targets."""
        targets = order.targets
        found = torch.empty(len(targets), targets.shape[1], len(self.vocabulary))
        for rank in order.ranks[targets].unique():
            alone = at_rank(order, rank.expand(len(targets)))
            found[alone.targets] = self.at_once(values, layout, alone)
        return found[targets]

    def at_once(self, values: Tensor, layout: GridLayout, order: Order) -> Tensor:
        """The same where all ranks are equal."""
        shape = layout.grid
        shown = order.roles == Role.CONTEXT
        tokens = torch.zeros(*shape.frames(values).shape[:2], self.num_columns(self.vocabulary, self.view) + 1)
        frames, visible = shape.frames(values), shape.frames(shown)
        element = torch.arange(frames.shape[2])
        tokens.scatter_(2, self.columns[element, frames].where(visible, tokens.shape[2] - 1), 1.0)
        words = shape.words(values) - self.vocabulary.offsets[Attribute.WORD]
        bag = torch.zeros(len(values), len(self.vocabulary.words))
        bag.scatter_add_(1, words.clamp(min=0), shape.words(shown).float())
        tokens = torch.cat([tokens[..., : -1 - bag.shape[1]], bag[:, None].expand(-1, tokens.shape[1], -1)], dim=2)
        batch = _Batch((tokens, None))
        self.net(batch)
        row, number = order.targets.nonzero(as_tuple=True)
        step, within = (number - shape.num_words) // shape.per_frame, (number - shape.num_words) % shape.per_frame
        answers = nn.functional.pad(batch.answers[row, step], (0, 1), value=-torch.inf)
        return answers.gather(1, self.columns[within])

    def parameter_groups(self) -> list[ParameterGroup]:
        inner: nn.Module = self.net.transformer_encoder  # type: ignore[assignment]
        hidden = [parameter for parameter in inner.parameters() if parameter.ndim == 2]
        others = without(self.net.parameters(), hidden)
        return [ParameterGroup(hidden, decays=False, is_hidden=True), ParameterGroup(others, decays=False)]

    def check(self, view: tuple[int, int], num_words: int) -> None:
        """Every mission will do."""

    def check_order(self, layout: GridLayout, order: Order) -> None:
        """So will every order."""


class _Batch:
    """What uniMASK's model reads and writes."""

    def __init__(self, model_input: tuple[Tensor, None]) -> None:
        self.model_input = model_input

    def add_model_output(self, answers: Tensor) -> None:
        self.answers = answers


class LastAction(ModelPolicy):
    """Asks for nothing but the next action, since every rank costs a pass."""

    def order(self, layout: GridLayout, histories: list[History]) -> Order:
        order = super().order(layout, histories)
        last = torch.tensor([len(history) - 1 for history in histories])[:, None]
        known = order.targets & (layout.step < last)
        return Order(order.roles.masked_fill(known, int(Role.CONTEXT)), order.ranks)


def _attributes(view: tuple[int, int]) -> list[int]:
    """Of the elements of a frame."""
    cell = [Attribute.OBJECT, Attribute.COLOR, Attribute.STATE]
    after = [Attribute.DIRECTION, Attribute.RETURN, Attribute.ACTION]
    assert len(after) == AFTER_CELLS
    return cell * (view[0] * view[1]) + after


def at_rank(order: Order, rank: Tensor) -> Order:
    """What the targets of one rank of each trajectory (int ``[B]``) see, as an order of equal ranks; all others are hidden."""
    own, roles, hidden = rank[:, None], order.roles, int(Role.HIDDEN)
    roles = torch.where(order.targets & (order.ranks < own), int(Role.CONTEXT), roles)
    unseen = ((roles == Role.CONTEXT) & (order.ranks > own)) | ((roles == Role.TARGET) & (order.ranks != own))
    return Order(roles.masked_fill(unseen, hidden), torch.zeros_like(order.ranks))


def at_a_random_rank(order: Order, generator: torch.Generator) -> Order:
    """`at_rank` of a random one among the ranks that have targets."""
    draws = torch.rand(order.roles.shape, generator=generator).masked_fill(~order.targets, -1.0)
    return at_rank(order, order.ranks.gather(1, draws.argmax(dim=1, keepdim=True))[:, 0])


def published(folder: Path) -> Callable[..., nn.Module]:
    """The class of uniMASK's model. Of its other modules, whose needs are old, the model's file reads a few names alone."""
    path = folder / "uniMASK" / "transformer.py"
    if not path.is_file():
        raise AnyOrderError(
            f"--unimask must be a checkout of uniMASK; found none in {folder}; git clone https://github.com/micahcarroll/uniMASK"
        )
    names = {
        "uniMASK": {},
        "uniMASK.utils": {"LOCAL": False, "DEVICE": "cpu", "load_from_json": None, "save_as_json": None},
        "uniMASK.batches": {"DTActionPred": None, "FuturePred": None},
        "uniMASK.sequences": {"MASKED_VALUE": 0},
    }
    for name, values in names.items():
        module = types.ModuleType(name)
        vars(module).update(values)
        sys.modules[name] = module
    sys.modules["uniMASK"].utils = sys.modules["uniMASK.utils"]  # type: ignore[attr-defined]
    spec = importlib.util.spec_from_file_location("uniMASK.transformer", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    found: Callable[..., nn.Module] = module.uniMASKModel
    return found


class Side:
    """A model in training."""

    def __init__(
        self, name: str, model: nn.Module, mixture: dict[str, float], rate: float, batch: int, one_rank: bool, optimizer: str
    ) -> None:
        self.name, self.model, self.one_rank = f"{name}, {optimizer}", model, one_rank
        self.config = TrainingConfig(learning_rate=rate, frames_per_batch=batch, optimizer=optimizer)  # type: ignore[arg-type]
        self.strategy = strategy_schedule(MaskingConfig(mixture=dict(mixture)))(0.0)
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
        order = self.strategy(batch.layout, stream(seed, "order", update))
        if self.one_rank:
            order = at_a_random_rank(order, stream(seed, "rank", update))
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


def success(model: nn.Module, one_rank: bool, env_id: str, episodes: int) -> Proportion:
    """Of playing episodes of seeds that nobody was trained on."""
    policy = (LastAction if one_rank else ModelPolicy)(model)  # type: ignore[arg-type]
    played = roll_out(policy, env_id, range(30_000_000, 30_000_000 + episodes))
    return Proportion(sum(trajectory.success for trajectory in played), episodes)


def sides_of(
    vocabulary: GridVocabulary,
    view: tuple[int, int],
    theirs: Callable[..., nn.Module] | None,
    optimizers: Sequence[str],
    seed: int,
) -> Iterator[Side]:
    """Each model with each optimizer."""
    for optimizer in optimizers:
        torch.manual_seed(seed)
        rate = TrainingConfig().learning_rate
        yield Side("ours", GridTransformer(ModelConfig(), vocabulary, view), OUR_MIXTURE, rate, OUR_BATCH, False, optimizer)
        if theirs is not None:
            net = theirs(Frames.num_columns(vocabulary, view), action_tanh=False, **PEER_SIZES)
            yield Side("uniMASK", Frames(net, vocabulary, view), PEER_MIXTURE, PEER_RATE, PEER_BATCH, True, optimizer)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--data", type=Path, required=True)
    options.add_argument("--unimask", type=Path, help="a checkout of uniMASK")
    options.add_argument("--seconds", type=float, nargs="+", default=BUDGETS, help="of CPU time")
    options.add_argument("--seeds", type=int, nargs="+", default=[0])
    options.add_argument("--optimizers", nargs="+", choices=["muon", "adamw"], default=["muon", "adamw"])
    options.add_argument("--episodes", type=int, default=200)
    options.add_argument("--little", action="store_true", help="a second of each")
    chosen = options.parse_args()
    torch.set_num_threads(1)
    try:
        theirs = published(chosen.unimask) if chosen.unimask else None
    except AnyOrderError as error:
        raise SystemExit(f"error: {error}") from None
    budgets, episodes = ((1.0,), 4) if chosen.little else (chosen.seconds, chosen.episodes)
    train, held_out = (read_split(chosen.data, split) for split in ("train", "validation"))
    vocabulary, env_id = GridVocabulary.of(train), read_manifest(chosen.data).env_id
    data, validation = EncodedTrajectories(train, vocabulary), EncodedTrajectories(held_out, vocabulary)
    columns = ("", "seed", "CPU seconds", "frames/s", "next actions", "hidden cells", "hidden objects", "success")
    print("| " + " | ".join(columns) + " |\n" + "|---" * len(columns) + "|")
    for seconds in budgets:
        for seed in chosen.seeds:
            for side in sides_of(vocabulary, data.view, theirs, chosen.optimizers, seed):
                frames_per_second = side.train(data, seconds, seed) / seconds
                found = scores(side.model, validation)
                found["success"] = success(side.model, side.one_rank, env_id, episodes)
                shares = " | ".join(f"{100 * share.rate:.1f}%" for share in found.values())
                print(f"| {side.name} | {seed} | {seconds:g} | {frames_per_second:,.0f} | {shares} |", flush=True)


if __name__ == "__main__":
    main()
