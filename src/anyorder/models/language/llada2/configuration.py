"""The configuration of LLaDA2, with the keys and defaults of the published ``config.json``.

The names on the left of `LLaDA2MoeConfig.attribute_map` are those under which transformers' blocks look things up.
"""

from typing import Any, ClassVar

from huggingface_hub.dataclasses import strict
from transformers import PreTrainedConfig

from anyorder.models.language.llada2.check import check_rope_scaling


@strict
class LLaDA2MoeConfig(PreTrainedConfig):
    """Sizes and choices of a LLaDA2 model (Bie et al. 2025, arXiv 2512.15745).

    Keys that are not named here are kept, so that a saved configuration says all that the published one says. What a
    configuration asks for is checked when a model is made from it (scaled rotary embeddings at once), see
    `anyorder.models.language.llada2.check`.

    Attributes whose names do not say enough:
        head_dim: width of one head; ``hidden_size / num_attention_heads`` where not given.
        use_qkv_bias, use_bias: biases of the fused projection to queries, keys and values / of the output projection.
        use_qk_norm: RMS norms of each head's queries and keys.
        partial_rotary_factor: share of each head's dimensions that is rotated, those in front. There is no default: a
            checkpoint that does not say it cannot be read.
        num_experts: None for a model without any.
        num_shared_experts: how many experts' width every token passes besides; None for none. 0 is a shared expert of
            no width, whose (empty) tensors are part of a checkpoint.
        n_group, topk_group: experts form ``n_group`` groups; a token uses experts of the best ``topk_group`` groups only.
        first_k_dense_replace: number of layers, from the first, that have one MLP of ``intermediate_size`` instead of experts.
    """

    model_type = "llada2_moe"
    keys_to_ignore_at_inference = ["past_key_values"]
    attribute_map = {
        "num_local_experts": "num_experts",
        "n_routed_experts": "num_experts",
        "n_shared_experts": "num_shared_experts",
    }
    # The fused projection is cut into queries, keys and values of different widths, so each rank computes all of it.
    base_model_tp_plan = {
        "layers.*.attention.query_key_value": "colwise_gather_output",
        "layers.*.attention.dense": "rowwise_split_input",
        "layers.*.mlp.experts.gate_up_proj": "packed_colwise",
        "layers.*.mlp.experts.down_proj": "rowwise",
        "layers.*.mlp.experts": "moe_tp_experts",
        "layers.*.mlp.shared_experts.gate_proj": "colwise",
        "layers.*.mlp.shared_experts.up_proj": "colwise",
        "layers.*.mlp.shared_experts.down_proj": "rowwise",
        "layers.*.mlp.gate_proj": "colwise",
        "layers.*.mlp.up_proj": "colwise",
        "layers.*.mlp.down_proj": "rowwise",
    }
    base_model_ep_plan: ClassVar[dict[str, Any]] = {
        "layers.*.mlp.experts.gate_up_proj": "grouped_gemm",
        "layers.*.mlp.experts.down_proj": "grouped_gemm",
        "layers.*.mlp.experts": "ep_dispatch_experts",
    }
    base_model_pp_plan = {
        "word_embeddings": (["input_ids"], ["inputs_embeds"]),
        "layers": (["hidden_states", "attention_mask"], ["hidden_states"]),
        "norm": (["hidden_states"], ["hidden_states"]),
    }
    base_model_fsdp_plan = {
        "word_embeddings": "free_full_weight",
        "layers.*": "free_full_weight",
        "norm": "keep_full_weight",
    }

    vocab_size: int = 30592
    hidden_size: int = 1024
    intermediate_size: int | None = None
    num_hidden_layers: int = 24
    num_attention_heads: int = 16
    num_key_value_heads: int = 0
    hidden_act: str = "silu"
    use_qkv_bias: bool = False
    use_qk_norm: bool = True
    use_bias: bool = True
    rms_norm_eps: float | int = 1e-5
    tie_word_embeddings: bool = False
    embedding_dropout: float | int = 0.1
    attention_dropout: float | int = 0.1
    output_dropout: float | int = 0.1
    initializer_range: float | int = 0.02
    max_position_embeddings: int = 16384
    rope_parameters: dict[str, Any] | None = None
    partial_rotary_factor: float | int | None = None
    use_cache: bool = False
    pad_token_id: int | None = None
    num_experts: int | None = 16
    num_shared_experts: int | None = 0
    num_experts_per_tok: int = 2
    norm_topk_prob: bool = True
    n_group: int = 8
    topk_group: int = 4
    routed_scaling_factor: float | int = 2.5
    moe_intermediate_size: int | None = None
    first_k_dense_replace: int = 0
    head_dim: int | None = None
    output_router_logits: bool = False

    def __post_init__(self, **kwargs: Any) -> None:
        check_rope_scaling(kwargs.get("rope_scaling") or self.rope_parameters)
        self.head_dim = self.head_dim or self.hidden_size // max(1, self.num_attention_heads)
        if self.partial_rotary_factor is None and kwargs.get("rotary_dim"):
            self.partial_rotary_factor = kwargs["rotary_dim"] / self.head_dim
        super().__post_init__(**kwargs)
        assert self.rope_parameters is not None  # transformers has filled it in
        self.partial_rotary_factor = self.rope_parameters.get("partial_rotary_factor")

    def to_dict(self) -> dict[str, Any]:
        """The settings under the published keys; rotary settings have keys of their own."""
        settings = super().to_dict()
        rope = settings.pop("rope_parameters", None) or {}
        settings["rope_theta"] = rope.get("rope_theta", self.default_theta)
        settings["partial_rotary_factor"] = rope.get("partial_rotary_factor")
        settings["rope_scaling"] = None
        return settings
