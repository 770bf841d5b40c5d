"""LLaDA2: a bidirectional mixture-of-experts transformer that fills in masked tokens, made of transformers' blocks.

Its block is that of `transformers.models.glm4_moe` but for the fused projection to queries, keys and values, the weights
of a single chosen expert, and attention, which is bidirectional. Modules bear their published names; experts are kept
in two tensors per layer, for grouped matrix multiplication (`layout` converts).

Legend: B sequences, N tokens, P tokens in the cache, D width, H heads, K key/value heads, W head width, V vocabulary.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel, initialization
from transformers.cache_utils import Cache, DynamicCache
from transformers.modeling_layers import GradientCheckpointingLayer
from transformers.modeling_outputs import MoeCausalLMOutputWithPast, MoeModelOutputWithPast
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
from transformers.utils import can_return_tuple
from transformers.utils.generic import merge_with_config_defaults
from transformers.utils.output_capturing import OutputRecorder, capture_outputs

from anyorder.models.llada2.attention import attention_for
from anyorder.models.llada2.check import check
from anyorder.models.llada2.configuration import LLaDA2MoeConfig


class LLaDA2MoeRotaryEmbedding(Glm4MoeRotaryEmbedding):
    """Its frequencies stay in float32 when the model is cast: in bfloat16 far positions would be off by whole turns."""

    def _apply(self, fn, recurse: bool = True) -> nn.Module:
        before = self.inv_freq, self.original_inv_freq
        super()._apply(fn, recurse)
        if not before[0].is_meta:
            self.inv_freq, self.original_inv_freq = (exact.to(self.inv_freq.device) for exact in before)
        return self


class LLaDA2MoeAttention(nn.Module):
    """Bidirectional attention with grouped keys and values, norms of queries and keys, and partial rotation."""

    def __init__(self, config: LLaDA2MoeConfig, layer_idx: int) -> None:
        super().__init__()
        self.config, self.layer_idx, self.is_causal = config, layer_idx, False
        self.num_heads, self.num_key_value_heads = config.num_attention_heads, config.num_key_value_heads
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
        **kwargs,
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
        super().__init__(config)
        self.norm_topk_prob = config.num_experts_per_tok > 1


class LLaDA2MoeSparseMoeBlock(nn.Module):
    """Each token passes a few experts of many, and the shared expert."""

    def __init__(self, config: LLaDA2MoeConfig) -> None:
        super().__init__()
        self.experts, self.gate = Glm4MoeExperts(config), LLaDA2MoeGate(config)
        num_shared = config.num_shared_experts
        self.shared_experts = None
        if num_shared is not None:
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

    def forward(self, hidden_states: Tensor, **kwargs) -> Tensor:
        attended, _ = self.attention(self.input_layernorm(hidden_states), **kwargs)
        hidden_states = hidden_states + attended
        return hidden_states + self.mlp(self.post_attention_layernorm(hidden_states))


class LLaDA2MoePreTrainedModel(PreTrainedModel):
    """What transformers needs to know."""

    config_class = LLaDA2MoeConfig
    base_model_prefix = "model"
    supports_gradient_checkpointing = True
    _no_split_modules = ["LLaDA2MoeDecoderLayer"]
    _skip_keys_device_placement = ["past_key_values"]
    _supports_sdpa = True
    _supports_flex_attn = True
    _supports_attention_backend = True
    _can_record_outputs = {
        "hidden_states": LLaDA2MoeDecoderLayer,
        "attentions": LLaDA2MoeAttention,
        "router_logits": OutputRecorder(LLaDA2MoeGate, index=0),
    }

    def __init__(self, config: LLaDA2MoeConfig, *args, **kwargs) -> None:
        check(config)
        super().__init__(config, *args, **kwargs)

    @classmethod
    def _can_set_experts_implementation(cls) -> bool:
        # transformers looks for a decorator in this file; `Glm4MoeExperts` bears it in another. Without this, experts
        # would be computed one after the other instead of by grouped matrix multiplication.
        return True

    @torch.no_grad()
    def _init_weights(self, module: nn.Module) -> None:
        super()._init_weights(module)
        std = self.config.initializer_range
        if isinstance(module, Glm4MoeTopkRouter):
            initialization.normal_(module.weight, mean=0.0, std=std)
            initialization.zeros_(module.e_score_correction_bias)
        elif isinstance(module, Glm4MoeExperts):
            initialization.normal_(module.gate_up_proj, mean=0.0, std=std)
            initialization.normal_(module.down_proj, mean=0.0, std=std)


class LLaDA2MoeModel(LLaDA2MoePreTrainedModel):
    """LLaDA2 without its head."""

    def __init__(self, config: LLaDA2MoeConfig) -> None:
        super().__init__(config)
        # No `padding_idx`: the published pad token is also the end of text, which is to be learned.
        self.word_embeddings = nn.Embedding(config.vocab_size, config.hidden_size)
        self.layers = nn.ModuleList(LLaDA2MoeDecoderLayer(config, index) for index in range(config.num_hidden_layers))
        self.norm = Glm4MoeRMSNorm(config.hidden_size, eps=config.rms_norm_eps)
        self.rotary_emb = LLaDA2MoeRotaryEmbedding(config)
        self.gradient_checkpointing = False
        self.post_init()

    def get_input_embeddings(self) -> nn.Embedding:
        return self.word_embeddings

    def set_input_embeddings(self, value: nn.Embedding) -> None:
        self.word_embeddings = value

    @merge_with_config_defaults
    @capture_outputs
    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        position_ids: Tensor | None = None,
        past_key_values: Cache | None = None,
        inputs_embeds: Tensor | None = None,
        use_cache: bool | None = None,
        **kwargs,
    ) -> MoeModelOutputWithPast:
        """
        Args:
            input_ids: int64 ``[B, N]``; or ``inputs_embeds``, ``[B, N, D]``.
            attention_mask: None (all attend to all), ``[B, P + N]`` or ``[B, 1, N, P + N]``; see `attention_for`.
            position_ids: int64 ``[B, N]``; by default P, P + 1, ...
            past_key_values: keys and values of P earlier tokens; those of these N are appended.
        """
        if (input_ids is None) == (inputs_embeds is None):
            raise ValueError("give either input_ids or inputs_embeds")
        hidden_states = self.word_embeddings(input_ids) if inputs_embeds is None else inputs_embeds
        if use_cache and past_key_values is None:
            past_key_values = DynamicCache(config=self.config)
        if position_ids is None:
            num_past = 0 if past_key_values is None else past_key_values.get_seq_length()
            position_ids = torch.arange(hidden_states.shape[1], device=hidden_states.device)[None] + num_past
        attention = attention_for(self.config, hidden_states, attention_mask, past_key_values)
        position_embeddings = self.rotary_emb(hidden_states, position_ids)
        for layer in self.layers:
            hidden_states = layer(
                hidden_states,
                position_embeddings=position_embeddings,
                attention_mask=attention,
                past_key_values=past_key_values,
                **kwargs,
            )
        return MoeModelOutputWithPast(last_hidden_state=self.norm(hidden_states), past_key_values=past_key_values)


class LLaDA2MoeModelLM(LLaDA2MoePreTrainedModel):
    """LLaDA2 with its head: logits of the token at each position, not of the next one."""

    _tp_plan = {"lm_head": "colwise_gather_output"}
    _pp_plan = {"lm_head": (["hidden_states"], ["logits"])}
    _fsdp_plan = {"lm_head": "keep_full_weight"}

    def __init__(self, config: LLaDA2MoeConfig) -> None:
        super().__init__(config)
        self.model = LLaDA2MoeModel(config)
        self.lm_head = nn.Linear(config.hidden_size, config.vocab_size, bias=False)
        self.loss_type = "ForMaskedLM"
        self.post_init()

    @can_return_tuple
    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        position_ids: Tensor | None = None,
        past_key_values: Cache | None = None,
        inputs_embeds: Tensor | None = None,
        labels: Tensor | None = None,
        use_cache: bool | None = None,
        **kwargs,
    ) -> MoeCausalLMOutputWithPast:
        """See `LLaDA2MoeModel.forward`.

        Args:
            labels: int64 ``[B, N]``; the true tokens where the loss counts, elsewhere -100.

        Returns:
            Logits ``[B, N, V]``, and with ``labels`` the mean cross-entropy over them, in nats.
        """
        outputs = self.model(
            input_ids=input_ids,
            attention_mask=attention_mask,
            position_ids=position_ids,
            past_key_values=past_key_values,
            inputs_embeds=inputs_embeds,
            use_cache=use_cache,
            **kwargs,
        )
        logits = self.lm_head(outputs.last_hidden_state)
        loss = None
        if labels is not None:
            loss = self.loss_function(logits=logits, labels=labels, vocab_size=self.config.vocab_size, **kwargs)
        return MoeCausalLMOutputWithPast(
            loss=loss,
            logits=logits,
            past_key_values=outputs.past_key_values,
            hidden_states=outputs.hidden_states,
            attentions=outputs.attentions,
            router_logits=outputs.router_logits,
        )
