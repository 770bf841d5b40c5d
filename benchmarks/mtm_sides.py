"""The two sides of `mtm.py`, behind one protocol.

Legend: N windows, F frames, S numbers of an observation, A of an action, G of a mission, B rows, E elements, K targets.
"""

from __future__ import annotations

import importlib
import sys
import types
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from anyorder.build.masking import strategy_schedule
from anyorder.config import ElementModelConfig, MaskingConfig, TrainingConfig
from anyorder.elements.batch import Batch
from anyorder.elements.fields import EncodedFieldData, FieldLayout, frame_columns
from anyorder.elements.layout import Kind
from anyorder.elements.spec import Bins
from anyorder.errors import AnyOrderError
from anyorder.inference.bin_answers import BinAnswers
from anyorder.inference.decoding import ask
from anyorder.masking.order import Order
from anyorder.models.element.element_transformer import ElementTransformer
from anyorder.seeding import stream
from anyorder.training.loss import Weighting
from anyorder.training.optimizers import make_optimizer

MIXTURE: dict[str, float | dict[str, Any]] = {"cell": 0.3, "next_step": 0.7}
MTM_MASK_RATIOS = [0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95, 1.0]
MTM_MODE_WEIGHTS = (0.2, 0.1, 0.7)
MTM_WEIGHT_DECAY = 0.005
"""These and what `Theirs` gives its model: MTM's config.yaml."""


@dataclass(frozen=True)
class Windows:
    """What MTM reads: numbers in standard deviations, float32.

    Attributes:
        states: ``[N, F, 1, S]``.
        actions: ``[N, F - 1, 1, A]``.
        goals: ``[N, 1, 1, G]``.
    """

    states: Tensor
    actions: Tensor
    goals: Tensor

    @classmethod
    def of(cls, layout: FieldLayout) -> Windows:
        """From a batch of whole windows."""
        kind, frames = frame_columns(layout.spec).kind, layout.frame_shape.frames(layout.numbers)
        observed, acted = frames[..., kind == Kind.OBSERVATION], frames[:, :-1, kind == Kind.ACTION]
        return cls(observed[:, :, None], acted[:, :, None], layout.frame_shape.head(layout.numbers)[:, None, None])

    def tokens(self, index: Sequence[int] | slice = slice(None)) -> dict[str, Tensor]:
        """By MTM's names; nothing of goals where there are none."""
        found = {"states": self.states[index], "actions": self.actions[index], "goals": self.goals[index]}
        return {name: tensor for name, tensor in found.items() if tensor.shape[-1]}

    def in_place(self, layout: FieldLayout) -> Tensor:
        """float64 ``[B, E]``: the inverse of `of`; 0 where these windows say nothing."""
        kind, numbers = frame_columns(layout.spec).kind, torch.zeros(layout.shape, dtype=torch.float64)
        frames = layout.frame_shape.frames(numbers)
        frames[..., kind == Kind.OBSERVATION] = self.states[:, :, 0].double()
        frames[:, :-1, kind == Kind.ACTION] = self.actions[:, :, 0].double()
        layout.frame_shape.head(numbers)[:] = self.goals[:, 0, 0].double()
        return numbers


class Side(Protocol):
    """One of the models that are compared."""

    name: str
    model: nn.Module
    width: int
    rate: float
    data: EncodedFieldData
    held_out: EncodedFieldData

    def loss(self, index: list[int], number: int) -> Tensor:
        """Of the training windows ``index`` at update ``number``; its gradient is added to the parameters."""

    def step(self, factor: float) -> None:
        """Change the parameters, at this share of the peak learning rate."""

    def rebuilt(self, batch: Batch[FieldLayout], order: Order) -> tuple[Tensor, Tensor]:
        """float64 ``[K]`` each, in standard deviations: what is answered where squared, and where absolute errors count."""


class Ours:
    """The general model with some number of bins."""

    def __init__(self, name: str, data: EncodedFieldData, held_out: EncodedFieldData, sizes: ElementModelConfig) -> None:
        self.name, self.data, self.held_out = name, data, held_out
        self.config = TrainingConfig()
        self.width, self.rate = sizes.width, self.config.learning_rate
        torch.manual_seed(0)
        self.model = ElementTransformer(sizes, data.spec)
        self.optimizer = make_optimizer(self.model, self.config)
        self.strategy = strategy_schedule(MaskingConfig(mixture=MIXTURE), data.spec.names)(0.0)

    def loss(self, index: list[int], number: int) -> Tensor:
        batch = self.data.batch(index)
        order = self.strategy(batch.layout, stream(0, "order", number))
        logits = self.model(batch.values, batch.layout, order)
        loss = Weighting("kind").sums(logits, batch.values, batch.layout, order).mean()
        loss.backward()
        return loss.detach()

    def step(self, factor: float) -> None:
        nn.utils.clip_grad_norm_(self.model.parameters(), self.config.max_grad_norm)
        _step(self.optimizer, self.rate * factor)

    def rebuilt(self, batch: Batch[FieldLayout], order: Order) -> tuple[Tensor, Tensor]:
        logits, fields = ask(self.model, batch, order), batch.layout.attribute[order.targets]
        found = torch.zeros(2, len(logits), dtype=torch.float64)
        for number in fields.unique().tolist():
            values, chosen = batch.layout.spec.fields[number].values, fields == number
            assert isinstance(values, Bins)
            answers = BinAnswers.of(logits[chosen], values)
            guesses = torch.stack([answers.means(), answers.quantiles(0.5)[:, 0]])
            found[:, chosen] = (guesses - values.mean) / values.deviation
        return found[0], found[1]


class Theirs:
    """MTM, as published, at some learning rate."""

    def __init__(self, code: types.ModuleType, masks: types.ModuleType, ours: Ours, rate: float) -> None:
        self.name, self.data, self.held_out, self.masks, self.rate = f"MTM, {rate:g}", ours.data, ours.held_out, masks, rate
        self.windows = Windows.of(ours.data.batch(range(len(ours.data))).layout)
        self.num_frames, self.code = self.windows.states.shape[1], code
        shapes = {name: tuple(tensor.shape[2:]) for name, tensor in self.windows.tokens().items()}
        wanted = num_parameters(ours.model)
        with torch.device("meta"):
            sizes = {width: num_parameters(self._of_width(width, shapes)) for width in range(16, 513, 8)}
        torch.manual_seed(0)
        self.width = min(sizes, key=lambda width: abs(sizes[width] - wanted))
        self.model = self._of_width(self.width, shapes)
        self.optimizer = code.MTM.configure_optimizers(self.model, rate, MTM_WEIGHT_DECAY, (0.9, 0.999))
        self.draws = {name: shape for name, shape in shapes.items() if name != "goals"}

    def _of_width(self, width: int, shapes: dict[str, tuple[int, ...]]) -> nn.Module:
        sizes = {"n_embd": width, "n_head": 4, "n_enc_layer": 2, "n_dec_layer": 1, "dropout": 0.1, "norm": "none"}
        config = self.code.MTMConfig(**sizes, loss_keys=["states", "actions"])
        model: nn.Module = config.create(shapes, self.num_frames)
        return model

    def loss(self, index: list[int], number: int) -> Tensor:
        tokens = self.windows.tokens(index)
        np.random.seed(number)
        draw = self.masks.create_random_autoregressize_mask
        drawn = draw(self.draws, MTM_MASK_RATIOS, self.num_frames, "cpu", MTM_MODE_WEIGHTS)
        visible = self._visible(drawn["states"], drawn["actions"][:-1])
        predicted = self.model(tokens, visible)
        discrete = dict.fromkeys(tokens, False)
        loss = self.code.MTM.forward_loss(tokens, predicted, visible, discrete, "none", loss_keys=["states", "actions"])[0]
        loss.backward()
        return loss.detach()

    def step(self, factor: float) -> None:
        _step(self.optimizer, self.rate * factor)

    def rebuilt(self, batch: Batch[FieldLayout], order: Order) -> tuple[Tensor, Tensor]:
        """MTM shows all rows of a batch the same, and knows no ranks, so next actions take a pass for each step."""
        layout, windows = batch.layout, Windows.of(batch.layout)
        if order.ranks.any():
            actions = [self._next_action(windows, step) for step in range(self.num_frames - 1)]
            answers = replace(windows, actions=torch.stack(actions, dim=1))
        else:
            kind, hidden = frame_columns(layout.spec).kind, layout.frame_shape.frames(order.targets)[0]
            shown = [~hidden[:, kind == one][:, :1] for one in (Kind.OBSERVATION, Kind.ACTION)]
            answers = self._answers(windows, self._visible(shown[0], shown[1][:-1]))
        guesses = answers.in_place(layout)[order.targets]
        return guesses, guesses

    def _next_action(self, windows: Windows, step: int) -> Tensor:
        """``[B, 1, A]``"""
        time_ = torch.arange(self.num_frames)[:, None]
        return self._answers(windows, self._visible(time_ <= step, time_[:-1] < step)).actions[:, step]

    @torch.no_grad()
    def _answers(self, windows: Windows, visible: dict[str, Tensor]) -> Windows:
        found = self.model(windows.tokens(), visible)
        return Windows(found["states"], found["actions"], windows.goals)

    def _visible(self, states: Tensor, actions: Tensor) -> dict[str, Tensor]:
        """MTM's masks, 1 where a token is visible; of states ``[F, 1]`` and actions ``[F - 1, 1]``."""
        found = {"states": states.float(), "actions": actions.float()}
        return {**found, "goals": torch.ones(1, 1)} if self.windows.goals.shape[-1] else found


def num_parameters(model: nn.Module) -> int:
    """Those that learn."""
    return sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)


def _step(optimizer: torch.optim.Optimizer, rate: float) -> None:
    for group in optimizer.param_groups:
        group["lr"] = rate
    optimizer.step()
    optimizer.zero_grad()


def published(folder: Path) -> tuple[types.ModuleType, types.ModuleType]:
    """MTM's modules of the model and of the masks."""
    if not (folder / "research" / "mtm" / "models" / "mtm_model.py").is_file():
        raise AnyOrderError(
            f"--mtm must be a checkout of MTM; found none in {folder}; git clone https://github.com/facebookresearch/mtm"
        )
    sys.path.insert(0, str(folder.resolve()))
    # Its module of the model logs pictures to Weights & Biases, which nothing here does.
    sys.modules.setdefault("wandb", types.ModuleType("wandb"))
    return importlib.import_module("research.mtm.models.mtm_model"), importlib.import_module("research.mtm.masks")
