"""Decoders of transformers (Llama and its kin) as masked language models."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

from anyorder.models.language.adapters import lora_config

if TYPE_CHECKING:
    from peft import LoraConfig
    from transformers import LlamaModel, Qwen2Model
    from transformers.models.llama.modeling_llama import LlamaAttention
    from transformers.models.qwen2.modeling_qwen2 import Qwen2Attention

DECODER_ATTENTION = r".*\.self_attn\.[qkvo]_proj"
ATTENTION_AND_MLPS = r".*\.(self_attn|mlp)\.\w+_proj"


def attend_in_both_directions(decoder: LlamaModel | Qwen2Model) -> None:
    """Let a decoder look ahead, and let its embedding of padding learn.

    This is for calls without a mask; with one, transformers reads ``config.is_causal``, which must be False. Published models
    pad with the end-of-text token, so its embedding must learn.
    """
    for layer in decoder.layers:
        cast("LlamaAttention | Qwen2Attention", layer.self_attn).is_causal = False
    decoder.embed_tokens.padding_idx = None


def decoder_lora(rank: int = 16, alpha: float = 32, experts: bool = True, tokens: Sequence[int] = ()) -> LoraConfig:
    """A configuration of LoRA for ``model.add_adapter``.

    Args:
        rank, alpha, tokens: see `lora_config`.
        experts: True adapts the MLPs (these models have no experts) besides attention.

    Raises:
        AnyOrderError: when PEFT is not installed.
    """
    modules = ATTENTION_AND_MLPS if experts else DECODER_ATTENTION
    return lora_config(rank, alpha, tokens, embedding="embed_tokens", target_modules=modules)
