"""Who attends to whom, in the form that an implementation of attention reads.

Legend: B sequences, N tokens that look, M tokens that are looked at (with a cache, more than N).
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.attention.flex_attention import BlockMask, create_block_mask
from transformers import PreTrainedConfig
from transformers.cache_utils import Cache
from transformers.masking_utils import create_bidirectional_mask


def block_causal(position_ids: Tensor, block_length: int, present: Tensor | None = None) -> Tensor:
    """Attention of block diffusion: a token attends to its own block and to those before it (arXiv 2503.09573).

    Args:
        position_ids: int64 ``[B, N]``; blocks begin at multiples of ``block_length``.
        block_length: tokens.
        present: bool ``[B, N]``; False for padding, to which nobody attends.

    Returns:
        bool ``[B, 1, N, N]``; True where the row may attend to the column.
    """
    block = position_ids // block_length
    allowed = block[:, :, None] >= block[:, None, :]
    if present is not None:
        allowed = allowed & present[:, None, :]
    return allowed[:, None]


def attention_for(
    config: PreTrainedConfig, hidden_states: Tensor, attention_mask: Tensor | BlockMask | None, cache: Cache | None = None
) -> Tensor | BlockMask | None:
    """An attention mask in the form that ``config._attn_implementation`` takes.

    Args:
        config: of the model.
        hidden_states: ``[B, N, D]``.
        attention_mask: one of
            - None: all attend to all;
            - ``[B, M]``, nonzero for tokens that may be looked at (0 for padding);
            - ``[B or 1, 1, N, M]``, bool or integer, nonzero where the row may attend to the column;
            - ``[B or 1, 1, N, M]``, floating point, added to the scores: 0 or -inf.
            A row that may attend to nothing attends to everything: its output means nothing, but it is a number.
        cache: holds the M - N earlier tokens.

    Raises:
        ValueError: for another number of dimensions.
    """
    if attention_mask is None or isinstance(attention_mask, BlockMask) or attention_mask.ndim == 2:
        return create_bidirectional_mask(
            config,
            hidden_states,
            attention_mask,  # type: ignore[arg-type]  # transformers passes a BlockMask on, but does not declare it
            past_key_values=cache,
        )
    if attention_mask.ndim != 4:
        shape = tuple(attention_mask.shape)
        raise ValueError(f"attention_mask must be [B, M] or [B, 1, N, M]; found the shape {shape}")
    if attention_mask.is_floating_point():
        return _added(config, hidden_states, attention_mask)
    return _allowed(config, hidden_states, attention_mask.bool())


def _added(config: PreTrainedConfig, hidden_states: Tensor, added: Tensor) -> Tensor | BlockMask:
    """The mask of an ``added`` tensor ``[B or 1, 1, N, M]``, which is added to the scores."""
    blocked = added <= torch.finfo(added.dtype).min
    if config._attn_implementation == "flex_attention" and bool((blocked | (added == 0)).all()):
        return _allowed(config, hidden_states, ~blocked)  # so that it can skip what is forbidden
    return added.masked_fill(blocked.all(dim=-1, keepdim=True), 0.0).to(hidden_states.dtype)


def _allowed(config: PreTrainedConfig, hidden_states: Tensor, allowed: Tensor) -> Tensor | BlockMask:
    """The mask of ``allowed``, bool ``[B or 1, 1, N, M]``; True where the row may attend to the column."""
    allowed = allowed | ~allowed.any(dim=-1, keepdim=True)
    if config._attn_implementation == "flex_attention":
        return _block_mask(allowed.expand(len(hidden_states), -1, -1, -1))
    if config._attn_implementation == "sdpa":
        return allowed
    return torch.zeros_like(allowed, dtype=hidden_states.dtype).masked_fill(~allowed, -torch.inf)


def _block_mask(allowed: Tensor) -> BlockMask:
    """FlexAttention skips the blocks (of 128 x 128) in which nothing is allowed."""

    def may_attend(batch: Tensor, head: Tensor, query: Tensor, key: Tensor) -> Tensor:
        return allowed[batch, 0, query, key]

    num_sequences, _, num_queries, num_keys = allowed.shape
    return create_block_mask(may_attend, num_sequences, None, num_queries, num_keys, device=allowed.device)
