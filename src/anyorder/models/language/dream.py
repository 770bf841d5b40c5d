"""Dream-7B (Ye et al. 2025, arXiv 2508.15487) for transformers: Qwen2 that attends in both directions, whose head still
answers for the next position, as in the model that it was made from.

The published code does not load under transformers 5. Importing this module registers the model type ``Dream`` with the
Auto classes; no remote code runs.
"""

from __future__ import annotations

from huggingface_hub.dataclasses import strict
from transformers import (
    AutoConfig,
    AutoModel,
    AutoModelForMaskedLM,
    AutoTokenizer,
    Qwen2Config,
    Qwen2ForCausalLM,
    Qwen2Tokenizer,
)

from anyorder.models.language.bidirectional import attend_in_both_directions


@strict
class DreamConfig(Qwen2Config):
    """Qwen2's configuration, except that attention is not causal."""

    model_type = "Dream"
    is_causal: bool = False
    use_cache: bool = False


class DreamModel(Qwen2ForCausalLM):
    """Dream with its head, under the published names.

    Attributes:
        answers_next: True: the logits at a position are those of the next token; see `anyorder.models.language.masked_lm`.
    """

    config_class = DreamConfig
    answers_next = True

    def __init__(self, config: DreamConfig) -> None:
        super().__init__(config)
        attend_in_both_directions(self.model)


class DreamTokenizer(Qwen2Tokenizer):
    """Its published tokenizer (``vocab.json`` and ``merges.txt``) cuts text as Qwen2's does."""


AutoConfig.register(DreamConfig.model_type, DreamConfig, exist_ok=True)
AutoModelForMaskedLM.register(DreamConfig, DreamModel, exist_ok=True)
AutoModel.register(DreamConfig, DreamModel, exist_ok=True)  # so the published configuration names it
AutoTokenizer.register(DreamConfig, DreamTokenizer, exist_ok=True)
