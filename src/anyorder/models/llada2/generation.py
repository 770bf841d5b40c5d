"""Block diffusion: text is written block by block, and within a block the most certain tokens first.

As LLaDA2 defines it (Bie et al. 2025, arXiv 2512.15745, and the published ``generate``): a block attends to itself and
to all before it. At each step every masked token of the block gets a proposal and a confidence; proposals above a
threshold are kept, and at least the most confident few. Blocks are counted from the beginning of the prompt.

Unlike the published code, prompts of unequal length are answered together, keys and values of finished blocks are
kept, the mask token is never proposed, and greedy choice is greedy (there a temperature of 0 samples at 1).

Legend: B prompts, L columns, S tokens of a block, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from transformers import PreTrainedModel
from transformers.cache_utils import DynamicCache

from anyorder.errors import AnyOrderError

Choice = Callable[[Tensor], tuple[Tensor, Tensor]]
"""From logits ``[..., V]`` to proposed tokens, int64 ``[...]``, and how certain each is, 0..1, ``[...]``."""


@dataclass(frozen=True)
class BlockDiffusion:
    """How text is generated.

    Attributes:
        mask_id: the mask token.
        eos_id: end of text; an answer ends with the first one.
        gen_length: at most so many tokens are generated.
        block_length: tokens that are written together.
        steps: at most so many passes for a block (no more than ``gen_length``).
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
                raise AnyOrderError(f"{name} is at least 1, found {getattr(self, name)}")

    def at_least(self) -> list[int]:
        """How many tokens each step keeps at least; they add up to a block."""
        steps = min(self.steps, self.gen_length)
        each, more = divmod(self.block_length, steps)
        return [each + (step < more) for step in range(steps)]


def greedy(logits: Tensor) -> tuple[Tensor, Tensor]:
    """The most probable token."""
    confidence, token = logits.float().softmax(dim=-1).max(dim=-1)
    return token, confidence


def sampling(temperature: float = 1.0, top_k: int | None = None, generator: torch.Generator | None = None) -> Choice:
    """Draw from the distribution at a temperature (above 0), of the ``top_k`` most probable tokens if given."""
    if temperature <= 0:
        raise AnyOrderError(f"temperature is above 0, found {temperature}; use greedy choice instead")

    def choose(logits: Tensor) -> tuple[Tensor, Tensor]:
        scores = logits.float() / temperature
        if top_k is not None:
            scores = scores.masked_fill(scores < scores.topk(top_k, dim=-1).values[..., -1:], -torch.inf)
        probabilities = scores.softmax(dim=-1)
        token = torch.multinomial(probabilities.flatten(0, -2), 1, generator=generator).view(logits.shape[:-1])
        return token, probabilities.gather(-1, token[..., None])[..., 0]

    return choose


@torch.no_grad()
def generate(
    model: PreTrainedModel, prompts: Sequence[Tensor], settings: BlockDiffusion, choose: Choice = greedy
) -> list[Tensor]:
    """Answer prompts, all at once.

    Args:
        model: a LLaDA2 model in evaluation mode.
        prompts: B of them, int64 ``[any length]``.
        settings: how.
        choose: what is proposed for a masked token.

    Returns:
        For each prompt the tokens after it, int64, up to the first end of text or ``gen_length``; equal to what the
        prompt alone gives, up to rounding (and to the draws of `sampling`).

    Raises:
        AnyOrderError: when a prompt is empty or too long for the model with its answer.
    """
    _check_lengths(model, prompts, settings)
    page, size = _Page.of(prompts, settings, model.device), settings.block_length
    cache = DynamicCache(config=model.config)
    if page.first_block:
        page.read(model, slice(0, page.first_block * size), cache)
    answers: list[Tensor] = [torch.empty(0)] * len(prompts)
    for start in range(page.first_block * size, page.tokens.shape[1], size):
        block = slice(start, start + size)
        _write(model, page, block, cache, settings, choose)
        is_done = page.has_ended(settings) | (page.end <= block.stop)
        for row in is_done.nonzero()[:, 0].tolist():
            answers[int(page.prompt[row])] = page.answer(row, settings)
        if is_done.all():
            break
        going_on = (~is_done).nonzero()[:, 0]
        if is_done.any():
            page = page.rows(going_on)
            cache.batch_select_indices(going_on)
        page.read(model, block, cache)
    return answers


def _check_lengths(model: PreTrainedModel, prompts: Sequence[Tensor], settings: BlockDiffusion) -> None:
    limit, size = model.config.max_position_embeddings, settings.block_length
    for prompt in prompts:
        # The last block is written whole.
        needed = -(-(len(prompt) + settings.gen_length) // size) * size
        if not 0 < len(prompt) <= needed <= limit:
            raise AnyOrderError(
                f"a prompt has at least one token and, with its answer in whole blocks, at most {limit} tokens, found"
                f" {len(prompt)} and {settings.gen_length} to generate; shorten one of them"
            )


def _write(
    model: PreTrainedModel, page: _Page, block: slice, cache: DynamicCache, settings: BlockDiffusion, choose: Choice
) -> None:
    """Replace the masks of a block, in place."""
    window = page.tokens[:, block]
    for at_least in settings.at_least():
        is_masked = (window == settings.mask_id) & page.present[:, block]
        if not (is_masked.any(dim=1) & ~page.has_ended(settings)).any():
            return
        logits = page.read(model, block, cache).index_fill(-1, page.never, -torch.inf)
        cache.crop(block.start - block.stop)  # what was read of the block will change
        token, confidence = choose(logits)
        confidence = torch.where(is_masked, confidence.float(), -torch.inf)
        window[:] = torch.where(_kept(confidence, at_least, settings.threshold), token, window)


def _kept(confidence: Tensor, at_least: int, threshold: float) -> Tensor:
    """bool ``[B, S]``: the proposals above the threshold, or the ``at_least`` most certain ones if those are fewer;
    -inf is never kept."""
    is_certain = confidence > threshold
    rank = confidence.argsort(dim=1, descending=True, stable=True).argsort(dim=1)
    is_enough = is_certain.sum(dim=1, keepdim=True) >= at_least
    return torch.where(is_enough, is_certain, (rank < at_least) & (confidence > -torch.inf))


@dataclass(frozen=True, eq=False)
class _Page:
    """Prompts and the masks to be replaced, moved right by whole blocks so that all are writing the same columns.

    Attributes:
        tokens: int64 ``[B, L]``.
        present: bool ``[B, L]``; False for the columns that are not of the prompt's own.
        positions: int64 ``[B, L]``.
        begin, end: int64 ``[B]``; the columns after the prompt, and after the longest answer.
        prompt: int64 ``[B]``; which prompt this is.
        never: int64 ``[1]``; the token that is never proposed.
        first_block: the first with something to write.
        size: of a block.
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
    def of(cls, prompts: Sequence[Tensor], settings: BlockDiffusion, device: torch.device) -> _Page:
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

    def rows(self, index: Tensor) -> _Page:
        """Some of the prompts."""
        batch = {name: getattr(self, name)[index] for name in ("tokens", "present", "positions", "begin", "end", "prompt")}
        return _Page(**batch, never=self.never, first_block=self.first_block, size=self.size)

    def read(self, model: PreTrainedModel, columns: slice, cache: DynamicCache) -> Tensor:
        """Logits ``[B, columns, V]``; the cache holds all earlier columns and gets these ones too."""
        block = torch.arange(columns.stop, device=self.tokens.device) // self.size
        may_see = (block[columns, None] >= block) & self.present[:, None, : columns.stop]
        return model(
            input_ids=self.tokens[:, columns],
            position_ids=self.positions[:, columns],
            attention_mask=may_see[:, None],
            past_key_values=cache,
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
