"""Block diffusion: text is written block by block, and within a block the most certain tokens first.

As LLaDA2 defines it (Bie et al. 2025, arXiv 2512.15745, and the published ``generate``): a block attends to itself and
to all before it. At each step every masked token of the block gets a proposal and a confidence; proposals above a
threshold are kept, and at least the most confident few. Blocks are counted from the beginning of the prompt.

Unlike the published code, prompts of unequal length are answered together, keys and values of finished blocks are
kept, the mask token is never proposed, and greedy choice is greedy (there a temperature of 0 samples at 1).

Legend: B prompts, S tokens of a block, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from transformers import PreTrainedModel
from transformers.cache_utils import DynamicCache

from anyorder.errors import AnyOrderError
from anyorder.models.language.llada2.page import BlockDiffusion, Canvas

Choice = Callable[[Tensor], tuple[Tensor, Tensor]]
"""From logits ``[..., V]`` to proposed tokens, int64 ``[...]``, and how certain each is, 0..1, ``[...]``."""


def greedy(logits: Tensor) -> tuple[Tensor, Tensor]:
    """The most probable token of each position, and its probability; see `Choice`."""
    confidence, token = logits.float().softmax(dim=-1).max(dim=-1)
    return token, confidence


def sampling(temperature: float = 1.0, top_k: int | None = None, generator: torch.Generator | None = None) -> Choice:
    """Draw from the distribution at a temperature (above 0), of the ``top_k`` most probable tokens if given."""
    if temperature <= 0:
        raise AnyOrderError(f"temperature must be above 0; found {temperature}; use greedy choice instead")

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
        settings: how they are answered.
        choose: proposes tokens for masked ones.

    Returns:
        For each prompt the tokens after it, int64, up to the first end of text or ``gen_length``; equal to what the
        prompt alone gives, up to rounding (and to the draws of `sampling`).

    Raises:
        AnyOrderError: when a prompt is empty or too long for the model with its answer.
    """
    if not prompts:
        return []
    _check_lengths(model, prompts, settings)
    page, size = Canvas.of(prompts, settings, model.device), settings.block_length
    cache = DynamicCache(config=model.config)
    if page.first_block:
        page.remember(model, slice(0, page.first_block * size), cache)
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
        page.remember(model, block, cache)
    return answers


def _check_lengths(model: PreTrainedModel, prompts: Sequence[Tensor], settings: BlockDiffusion) -> None:
    limit, size = model.config.max_position_embeddings, settings.block_length
    for prompt in prompts:
        # The last block is written whole.
        needed = -(-(len(prompt) + settings.gen_length) // size) * size
        if not 0 < len(prompt) <= needed <= limit:
            raise AnyOrderError(
                f"a prompt must have at least one token and, with its answer in whole blocks, at most {limit} tokens; found"
                f" {len(prompt)} and {settings.gen_length} to generate; shorten one of them"
            )


def _write(
    model: PreTrainedModel, page: Canvas, block: slice, cache: DynamicCache, settings: BlockDiffusion, choose: Choice
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
