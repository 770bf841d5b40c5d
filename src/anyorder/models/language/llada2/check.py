"""A checkpoint whose configuration asks for something else than what is computed here is refused before it is loaded."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from transformers import PreTrainedConfig

from anyorder.errors import AnyOrderError

NOT_SO = object()
"""Stands for a key that is absent."""

LLADA2_FIXED = {
    "hidden_act": ("silu",),
    "tie_word_embeddings": (False,),
    "score_function": ("sigmoid", NOT_SO),
    "moe_router_enable_expert_bias": (True, NOT_SO),
    "router_dtype": ("fp32", "float32", None, NOT_SO),
    "use_rmsnorm": (True, NOT_SO),
    "norm_head": (False, None, NOT_SO),
    "norm_softmax": (False, None, NOT_SO),
    "use_sliding_window": (False, None, NOT_SO),
    "rope_interleave": (False, None, NOT_SO),
    "using_split_qkv_in_self_attention": (False, None, NOT_SO),
}
"""Key of published configurations -> the only values that are supported here."""


def check(config: PreTrainedConfig) -> None:
    """Refuse a configuration that asks for something else than is computed here.

    Raises:
        AnyOrderError: naming the key, what was found and what is allowed.
    """
    for key, found, allowed in _complaints(config):
        raise _refusal(key, found, allowed)


def check_rope_scaling(rope: Any) -> None:
    """Refuse scaled rotary embeddings, as `check` does, but before transformers reads the key and raises other errors.

    Args:
        rope: ``rope_scaling``, or ``rope_parameters`` as transformers writes them.
    """
    keys = {"rope_type", "type", "rope_theta", "partial_rotary_factor"}
    is_plain = not rope or (isinstance(rope, dict) and rope.keys() <= keys and _rope_type(rope) == "default")
    if not is_plain:
        raise _refusal("rope_scaling", rope, "only the default rotary embedding, without scaling (null)")


def _rope_type(rope: dict[str, Any]) -> Any:
    return rope.get("rope_type", rope.get("type", "default"))


def _refusal(key: str, found: Any, allowed: str) -> AnyOrderError:
    return AnyOrderError(
        f"LLaDA2 config.json: {key} is {found!r}, but this model takes {allowed}; use a checkpoint with that, or the"
        " code published with this one"
    )


def _complaints(config: PreTrainedConfig) -> Iterator[tuple[str, Any, str]]:
    """Key, what was found, what is allowed."""
    for key, allowed in LLADA2_FIXED.items():
        found = getattr(config, key, NOT_SO)
        if found not in allowed:
            yield key, found, "only " + " or ".join(repr(value) for value in allowed if value is not NOT_SO)
    yield from _rotary_complaints(config)
    yield from _size_complaints(config)
    if config.num_experts is not None and config.num_hidden_layers > config.first_k_dense_replace:
        yield from _expert_complaints(config)


def _rotary_complaints(config: PreTrainedConfig) -> Iterator[tuple[str, Any, str]]:
    rope = config.rope_parameters
    check_rope_scaling(rope)
    if not isinstance(rope.get("rope_theta"), int | float) or rope["rope_theta"] <= 0:
        yield "rope_theta", rope.get("rope_theta"), "a positive number"
    factor = rope.get("partial_rotary_factor")
    if factor is None:
        yield "partial_rotary_factor", None, "only a stated share of each head that is rotated, 0 < factor <= 1"
        return
    rotated = factor * config.head_dim
    if not 0 < factor <= 1 or rotated != int(rotated) or rotated % 2:
        allowed = f"an even number of rotated dimensions of the {config.head_dim} of a head, 0 < factor <= 1"
        yield "partial_rotary_factor", factor, allowed
    declared = getattr(config, "rotary_dim", None)
    if declared is not None and declared != rotated:
        yield "rotary_dim", declared, f"partial_rotary_factor * head_dim = {rotated:g} rotated dimensions"


def _size_complaints(config: PreTrainedConfig) -> Iterator[tuple[str, Any, str]]:
    for key in ("vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads", "max_position_embeddings"):
        if getattr(config, key) < 1:
            yield key, getattr(config, key), "at least 1"
            return
    heads, shared = config.num_attention_heads, config.num_key_value_heads
    if not 0 < shared <= heads or heads % shared:
        yield "num_key_value_heads", shared, f"a divisor of num_attention_heads, {heads}"
    has_dense = config.num_experts is None or config.first_k_dense_replace > 0
    if has_dense and not config.intermediate_size:
        yield "intermediate_size", config.intermediate_size, "a width for the layers without experts"
    if config.pad_token_id is not None and not 0 <= config.pad_token_id < config.vocab_size:
        yield "pad_token_id", config.pad_token_id, f"a token of its vocabulary, 0..{config.vocab_size - 1}"


def _expert_complaints(config: PreTrainedConfig) -> Iterator[tuple[str, Any, str]]:
    if not config.moe_intermediate_size:
        yield "moe_intermediate_size", config.moe_intermediate_size, "a width for its experts"
    num, groups, kept = config.num_experts, config.n_group, config.topk_group
    # A group is judged by its two best experts.
    if not groups or num % groups or num // groups < 2:
        yield "n_group", groups, f"groups of equal size, at least two of the {num} experts in each"
        return
    if not 0 < kept <= groups:
        yield "topk_group", kept, f"between 1 and n_group, {groups}"
        return
    chosen, available = config.num_experts_per_tok, kept * num // groups
    if not 0 < chosen <= available:
        yield "num_experts_per_tok", chosen, f"between 1 and the {available} experts of topk_group groups"
    # The published code reads no such key: it normalises the weights of several experts and leaves that of a single one.
    if chosen > 1 and not config.norm_topk_prob:
        allowed = "only weights that sum to one (true) where num_experts_per_tok is above 1"
        yield "norm_topk_prob", config.norm_topk_prob, allowed
