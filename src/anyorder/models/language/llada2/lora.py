"""LoRA (Hu et al. 2021, arXiv 2106.09685) for LLaDA2: attention, every MLP, and all experts of a layer together."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from anyorder.models.language.adapters import lora_config, peft
from anyorder.models.language.llada2.checkpoint import load_llada2

if TYPE_CHECKING:
    from peft import LoraConfig

LLADA2_ATTENTION = r".*\.attention\.(query_key_value|dense)"
LLADA2_MLPS = r".*\.mlp\.(shared_experts\.)?(gate_proj|up_proj|down_proj)"
LLADA2_EXPERTS = ["mlp.experts.gate_up_proj", "mlp.experts.down_proj"]
"""Experts lie in two parameters per layer, so they are adapted as parameters: ``rank`` for each expert."""


def llada2_lora(rank: int = 16, alpha: float = 32, experts: bool = True, tokens: Sequence[int] = ()) -> LoraConfig:
    """A configuration of LoRA for ``model.add_adapter``, without dropout: PEFT has none for parameters.

    Args:
        rank: of each update.
        alpha: updates are scaled by ``alpha / rank``.
        experts: True adapts MLPs and experts besides attention.
        tokens: ids; their rows of the embedding and of the head learn too, and are part of the adapter.

    Raises:
        AnyOrderError: when PEFT is not installed.
    """
    modules = f"({LLADA2_ATTENTION}|{LLADA2_MLPS})" if experts else LLADA2_ATTENTION
    return lora_config(
        rank,
        alpha,
        tokens,
        embedding="word_embeddings",
        target_modules=modules,
        target_parameters=LLADA2_EXPERTS if experts else None,
    )


def merge(base: Path, adapter: Path, target: Path) -> None:
    """Write a checkpoint in the published layout whose weights are those of ``base`` with an adapter's updates added."""
    model = peft().PeftModel.from_pretrained(load_llada2(base), adapter)
    model.merge_and_unload().save_pretrained(target)
