"""Merged experts and back: the same tensors, the names that dFactory uses, nothing half written."""

import json

import pytest
import torch
from safetensors.torch import load_file
from toy_llada2 import CONFIGURATIONS, checkpoint, numbers, settings, weights

from anyorder.errors import AnyOrderError
from anyorder.models.language.llada2.checkpoint import load_llada2
from anyorder.models.language.llada2.conversion import merge_experts, split_experts


def stored(folder):
    index = json.loads((folder / "model.safetensors.index.json").read_text())
    tensors = {name: tensor for file in folder.glob("*.safetensors") for name, tensor in load_file(file).items()}
    assert tensors.keys() == index["weight_map"].keys()
    assert all(name in load_file(folder / file) for name, file in index["weight_map"].items())
    assert index["metadata"]["total_size"] == sum(tensor.nbytes for tensor in tensors.values())
    return tensors


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_there_and_back(tmp_path, name):
    source, published = checkpoint(tmp_path / "published", name), weights(name)
    (source / "tokenizer.json").write_text("{}")
    merge_experts(source, tmp_path / "merged", shard_bytes=40_000)
    merged, num_experts = stored(tmp_path / "merged"), settings(name)["num_experts"]
    first = settings(name)["first_k_dense_replace"]
    for layer in range(first, settings(name)["num_hidden_layers"]):
        for projection in ("gate_proj", "up_proj", "down_proj"):
            prefix = f"model.layers.{layer}.mlp.experts"
            expected = torch.stack([published.pop(f"{prefix}.{e}.{projection}.weight") for e in range(num_experts)])
            assert torch.equal(merged.pop(f"{prefix}.{projection}"), expected)
    assert merged.keys() == published.keys() and all(torch.equal(merged[t], published[t]) for t in merged)
    assert json.loads((tmp_path / "merged" / "config.json").read_text())["model_type"] == "llada2_moe_veomni"
    split_experts(tmp_path / "merged", tmp_path / "again", shard_bytes=50_000)
    again, published = stored(tmp_path / "again"), weights(name)
    assert again.keys() == published.keys() and all(torch.equal(again[t], published[t]) for t in again)
    assert json.loads((tmp_path / "again" / "config.json").read_text()) == settings(name)
    assert (tmp_path / "again" / "tokenizer.json").read_text() == "{}"
    assert len(list((tmp_path / "again").glob("*.safetensors"))) > 1
    with torch.no_grad():
        logits = load_llada2(tmp_path / "again").eval()(numbers(name)["input_ids"]).logits
    torch.testing.assert_close(logits, numbers(name)["logits_full"], atol=1e-5, rtol=0)


def test_merged_experts_are_not_loaded_as_something_else(tmp_path):
    merge_experts(checkpoint(tmp_path / "published", "a"), tmp_path / "merged")
    with pytest.raises(AnyOrderError, match="expected model_type llada2_moe, found llada2_moe_veomni"):
        load_llada2(tmp_path / "merged")
    with pytest.raises(AnyOrderError, match="lacks the tensor .*experts.down_proj and 5 more"):
        split_experts(tmp_path / "published", tmp_path / "other")
    with pytest.raises(AnyOrderError, match="found llada2_moe_veomni"):
        merge_experts(tmp_path / "merged", tmp_path / "other")
    with pytest.raises(AnyOrderError, match="lacks the tensor .*experts.0.down_proj.weight"):
        merge_experts(_as_published(tmp_path / "merged"), tmp_path / "other")
    assert not (tmp_path / "other").exists()


def _as_published(folder):
    (folder / "config.json").write_text(json.dumps(settings("a")))
    return folder


def test_nothing_is_overwritten_or_left_behind(tmp_path, monkeypatch):
    source = checkpoint(tmp_path / "published", "a")
    with pytest.raises(AnyOrderError, match="exists already"):
        merge_experts(source, source)
    for convert in (merge_experts, split_experts):
        with pytest.raises(AnyOrderError, match="there is no file .*config.json"):
            convert(tmp_path, tmp_path / "merged")

    def fail(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("anyorder.models.language.llada2.conversion.save_file", fail)
    with pytest.raises(OSError):
        merge_experts(source, tmp_path / "merged")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["published"]
