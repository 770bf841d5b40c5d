"""Adapters by PEFT, where it is installed: what those of all models share."""

from __future__ import annotations

from collections.abc import Sequence
from types import ModuleType
from typing import TYPE_CHECKING, Any

from anyorder.errors import AnyOrderError

if TYPE_CHECKING:
    from peft import LoraConfig


def peft() -> ModuleType:
    """The module of PEFT.

    Raises:
        AnyOrderError: when it is not installed.
    """
    try:
        import peft
    except ImportError:
        raise AnyOrderError("LoRA needs PEFT, which is not installed; pip install 'anyorder[llada2]'") from None
    return peft


def lora_config(rank: int, alpha: float, tokens: Sequence[int], embedding: str, **targets: Any) -> LoraConfig:
    """A configuration of LoRA (Hu et al. 2021, arXiv 2106.09685).

    Args:
        rank: of each update.
        alpha: updates are scaled by ``alpha / rank``.
        tokens: ids; their rows of the embedding and of the head (``lm_head``) learn too, and are part of the adapter.
        embedding: name of the module that embeds tokens.
        targets: arguments of PEFT's ``LoraConfig`` that say what is adapted.

    Raises:
        AnyOrderError: when PEFT is not installed.
    """
    rows = {embedding: list(tokens), "lm_head": list(tokens)} if tokens else None
    return peft().LoraConfig(r=rank, lora_alpha=alpha, trainable_token_indices=rows, **targets)
