"""Checkpoints in the published layout: names and shapes, saved and loaded, and what is refused."""

import hashlib
import json
from math import prod

import pytest
import torch
from safetensors.torch import load_file, save_file
from toy_llada2 import CONFIGURATIONS, checkpoint, numbers, random_model, settings, weights
from transformers import AutoConfig

from anyorder.errors import AnyOrderError
from anyorder.models.language.llada2 import LLaDA2MoeConfig
from anyorder.models.language.llada2.checkpoint import expected_shapes, load_llada2

MINI = dict(
    vocab_size=157184,
    hidden_size=2048,
    intermediate_size=5120,
    num_hidden_layers=20,
    num_attention_heads=16,
    num_key_value_heads=4,
    head_dim=128,
    use_bias=False,
    use_qkv_bias=False,
    rms_norm_eps=1e-6,
    rope_theta=600000,
    partial_rotary_factor=0.5,
    rotary_dim=64,
    rope_scaling=None,
    pad_token_id=156892,
    num_experts=256,
    num_experts_per_tok=8,
    num_shared_experts=1,
    n_group=8,
    topk_group=4,
    routed_scaling_factor=2.5,
    moe_intermediate_size=512,
    first_k_dense_replace=1,
    score_function="sigmoid",
    max_position_embeddings=32768,
)
"""LLaDA2.0-mini, as published."""


def mini_shapes():
    """Every tensor of LLaDA2.0-mini, by hand."""
    shapes = {"lm_head.weight": (157184, 2048), "model.word_embeddings.weight": (157184, 2048)}
    shapes["model.norm.weight"] = (2048,)

    def add_mlp(prefix, width):
        shapes[f"{prefix}.gate_proj.weight"] = shapes[f"{prefix}.up_proj.weight"] = (width, 2048)
        shapes[f"{prefix}.down_proj.weight"] = (2048, width)

    for layer in range(20):
        prefix = f"model.layers.{layer}"
        shapes[f"{prefix}.input_layernorm.weight"] = shapes[f"{prefix}.post_attention_layernorm.weight"] = (2048,)
        shapes[f"{prefix}.attention.query_key_value.weight"] = (3072, 2048)
        shapes[f"{prefix}.attention.dense.weight"] = (2048, 2048)
        for norm in ("query", "key"):
            shapes[f"{prefix}.attention.{norm}_layernorm.weight"] = (128,)
        if layer == 0:
            add_mlp(f"{prefix}.mlp", 5120)
            continue
        shapes[f"{prefix}.mlp.gate.weight"], shapes[f"{prefix}.mlp.gate.expert_bias"] = (256, 2048), (256,)
        add_mlp(f"{prefix}.mlp.shared_experts", 512)
        for expert in range(256):
            add_mlp(f"{prefix}.mlp.experts.{expert}", 512)
    return shapes


def test_the_names_and_shapes_of_the_published_mini():
    shapes = expected_shapes(LLaDA2MoeConfig(**MINI))
    assert shapes == mini_shapes()
    assert len(shapes) == 14813
    # Facts of the published model.safetensors.index.json: its size in bytes, and the names in its weight_map.
    assert 2 * sum(prod(shape) for shape in shapes.values()) == 32511286784
    names = hashlib.sha256("\n".join(sorted(shapes)).encode()).hexdigest()
    assert names == "061ba0e76dca16dce716e1e8bf88ac400a2479cdcf0afe6134e70d024c1c2598"


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_what_is_expected_is_what_was_published(name):
    shapes = expected_shapes(LLaDA2MoeConfig(**settings(name)))
    assert shapes == {tensor: tuple(value.shape) for tensor, value in weights(name).items()}


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_saved_again_every_tensor_is_the_same(tmp_path, name):
    load_llada2(checkpoint(tmp_path / "published", name)).save_pretrained(tmp_path / "ours", max_shard_size="60KB")
    index = json.loads((tmp_path / "ours" / "model.safetensors.index.json").read_text())
    files = sorted((tmp_path / "ours").glob("*.safetensors"))
    saved = {tensor: (file.name, value) for file in files for tensor, value in load_file(file).items()}
    assert len(files) > 2 and index["weight_map"] == {tensor: file for tensor, (file, _) in saved.items()}
    published = weights(name)
    assert saved.keys() == published.keys()
    for tensor, value in published.items():
        assert saved[tensor][1].dtype == value.dtype and torch.equal(saved[tensor][1], value), tensor
    config = json.loads((tmp_path / "ours" / "config.json").read_text())
    assert {key: config[key] for key in settings(name)} == settings(name)
    recorded = numbers(name)
    with torch.no_grad():
        again = load_llada2(tmp_path / "ours").eval()(recorded["input_ids"]).logits
    torch.testing.assert_close(again, recorded["logits_full"], atol=1e-5, rtol=0)


def test_fresh_weights_are_saved_in_the_published_layout_too(tmp_path):
    model = random_model("b").bfloat16()
    model.save_pretrained(tmp_path)
    saved = load_file(tmp_path / "model.safetensors")
    assert {name: tuple(value.shape) for name, value in saved.items()} == expected_shapes(model.config)
    assert {value.dtype for value in saved.values()} == {torch.bfloat16}
    assert load_llada2(tmp_path).dtype == torch.bfloat16
    ids = numbers("b")["input_ids"]
    assert torch.equal(load_llada2(tmp_path).eval()(ids).logits, model(ids).logits)


def test_a_configuration_keeps_the_published_keys(tmp_path):
    known = settings("a") | {"rotary_dim": 8, "router_dtype": "fp32", "auto_map": {"AutoModel": "some.Model"}}
    (tmp_path / "config.json").write_text(json.dumps(known))
    config = AutoConfig.from_pretrained(tmp_path)
    assert type(config) is LLaDA2MoeConfig
    config.save_pretrained(tmp_path / "again")
    again = json.loads((tmp_path / "again" / "config.json").read_text())
    assert {key: again[key] for key in known} == known
    assert again["rope_scaling"] is None and "rope_parameters" not in again
    assert AutoConfig.from_pretrained(tmp_path / "again").rope_parameters == config.rope_parameters


def broken(folder, change):
    """A checkpoint with one thing wrong."""
    tensors = weights("a")
    change(tensors)
    save_file(tensors, checkpoint(folder, "a") / "model.safetensors")
    return folder


NAME = "model.layers.2.mlp.experts.3.up_proj.weight"


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda tensors: tensors.pop(NAME), f"lacks the tensor {NAME};"),
        (lambda tensors: [tensors.pop(name) for name in list(tensors) if "expert_bias" in name], "expert_bias and 1 more"),
        (lambda tensors: tensors.update({"model.extra.weight": torch.ones(7)}), "has, .* the tensor model.extra.weight"),
        (lambda tensors: tensors.update({NAME: torch.ones(7, 64)}), rf"{NAME} has the shape \(7, 64\), .*\(32, 64\)"),
    ],
)
def test_incomplete_checkpoints_are_refused(tmp_path, change, complaint):
    with pytest.raises(AnyOrderError, match=complaint):
        load_llada2(broken(tmp_path, change))


def test_empty_tensors_may_be_left_out(tmp_path):
    tensors = {name: tensor for name, tensor in weights("c").items() if tensor.numel()}
    assert len(tensors) < len(weights("c"))
    save_file(tensors, checkpoint(tmp_path, "c") / "model.safetensors")
    recorded = numbers("c")
    logits = load_llada2(tmp_path).eval()(recorded["input_ids"]).logits
    torch.testing.assert_close(logits, recorded["logits_full"], atol=1e-5, rtol=0)


def test_what_is_no_checkpoint_is_refused(tmp_path):
    with pytest.raises(AnyOrderError, match="there is no file"):
        load_llada2(tmp_path)
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    with pytest.raises(AnyOrderError, match="model_type llada2_moe, found bert"):
        load_llada2(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps(settings("a") | {"hidden_size": "wide"}))
    with pytest.raises(AnyOrderError, match="config.json: "):
        load_llada2(tmp_path)
    checkpoint(tmp_path, "a")
    (tmp_path / "model.safetensors").write_bytes(b"damaged")
    with pytest.raises(AnyOrderError, match="could not read"):
        load_llada2(tmp_path)
    (tmp_path / "model.safetensors").unlink()
    with pytest.raises(AnyOrderError, match="could not read"):
        load_llada2(tmp_path)
