"""Acting without thinking the past over again: each observation is computed once and remembered.

When actions are asked for, nothing sees what comes after it (`anyorder.masking.order.imitate`), so what the model
computes for a frame never changes. Of the past, a new frame needs two things only: from the last frame, the memory of its
cells at each layer; from all steps, the keys and values of their registers and actions. `Memories` keeps them. The logits are
those of `ModelPolicy`.

Legend: N episodes, S cells of a view, L layers, H heads, D width, A transition symbols.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from anyorder.acting.memories import Hold, Memories
from anyorder.acting.policy import History, ModelPolicy, SampledPolicy
from anyorder.elements.grid import AFTER_CELLS, Attribute
from anyorder.models.contract import GridModel
from anyorder.models.grid.grid_transformer import GridTransformer, Layer
from anyorder.models.grid.guesses import mixed
from anyorder.models.grid.registers import Reader
from anyorder.models.grid.visibility import NUM_SYMBOLS, UNKNOWN_ACTION

EPISODES_PER_PASS = 256
MISSIONS_KEPT = 1000


def quickest_policy(
    model: GridModel, temperature: float = 0.0, seed: int = 0, tried_penalty: float = 0.0
) -> SampledPolicy[Any]:
    """The fastest policy for this model: `StepwisePolicy` for a `GridTransformer`, `ModelPolicy` for others. Arguments as of
    `SampledPolicy`."""
    if isinstance(model, GridTransformer):
        return StepwisePolicy(model, temperature, seed, tried_penalty)
    return ModelPolicy(model, temperature, seed, tried_penalty)


class _RememberedHistory(History):
    """A history that carries what the model remembers of it."""

    memory: Hold


class StepwisePolicy(SampledPolicy[_RememberedHistory]):
    """The same actions as `ModelPolicy`, each step at the cost of one frame instead of the whole history. Arguments as of
    `SampledPolicy`."""

    model: GridTransformer

    def __init__(self, model: GridTransformer, temperature: float = 0.0, seed: int = 0, tried_penalty: float = 0.0) -> None:
        super().__init__(model, temperature, seed, tried_penalty)
        self._layers = [cast(Layer, layer) for layer in model.layers]  # a ModuleList does not say what it holds
        self._readers: list[Reader] = [*(layer.reader for layer in self._layers), model.last_reader]
        self._memories: Memories | None = None
        self._missions: dict[str, tuple[Tensor, Tensor]] = {}

    @torch.no_grad()
    def start(self, mission: str) -> _RememberedHistory:
        history = _RememberedHistory(self.model.vocabulary, mission)
        keys_values, modulation = self._of_mission(history)
        if self._memories is None:
            sizes = len(self._layers), self.model.config.num_heads, len(self.model.cell_position)
            self._memories = Memories(modulation, *sizes)
        history.memory = self._memories.begin(keys_values, modulation)
        return history

    def _of_mission(self, history: History) -> tuple[Tensor, Tensor]:
        """See `Memories.begin`. Levels repeat their missions, so they are kept: the weights of a policy never change."""
        if history.mission not in self._missions:
            if len(self._missions) == MISSIONS_KEPT:
                self._missions.clear()
            model = self.model
            words = history.words().to(model.head.weight.device)
            embedded = model.embedding(words) + model.word_position[: len(words)]
            keys_values = torch.stack([reader.keys_values(embedded) for reader in self._readers])
            modulation = model.mission(embedded[None], torch.ones_like(words, dtype=torch.bool)[None])[0]
            self._missions[history.mission] = keys_values, modulation
        return self._missions[history.mission]

    @torch.no_grad()
    def all_logits(self, histories: Sequence[_RememberedHistory]) -> Tensor:
        """See `SampledPolicy`; the histories come from `start`."""
        assert self._memories is not None, "the histories must come from `start`"
        kernels = self.model.kernels()[0]
        by_row = sorted(histories, key=lambda history: history.memory.row.number)
        while behind := [history for history in by_row if history.memory.row.num_frames < len(history)]:
            for first in range(0, len(behind), EPISODES_PER_PASS):
                self._advance(self._memories, behind[first : first + EPISODES_PER_PASS], kernels)
        return self._memories.logits[[history.memory.row.number for history in histories]].float().cpu()

    def _advance(self, memories: Memories, histories: Sequence[_RememberedHistory], kernels: Tensor) -> None:
        """Compute the next frame of each episode; ``kernels`` is ``[A + 1, H, S, S]``, from the past."""
        model = self.model
        cells, registers, arrival = self._embed_new_frames(histories)
        present = memories.next_frames([history.memory.row for history in histories])
        present.remember_actions(*self._last_actions(histories))
        mission, hidden = memories.mission[present.rows], (arrival == UNKNOWN_ACTION).nonzero()[:, 0]
        through = kernels.index_select(0, arrival)  # the last one, of first frames, is zero
        for number, layer in enumerate(self._layers):
            normed = layer.cell_norm(cells)
            registers = registers + present.read(number, layer.reader, layer.register_norm(registers), normed)
            registers = registers + layer.register_think(registers)
            if len(hidden):
                register, view = present.before(number, hidden)
                ways = layer.guess((register, registers[hidden, 0]), (view, normed[hidden]), kernels)
                through[hidden] = mixed(ways, kernels)
            present.keep(number, registers[:, 0], normed)
            arrived = present.transport(number, layer.transport, normed, through)
            cells = cells + arrived + layer.tell(registers[:, :1])
            cells = cells + layer.cell_think(cells, mission)
        cells = model.cell_norm(cells)
        read = present.read(len(self._layers), model.last_reader, model.register_norm(registers), cells)
        logits = model.head(registers[:, 1] + read[:, 1])[:, model.first_action : model.first_action + NUM_SYMBOLS - 1]
        present.end(logits)

    def _last_actions(self, histories: Sequence[_RememberedHistory]) -> tuple[Tensor, Tensor]:
        """``[N, L + 1, 2D]``: keys and values of the action before the new frame; bool ``[N]``: whether it is unknown. Both are
        arbitrary for a first frame."""
        device = self.model.head.weight.device
        before = [history.frame(max(0, history.memory.row.num_frames - 1)) for history in histories]
        embedded = self.model.embedding(torch.tensor(np.array([values[-1] for values, _ in before]), device=device))
        keys_values = torch.stack([reader.keys_values(embedded) for reader in self._readers], dim=1)
        return keys_values, torch.tensor([bool(unknown[-1]) for _, unknown in before], device=device)

    def _embed_new_frames(self, histories: Sequence[_RememberedHistory]) -> tuple[Tensor, Tensor, Tensor]:
        """What enters the first layer: cells ``[N, S, D]``, the register and the reader ``[N, 2, D]``; and int64 ``[N]``, the
        symbol of the action before (`NUM_SYMBOLS` for a first frame)."""
        model, device = self.model, self.model.head.weight.device
        numbers = [history.memory.row.num_frames for history in histories]
        pairs = [history.frame(number) for history, number in zip(histories, numbers)]
        frames = torch.from_numpy(np.stack([values for values, _ in pairs])).to(device)
        unknown = torch.from_numpy(np.stack([unknown for _, unknown in pairs])).to(device)
        taken = [
            _action_symbol(*history.frame(number - 1), model.first_action) if number else NUM_SYMBOLS
            for history, number in zip(histories, numbers)
        ]
        arrival = torch.tensor(np.array(taken, dtype=np.int64), device=device)

        masks = model.first_mask_symbol + _attributes(frames.shape[1], device)
        frames = torch.where(unknown, masks, frames)
        symbols = frames[:, :-AFTER_CELLS].unflatten(1, (-1, 3))
        cells = functional.embedding_bag(symbols.flatten(0, 1), model.embedding.weight, mode="sum")
        arrived = model.arrival(arrival)
        met = model.embedding(frames[:, -3]) + arrived
        cells = cells.view(len(frames), -1, met.shape[-1]) + model.cell_position + met[:, None]
        open_action = model.embedding.weight[model.first_mask_symbol + Attribute.ACTION]
        return cells, torch.stack([met, open_action + arrived], dim=1), arrival


def _action_symbol(values: np.ndarray, unknown: np.ndarray, first_action: int) -> int:
    """The symbol of the action after a frame, as the next frame sees it."""
    return UNKNOWN_ACTION if unknown[-1] else values[-1] - first_action


def _attributes(per_frame: int, device: torch.device) -> Tensor:
    """int64 ``[3S + 3]``: the attribute of each element of a frame."""
    cell = [Attribute.OBJECT, Attribute.COLOR, Attribute.STATE]
    after = [Attribute.DIRECTION, Attribute.RETURN, Attribute.ACTION]
    return torch.tensor(cell * ((per_frame - AFTER_CELLS) // 3) + after, device=device)
