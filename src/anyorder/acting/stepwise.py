"""Acting without thinking the past over again: each observation is computed once and remembered.

When actions are asked for, nothing sees what comes after it (`anyorder.masking.order.imitate`), so what the model
computes for a frame never changes. Of the past, a new frame needs two things only: from the last frame, the memory of its
cells at each layer; from all steps, the keys and values of their registers and actions. The logits are those of `ModelPolicy`.

Legend: N episodes, S cells of a view, W mission words, K = W + registers + actions so far (keys), L layers, H heads,
d = D/H, D width.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from anyorder.acting.policy import History, ModelPolicy, SampledPolicy
from anyorder.elements.grid import AFTER_CELLS
from anyorder.elements.layout import Attribute
from anyorder.models.contract import GridModel
from anyorder.models.grid.grid_transformer import GridTransformer, Layer
from anyorder.models.grid.registers import MAX_STEPS_APART, Reader
from anyorder.models.grid.transport import PAST, Transport
from anyorder.models.grid.visibility import NUM_SYMBOLS, UNKNOWN_ACTION

EPISODES_PER_PASS = 256


@dataclass(eq=False)
class _Memory:
    """What an episode keeps of its past.

    Attributes:
        cells: ``[L, H, S, d]``, what the cells of the last frame remember at each layer.
        keys_values: ``[L + 1, K, 2D]`` for every reader of the model: of the words, then of each step's register and action.
        mission: ``[D]``, what modulates the cells.
        num_words: W.
        logits: ``[7]``, of the action after the last frame.
    """

    cells: Tensor
    keys_values: Tensor
    mission: Tensor
    num_words: int
    logits: Tensor

    @property
    def num_frames(self) -> int:
        return (self.keys_values.shape[1] - self.num_words + 1) // 2


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

    memory: _Memory


class StepwisePolicy(SampledPolicy[_RememberedHistory]):
    """The same actions as `ModelPolicy`, each step at the cost of one frame instead of the whole history."""

    model: GridTransformer

    @torch.no_grad()
    def start(self, mission: str) -> _RememberedHistory:
        model = self.model
        history = _RememberedHistory(model.vocabulary, mission)
        words = history.words().to(model.head.weight.device)
        embedded = model.embedding(words) + model.word_position[: len(words)]
        keys_values = torch.stack([reader.keys_values(embedded) for reader in self._readers()])
        num_cells, width = model.cell_position.shape
        heads = model.config.num_heads
        cells = embedded.new_zeros(len(model.layers), heads, num_cells, width // heads)
        modulation = model.mission(embedded[None], torch.ones_like(words, dtype=torch.bool)[None])[0]
        history.memory = _Memory(cells, keys_values, modulation, len(words), embedded.new_zeros(0))
        return history

    @torch.no_grad()
    def all_logits(self, histories: Sequence[_RememberedHistory]) -> Tensor:
        """See `SampledPolicy`; the histories come from `start`."""
        kernels = self.model.kernels()[0]
        while behind := [history for history in histories if history.memory.num_frames < len(history)]:
            for first in range(0, len(behind), EPISODES_PER_PASS):
                self._advance(behind[first : first + EPISODES_PER_PASS], kernels)
        return torch.stack([history.memory.logits for history in histories]).float().cpu()

    def _layers(self) -> list[Layer]:
        return [cast(Layer, layer) for layer in self.model.layers]  # a ModuleList does not say what it holds

    def _readers(self) -> list[Reader]:
        return [*(layer.reader for layer in self._layers()), self.model.last_reader]

    def _advance(self, histories: Sequence[_RememberedHistory], kernels: Tensor) -> None:
        """Compute the next frame of each episode; ``kernels`` is ``[A + 1, H, S, S]``, from the past."""
        model = self.model
        cells, registers, arrival = self._embed_new_frames(histories)
        past = _Past.of(histories, self._keys_of_last_actions(histories))
        mission = torch.stack([history.memory.mission for history in histories])
        kernels = kernels.index_select(0, arrival)  # the last one, of first frames, is zero
        for number, layer in enumerate(self._layers()):
            normed = layer.cell_norm(cells)
            registers = registers + past.read(number, layer.reader, layer.register_norm(registers), normed)
            registers = registers + layer.register_think(registers)
            arrived = past.transport(number, layer.transport, normed, kernels)
            cells = cells + arrived + layer.tell(registers[:, :1])
            cells = cells + layer.cell_think(cells, mission)
        cells = model.cell_norm(cells)
        last = len(model.layers)
        registers = registers + past.read(last, model.last_reader, model.register_norm(registers), cells)
        logits = model.head(registers[:, 1])[:, model.first_action : model.first_action + NUM_SYMBOLS - 1]
        past.remember([history.memory for history in histories], logits)

    def _keys_of_last_actions(self, histories: Sequence[_RememberedHistory]) -> Tensor:
        """``[N, L + 1, 2D]``: keys and values of the action before the new frame; arbitrary for a first frame."""
        before = [history.frame(max(0, history.memory.num_frames - 1))[0][-1] for history in histories]
        embedded = self.model.embedding(torch.tensor(np.array(before), device=self.model.head.weight.device))
        return torch.stack([reader.keys_values(embedded) for reader in self._readers()], dim=1)

    def _embed_new_frames(self, histories: Sequence[_RememberedHistory]) -> tuple[Tensor, Tensor, Tensor]:
        """What enters the first layer: cells ``[N, S, D]``, the register and the reader ``[N, 2, D]``; and int64 ``[N]``, the
        symbol of the action before (`NUM_SYMBOLS` for a first frame)."""
        model, device = self.model, self.model.head.weight.device
        numbers = [history.memory.num_frames for history in histories]
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


class _Past:
    """The memories of N episodes side by side while one more frame of each is computed."""

    def __init__(self, cells: Tensor, keys_values: Tensor, num_words: Tensor, step: Tensor) -> None:
        """``cells`` and ``keys_values`` as made by `of`; int64 ``[N]``: number of words and the step of the new frame."""
        self.cells, self.keys_values, self.step = cells, keys_values, step
        key = torch.arange(keys_values.shape[2], device=cells.device) - num_words[:, None]
        self.new_register = num_words + 2 * step
        self.is_word, self.absent = key < 0, key > 2 * step[:, None]
        # After the words come register, action, register, action, ...
        self.apart = (key // 2 - step[:, None]).clamp(-MAX_STEPS_APART, 0) + MAX_STEPS_APART
        self.rows = torch.arange(len(step), device=cells.device)

    @classmethod
    def of(cls, histories: Sequence[_RememberedHistory], taken: Tensor) -> _Past:
        """Stack what cells remember, ``[N, L, H, S, d]``, and keys and values, ``[N, L + 1, K + 2, 2D]``: room for the action
        before the new frame (``taken [N, L + 1, 2D]``, arbitrary for a first frame) and for the new register. Unknown actions
        keep their place, and nothing attends to them."""
        memories = [history.memory for history in histories]
        num_keys = [memory.keys_values.shape[1] for memory in memories]
        first = memories[0].keys_values
        keys_values = first.new_zeros(len(memories), len(first), max(num_keys) + 2, first.shape[2])
        for row, memory, action in zip(keys_values, memories, taken):
            row[:, : memory.keys_values.shape[1]] = memory.keys_values
            row[:, memory.keys_values.shape[1]] = action  # a first frame's register takes this place
        words, step = torch.tensor([(memory.num_words, memory.num_frames) for memory in memories], device=first.device).T
        past = cls(torch.stack([memory.cells for memory in memories]), keys_values, words, step)
        for absent, history in zip(past.absent, histories):
            memory = history.memory
            unknown = [t for t in range(memory.num_frames) if history.frame(t)[1][-1]]
            absent[[memory.num_words + 2 * t + 1 for t in unknown]] = True
        return past

    def read(self, number: int, reader: Reader, registers: Tensor, cells: Tensor) -> Tensor:
        """``[N, 2, D]``: what the new register and reader read; see `Reader.forward`."""
        self.keys_values[self.rows, number, self.new_register] = reader.keys_values(registers[:, 0])
        size, num, width = registers.shape
        heads = reader.num_heads
        cell_query = reader.cell_query(registers).view(size, num, heads, width) * width**-0.5
        cell_scores = cell_query @ cells[:, None].transpose(2, 3)
        keys, values = self.keys_values[:, number].view(size, -1, 2, heads, width // heads).unbind(2)
        query = reader.query(registers).view(size, num, heads, -1) * (width // heads) ** -0.5
        bias = reader.time_bias[:, self.apart].transpose(0, 1).masked_fill(self.is_word[:, None], 0.0)
        bias = bias.masked_fill(self.absent[:, None], -torch.inf)
        other_scores = torch.einsum("nqhd,nkhd->nqhk", query, keys) + bias[:, None]
        nothing = cell_scores.new_zeros(size, num, heads, 1)
        weights = torch.cat([cell_scores, other_scores, nothing], dim=-1).softmax(dim=-1)
        on_cells, on_others, _ = weights.split([cells.shape[1], keys.shape[1], 1], dim=-1)
        from_others = torch.einsum("nqhk,nkhd->nqhd", on_others, values)
        return reader.cell_value((on_cells @ cells[:, None]).flatten(2)) + reader.out(from_others.flatten(2))

    def transport(self, number: int, transport: Transport, cells: Tensor, kernels: Tensor) -> Tensor:
        """``[N, S, D]``: what arrived from the frame itself and the memory of the past; see `Transport.forward`.
        ``kernels`` is ``[N, H, S, S]``, zero for a first frame."""
        carried = transport.carried(cells, None, PAST)
        arrived = kernels @ self.cells[:, number]
        self.cells[:, number] = torch.lerp(arrived, carried.values, carried.gates)
        return transport.merged(transport.own(cells, None), arrived)

    def remember(self, memories: Sequence[_Memory], logits: Tensor) -> None:
        """Store what was computed in the memories of the episodes."""
        # Cloned: a slice would keep the memories of all the others alive after their episodes have ended.
        for row, (memory, last) in enumerate(zip(memories, self.new_register.tolist())):
            memory.cells = self.cells[row].clone()
            memory.keys_values = self.keys_values[row, :, : last + 1].clone()
            memory.logits = logits[row]
