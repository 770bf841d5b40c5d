"""LLaDA2: a bidirectional mixture-of-experts transformer that fills in masked tokens, made of transformers' blocks.

Modules bear their published names; experts are kept in two tensors per layer, for grouped matrix multiplication
(`layout` converts).

Legend: B sequences, N tokens, P tokens in the cache, D width, V vocabulary.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel, initialization
from transformers.cache_utils import Cache, DynamicCache
from transformers.modeling_outputs import MoeCausalLMOutputWithPast, MoeModelOutputWithPast
from transformers.modeling_utils import slice_logits_to_keep
from transformers.models.glm4_moe.modeling_glm4_moe import Glm4MoeExperts, Glm4MoeRMSNorm, Glm4MoeTopkRouter
from transformers.utils import can_return_tuple
from transformers.utils.generic import merge_with_config_defaults
from transformers.utils.output_capturing import OutputRecorder, capture_outputs

from anyorder.models.language.llada2.attention import attention_for
from anyorder.models.language.llada2.blocks import (
    LLaDA2MoeAttention,
    LLaDA2MoeDecoderLayer,
    LLaDA2MoeGate,
    LLaDA2MoeRotaryEmbedding,
)
from anyorder.models.language.llada2.check import check
from anyorder.models.language.llada2.configuration import LLaDA2MoeConfig


class LLaDA2MoePreTrainedModel(PreTrainedModel):
    """What transformers needs to know about models of this type."""

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

    def __init__(self, config: LLaDA2MoeConfig, *args: Any, **kwargs: Any) -> None:
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
        self.word_embeddings: nn.Module = nn.Embedding(config.vocab_size, config.hidden_size)
        self.layers = nn.ModuleList(LLaDA2MoeDecoderLayer(config, index) for index in range(config.num_hidden_layers))
        self.norm = Glm4MoeRMSNorm(config.hidden_size, eps=config.rms_norm_eps)
        self.rotary_emb = LLaDA2MoeRotaryEmbedding(config)  # type: ignore[arg-type]  # it has the names that are looked up
        self.gradient_checkpointing = False
        self.post_init()

    def get_input_embeddings(self) -> nn.Module:
        return self.word_embeddings

    def set_input_embeddings(self, value: nn.Module) -> None:
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
        **kwargs: Any,
    ) -> MoeModelOutputWithPast:
        """Hidden states ``[B, N, D]`` after the last layer and norm.

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
    _pp_plan = {"lm_head": (["hidden_states"], ["logits"])}  # type: ignore[dict-item]  # as in transformers' own models
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
        logits_to_keep: int | Tensor = 0,
        **kwargs: Any,
    ) -> MoeCausalLMOutputWithPast:
        """See `LLaDA2MoeModel.forward`.

        Args:
            labels: int64 ``[B, N]``; the true tokens where the loss counts, elsewhere -100.
            logits_to_keep: logits of this number of last tokens only (0: all), or of the tokens at these places; the head
                is the widest layer by far.

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
        logits = self.lm_head(slice_logits_to_keep(outputs.last_hidden_state, logits_to_keep))
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
