"""The blocks of LLaDA2, made of those of `transformers.models.glm4_moe`.

They differ in the fused projection to queries, keys and values, in the weight of an expert that is chosen alone, and in
attention, which is bidirectional.

Legend: B sequences, N tokens, P tokens in the cache, D width, H heads.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor, nn
from transformers.cache_utils import Cache
from transformers.modeling_layers import GradientCheckpointingLayer
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS
from transformers.models.glm4_moe.modeling_glm4_moe import (
    Glm4MoeExperts,
    Glm4MoeMLP,
    Glm4MoeRMSNorm,
    Glm4MoeRotaryEmbedding,
    Glm4MoeTopkRouter,
    apply_rotary_pos_emb,
    eager_attention_forward,
)

from anyorder.models.language.llada2.configuration import LLaDA2MoeConfig


class LLaDA2MoeRotaryEmbedding(Glm4MoeRotaryEmbedding):
    """Its frequencies stay in float32 when the model is cast: in bfloat16 far positions would be off by whole turns."""

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> LLaDA2MoeRotaryEmbedding:
        before = self.inv_freq, self.original_inv_freq
        super()._apply(fn, recurse)
        if not before[0].is_meta:
            device = self.inv_freq.device
            self.inv_freq, self.original_inv_freq = (nn.Buffer(exact.to(device), persistent=False) for exact in before)
        return self


class LLaDA2MoeAttention(nn.Module):
    """Bidirectional attention with grouped keys and values, norms of queries and keys, and partial rotation."""

    def __init__(self, config: LLaDA2MoeConfig, layer_idx: int) -> None:
        super().__init__()
        self.config, self.layer_idx, self.is_causal = config, layer_idx, False
        self.num_heads, self.num_key_value_heads = config.num_attention_heads, config.num_key_value_heads
        assert config.head_dim is not None  # the configuration has derived it
        self.head_dim, self.scaling = config.head_dim, config.head_dim**-0.5
        self.num_key_value_groups = self.num_heads // self.num_key_value_heads
        heads = self.num_heads + 2 * self.num_key_value_heads
        self.query_key_value = nn.Linear(config.hidden_size, heads * self.head_dim, bias=config.use_qkv_bias)
        if config.use_qk_norm:
            self.query_layernorm = Glm4MoeRMSNorm(self.head_dim, eps=config.rms_norm_eps)
            self.key_layernorm = Glm4MoeRMSNorm(self.head_dim, eps=config.rms_norm_eps)
        self.dense = nn.Linear(self.num_heads * self.head_dim, config.hidden_size, bias=config.use_bias)

    def forward(
        self,
        hidden_states: Tensor,
        position_embeddings: tuple[Tensor, Tensor],
        attention_mask: Tensor | None,
        past_key_values: Cache | None = None,
        **kwargs: Any,
    ) -> tuple[Tensor, Tensor | None]:
        """``[B, N, D] -> [B, N, D]``, and the weights ``[B, H, N, P + N]`` where the implementation gives them."""
        fused = self.query_key_value(hidden_states).unflatten(-1, (-1, self.head_dim))
        query, key, value = fused.split([self.num_heads] + 2 * [self.num_key_value_heads], dim=-2)
        if self.config.use_qk_norm:
            query, key = self.query_layernorm(query), self.key_layernorm(key)
        query, key, value = query.transpose(1, 2), key.transpose(1, 2), value.transpose(1, 2)
        query, key = apply_rotary_pos_emb(query, key, *position_embeddings)
        if past_key_values is not None:
            key, value = past_key_values.update(key, value, self.layer_idx)
        attend = ALL_ATTENTION_FUNCTIONS.get_interface(self.config._attn_implementation, eager_attention_forward)
        dropout = self.config.attention_dropout if self.training else 0.0
        output, weights = attend(self, query, key, value, attention_mask, dropout=dropout, scaling=self.scaling, **kwargs)
        return self.dense(output.flatten(2)), weights


class LLaDA2MoeGate(Glm4MoeTopkRouter):
    """Sigmoid scores; the best experts of the best groups, whose weights sum to one if there are several."""

    def __init__(self, config: LLaDA2MoeConfig) -> None:
        super().__init__(config)  # type: ignore[arg-type]  # it has the names that are looked up, see its attribute_map
        self.norm_topk_prob = config.num_experts_per_tok > 1


class LLaDA2MoeSparseMoeBlock(nn.Module):
    """Each token passes a few experts of many, and the shared expert."""

    def __init__(self, config: LLaDA2MoeConfig) -> None:
        super().__init__()
        self.experts, self.gate = Glm4MoeExperts(config), LLaDA2MoeGate(config)
        num_shared = config.num_shared_experts
        self.shared_experts = None
        if num_shared is not None:
            assert config.moe_intermediate_size is not None  # `check` asks for one where there are experts
            self.shared_experts = Glm4MoeMLP(config, intermediate_size=num_shared * config.moe_intermediate_size)

    def forward(self, hidden_states: Tensor) -> Tensor:
        _, weights, chosen = self.gate(hidden_states)
        routed = self.experts(hidden_states.flatten(0, 1), chosen, weights).view_as(hidden_states)
        return routed if self.shared_experts is None else routed + self.shared_experts(hidden_states)


class LLaDA2MoeDecoderLayer(GradientCheckpointingLayer):
    """Attention, then experts or one MLP, each beside the residual."""

    def __init__(self, config: LLaDA2MoeConfig, layer_idx: int) -> None:
        super().__init__()
        has_experts = config.num_experts is not None and layer_idx >= config.first_k_dense_replace
        self.attention = LLaDA2MoeAttention(config, layer_idx)
        self.mlp = LLaDA2MoeSparseMoeBlock(config) if has_experts else Glm4MoeMLP(config)
        self.input_layernorm = Glm4MoeRMSNorm(config.hidden_size, eps=config.rms_norm_eps)
        self.post_attention_layernorm = Glm4MoeRMSNorm(config.hidden_size, eps=config.rms_norm_eps)

    def forward(self, hidden_states: Tensor, **kwargs: Any) -> Tensor:
        attended, _ = self.attention(self.input_layernorm(hidden_states), **kwargs)
        hidden_states = hidden_states + attended
        return hidden_states + self.mlp(self.post_attention_layernorm(hidden_states))
