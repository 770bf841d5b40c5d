"""Prompts of any lengths side by side, and the masks that block diffusion replaces.

Legend: B prompts, L columns, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from transformers import PreTrainedModel
from transformers.cache_utils import DynamicCache

from anyorder.errors import AnyOrderError


@dataclass(frozen=True)
class BlockDiffusion:
    """How text is generated.

    Attributes:
        mask_id: the mask token.
        eos_id: end of text; an answer ends with the first one.
        gen_length: the largest number of tokens of an answer.
        block_length: how many tokens are written together.
        steps: the largest number of passes for a block (no more than ``gen_length``).
        threshold: proposals more certain than this are all kept.
    """

    mask_id: int
    eos_id: int
    gen_length: int = 2048
    block_length: int = 32
    steps: int = 32
    threshold: float = 0.95

    def __post_init__(self) -> None:
        for name in ("gen_length", "block_length", "steps"):
            if getattr(self, name) < 1:
                raise AnyOrderError(f"{name} must be at least 1; found {getattr(self, name)}")

    def at_least(self) -> list[int]:
        """How many tokens each step keeps at least; they add up to a block."""
        steps = min(self.steps, self.gen_length)
        each, more = divmod(self.block_length, steps)
        return [each + (step < more) for step in range(steps)]


@dataclass(frozen=True, eq=False)
class Canvas:
    """Prompts and the masks to be replaced, moved right by whole blocks so that all are writing the same columns.

    Attributes:
        tokens: int64 ``[B, L]``.
        present: bool ``[B, L]``; False for columns outside of a prompt's own page: before it, and after its last block.
        positions: int64 ``[B, L]``.
        begin, end: int64 ``[B]``; the columns after the prompt, and after the longest answer.
        prompt: int64 ``[B]``; which prompt this is.
        never: int64 ``[1]``; the token that is never proposed.
        first_block: number of the first block in which something is written.
        size: tokens of a block.
    """

    tokens: Tensor
    present: Tensor
    positions: Tensor
    begin: Tensor
    end: Tensor
    prompt: Tensor
    never: Tensor
    first_block: int
    size: int

    @classmethod
    def of(cls, prompts: Sequence[Tensor], settings: BlockDiffusion, device: torch.device) -> Canvas:
        size = settings.block_length
        length = torch.tensor([len(prompt) for prompt in prompts])
        first_block = int(length.max()) // size
        moved = (first_block - length // size) * size
        begin, end = moved + length, moved + length + settings.gen_length
        stop = -(-end // size) * size
        column = torch.arange(int(stop.max()))
        tokens = torch.full((len(prompts), len(column)), settings.mask_id)
        for row, prompt in enumerate(prompts):
            tokens[row, int(moved[row]) : int(begin[row])] = prompt.cpu()
        return cls(
            tokens=tokens.to(device),
            present=((column >= moved[:, None]) & (column < stop[:, None])).to(device),
            positions=(column - moved[:, None]).clamp(min=0).to(device),
            begin=begin.to(device),
            end=end.to(device),
            prompt=torch.arange(len(prompts), device=device),
            never=torch.tensor([settings.mask_id], device=device),
            first_block=first_block,
            size=size,
        )

    def rows(self, index: Tensor) -> Canvas:
        """The chosen prompts; ``index`` is int64 ``[B']``."""
        of_prompts = ("tokens", "present", "positions", "begin", "end", "prompt")
        chosen = {name: getattr(self, name)[index] for name in of_prompts}
        return Canvas(**chosen, never=self.never, first_block=self.first_block, size=self.size)

    def remember(self, model: PreTrainedModel, columns: slice, cache: DynamicCache) -> None:
        """Put columns into the cache, which holds all earlier ones."""
        self.read(model, columns, cache, logits_to_keep=1)

    def read(self, model: PreTrainedModel, columns: slice, cache: DynamicCache, logits_to_keep: int = 0) -> Tensor:
        """Logits ``[B, columns, V]``, or of the last few columns; the cache, which holds all earlier ones, gets these."""
        block = torch.arange(columns.stop, device=self.tokens.device) // self.size
        may_see = (block[columns, None] >= block) & self.present[:, None, : columns.stop]
        return model(
            input_ids=self.tokens[:, columns],
            position_ids=self.positions[:, columns],
            attention_mask=may_see[:, None],
            past_key_values=cache,
            logits_to_keep=logits_to_keep,
        ).logits

    def has_ended(self, settings: BlockDiffusion) -> Tensor:
        """bool ``[B]``; True where an end of text stands in the answer and nothing before it is masked."""
        column = torch.arange(self.tokens.shape[1], device=self.tokens.device)
        inside = (column >= self.begin[:, None]) & (column < self.end[:, None])
        is_end, is_masked = inside & (self.tokens == settings.eos_id), inside & (self.tokens == settings.mask_id)
        first_end, first_mask = (_first(where) for where in (is_end, is_masked))
        return is_end.any(dim=1) & (first_end < first_mask)

    def answer(self, row: int, settings: BlockDiffusion) -> Tensor:
        """int64 ``[at most gen_length]``: up to the first end of text."""
        written = self.tokens[row, int(self.begin[row]) : int(self.end[row])]
        ends = (written == settings.eos_id).nonzero()[:, 0]
        return written[: int(ends[0]) + 1] if len(ends) else written


def _first(where: Tensor) -> Tensor:
    """int64 ``[B]``: the first column that is True, L if there is none."""
    return torch.where(where.any(dim=1), where.to(torch.uint8).argmax(dim=1), where.shape[1])
