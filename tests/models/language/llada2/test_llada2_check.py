"""Configurations that cannot be honoured are refused before anything is computed, naming the key."""

import json

import pytest
from toy_llada2 import CONFIGURATIONS, checkpoint, settings
from transformers import AutoModelForMaskedLM

from anyorder.errors import AnyOrderError
from anyorder.models.language.llada2 import LLaDA2MoeConfig, LLaDA2MoeModelLM
from anyorder.models.language.llada2.check import check
from anyorder.models.language.llada2.checkpoint import load_llada2

REFUSED = [
    ("rope_scaling", {"rope_scaling": {"rope_type": "yarn", "factor": 4.0}}, "'yarn'"),
    ("rope_scaling", {"rope_scaling": {"type": "linear", "factor": 2.0}}, "'linear'"),
    ("rope_scaling", {"rope_scaling": {"rope_type": "llama3"}}, "'llama3'"),
    ("rope_scaling", {"rope_scaling": "yarn"}, "'yarn'"),
    ("rope_scaling", {"rope_scaling": {"factor": 2.0}}, "without scaling"),
    ("rope_scaling", {"rope_scaling": {"rope_type": "default", "mrope_section": [2, 2]}}, "mrope"),
    ("rope_scaling", {"rope_parameters": {"rope_type": "yarn", "rope_theta": 1e4, "factor": 4.0}}, "'yarn'"),
    ("rope_interleave", {"rope_interleave": True}, "only False"),
    ("hidden_size", {"hidden_size": 0}, "at least 1"),
    ("num_attention_heads", {"num_attention_heads": 0, "head_dim": None}, "at least 1"),
    ("rope_theta", {"rope_theta": 0}, "positive"),
    ("partial_rotary_factor", {"partial_rotary_factor": None}, "None"),
    ("partial_rotary_factor", {"partial_rotary_factor": 1.5}, "1.5"),
    ("partial_rotary_factor", {"partial_rotary_factor": 0.3}, "even number"),
    ("rotary_dim", {"rotary_dim": 16}, "= 8 rotated"),
    ("tie_word_embeddings", {"tie_word_embeddings": True}, "only False"),
    ("hidden_act", {"hidden_act": "gelu"}, "only 'silu'"),
    ("score_function", {"score_function": "softmax"}, "only 'sigmoid'"),
    ("moe_router_enable_expert_bias", {"moe_router_enable_expert_bias": False}, "only True"),
    ("router_dtype", {"router_dtype": "bf16"}, "'fp32'"),
    ("norm_topk_prob", {"norm_topk_prob": False}, "sum to one"),
    ("use_rmsnorm", {"use_rmsnorm": False}, "only True"),
    ("norm_head", {"norm_head": True}, "only False"),
    ("norm_softmax", {"norm_softmax": True}, "only False"),
    ("use_sliding_window", {"use_sliding_window": True}, "only False"),
    ("using_split_qkv_in_self_attention", {"using_split_qkv_in_self_attention": True}, "only False"),
    ("num_key_value_heads", {"num_key_value_heads": 3}, "divisor of num_attention_heads, 4"),
    ("num_key_value_heads", {"num_key_value_heads": 0}, "divisor"),
    ("intermediate_size", {"intermediate_size": None}, "layers without experts"),
    ("moe_intermediate_size", {"moe_intermediate_size": None}, "experts"),
    ("pad_token_id", {"pad_token_id": 160}, "0..159"),
    ("n_group", {"n_group": 3}, "equal size"),
    ("n_group", {"n_group": 16}, "at least two"),
    ("topk_group", {"topk_group": 5}, "between 1 and n_group, 4"),
    ("num_experts_per_tok", {"num_experts_per_tok": 9}, "8 experts"),
]


@pytest.mark.parametrize(("key", "changes", "says"), REFUSED)
def test_what_cannot_be_honoured_is_refused(key, changes, says):
    with pytest.raises(AnyOrderError, match=f"config.json: {key} is ") as error:
        LLaDA2MoeModelLM(LLaDA2MoeConfig(**settings("a") | changes))
    assert says in str(error.value)


@pytest.mark.parametrize("read", [AutoModelForMaskedLM.from_pretrained, load_llada2])
def test_a_checkpoint_is_refused_however_it_is_loaded(tmp_path, read):
    checkpoint(tmp_path, "a")
    changed = settings("a") | {"rope_scaling": {"rope_type": "dynamic", "factor": 2}}
    (tmp_path / "config.json").write_text(json.dumps(changed))
    with pytest.raises(AnyOrderError, match="rope_scaling is .*'dynamic'.*without scaling"):
        read(tmp_path)


def without(name, *keys):
    return {key: value for key, value in settings(name).items() if key not in keys}


def test_a_checkpoint_must_say_how_much_is_rotated():
    with pytest.raises(AnyOrderError, match="partial_rotary_factor is None"):
        check(LLaDA2MoeConfig(**without("a", "partial_rotary_factor")))
    config = LLaDA2MoeConfig(**without("a", "partial_rotary_factor"), rotary_dim=8)
    check(config)
    model = LLaDA2MoeModelLM(config)
    assert config.partial_rotary_factor == 0.5 and len(model.model.rotary_emb.inv_freq) == 4


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_good_configurations_pass(name):
    check(LLaDA2MoeConfig(**settings(name)))


@pytest.mark.parametrize(
    "changes",
    [
        {"norm_topk_prob": False, "num_experts_per_tok": 1},
        {"rope_scaling": {"rope_type": "default"}},
        {"rope_parameters": {"rope_type": "default", "rope_theta": 600000, "partial_rotary_factor": 0.5}},
        {"rope_scaling": None, "rotary_dim": 8},
        {"num_experts": None},
        {"first_k_dense_replace": 3, "moe_intermediate_size": None},
    ],
)
def test_other_ways_to_ask_for_the_same_pass(changes):
    LLaDA2MoeModelLM(LLaDA2MoeConfig(**settings("a") | changes))
