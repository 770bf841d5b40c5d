"""LLaDA-8B (Nie et al. 2025, arXiv 2502.09992) for transformers: Llama that attends in both directions, with the keys and
the tensor names of the published checkpoints.

The published code takes neither four-dimensional attention masks nor position ids, and does not load under transformers
5. Importing this module registers the model type ``llada`` with the Auto classes; no remote code runs.
"""

from __future__ import annotations

from typing import Any

from huggingface_hub.dataclasses import strict
from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForMaskedLM, LlamaConfig, LlamaForCausalLM
from transformers.conversion_mapping import WeightRenaming, register_checkpoint_conversion_mapping

from anyorder.errors import AnyOrderError
from anyorder.models.language.bidirectional import attend_in_both_directions

LLADA_KEYS = {
    "d_model": "hidden_size",
    "mlp_hidden_size": "intermediate_size",
    "n_layers": "num_hidden_layers",
    "n_heads": "num_attention_heads",
    "n_kv_heads": "num_key_value_heads",
    "max_sequence_length": "max_position_embeddings",
    "embedding_size": "vocab_size",
    "weight_tying": "tie_word_embeddings",
    "init_std": "initializer_range",
}
"""Key of the published ``config.json`` -> Llama's name for the same."""

LLADA_FIXED = {
    "block_type": "llama",
    "block_group_size": 1,
    "activation_type": "silu",
    "layer_norm_type": "rms",
    "layer_norm_with_affine": True,
    "rope": True,
    "alibi": False,
    "attention_layer_norm": False,
    "input_emb_norm": False,
    "scale_logits": False,
    "include_bias": False,
    "include_qkv_bias": False,
    "bias_for_layer_norm": False,
    "multi_query_attention": False,
    "weight_tying": False,
}
"""Key of the published ``config.json`` -> the only value that is supported here."""

NAMES = [
    (r"^model\.transformer\.ff_out", "lm_head"),
    (r"^model\.transformer\.wte", r"model\.embed_tokens"),
    (r"^model\.transformer\.ln_f", r"model\.norm"),
    (r"^model\.transformer\.blocks", r"model\.layers"),
    (r"\.attn_norm", r"\.input_layernorm"),
    (r"\.ff_norm", r"\.post_attention_layernorm"),
    (r"\.q_proj", r"\.self_attn\.q_proj"),
    (r"\.k_proj", r"\.self_attn\.k_proj"),
    (r"\.v_proj", r"\.self_attn\.v_proj"),
    (r"\.attn_out", r"\.self_attn\.o_proj"),
    (r"\.ff_proj", r"\.mlp\.gate_proj"),
    (r"\.up_proj", r"\.mlp\.up_proj"),
    (r"\.ff_out", r"\.mlp\.down_proj"),
]
"""Name of a tensor in the published checkpoints, as a regular expression, and Llama's name for it."""


@strict
class LLaDAConfig(LlamaConfig):
    """Sizes of a LLaDA model; takes and writes the published keys (`LLADA_KEYS`), and keeps those that it does not know.

    Raises:
        AnyOrderError: for a value that is not supported here (`LLADA_FIXED`).
    """

    model_type = "llada"
    is_causal: bool = False
    use_cache: bool = False

    def __post_init__(self, **kwargs: Any) -> None:
        for key, value in LLADA_FIXED.items():
            if kwargs.get(key, value) not in (value, None):
                found = f"{key} is {kwargs[key]!r}, but this model takes only {value!r}"
                raise AnyOrderError(f"LLaDA config.json: {found}; use a checkpoint with that")
        for theirs, ours in LLADA_KEYS.items():
            if kwargs.get(theirs) is not None:
                setattr(self, ours, kwargs.pop(theirs))
        super().__post_init__(**kwargs)

    def to_dict(self) -> dict[str, Any]:
        """The settings under the published keys."""
        settings = super().to_dict()
        rope = settings.pop("rope_parameters", None) or {}
        settings["rope_theta"] = rope.get("rope_theta", self.default_theta)
        renamed = {theirs: settings.pop(ours) for theirs, ours in LLADA_KEYS.items()}
        return settings | renamed | {"vocab_size": renamed["embedding_size"]}


class LLaDAModelLM(LlamaForCausalLM):
    """LLaDA with its head: logits of the token at each position, not of the next one."""

    config_class = LLaDAConfig

    def __init__(self, config: LLaDAConfig) -> None:
        super().__init__(config)
        attend_in_both_directions(self.model)


AutoConfig.register(LLaDAConfig.model_type, LLaDAConfig, exist_ok=True)
AutoModelForMaskedLM.register(LLaDAConfig, LLaDAModelLM, exist_ok=True)
# So the published configuration names it, though it is no causal model.
AutoModelForCausalLM.register(LLaDAConfig, LLaDAModelLM, exist_ok=True)
register_checkpoint_conversion_mapping(
    LLaDAConfig.model_type, [WeightRenaming(theirs, ours) for theirs, ours in NAMES], overwrite=True
)
