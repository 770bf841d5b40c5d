"""LoRA on attention and experts: it begins as the model, learns, is saved, loaded and merged."""

import sys

import pytest
import torch
from safetensors.torch import load_file
from torch.nn import functional
from toy_llada2 import checkpoint, numbers, weights
from toy_text import ROWS, random_order, random_values, text_layout

from anyorder.errors import AnyOrderError
from anyorder.models.language.llada2.checkpoint import load_llada2
from anyorder.models.language.llada2.lora import llada2_lora, merge
from anyorder.models.language.masked_lm import MaskedLanguageModel


def trained(folder, ids, **options):
    """A model whose adapter has learned a little, and its losses."""
    torch.manual_seed(0)
    model, losses = load_llada2(folder), []
    model.add_adapter(llada2_lora(rank=2, alpha=4, **options))
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-2)
    for _ in range(8):
        loss = model(ids, labels=ids).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return model.eval(), losses


def test_an_adapter_begins_as_the_model_and_learns(tmp_path):
    ids, folder = numbers("a")["input_ids"], checkpoint(tmp_path, "a")
    model, losses = trained(folder, ids)
    untouched = load_llada2(folder)(ids, labels=ids).loss.item()
    assert losses[0] == pytest.approx(untouched, abs=1e-6) and losses[-1] < losses[0] - 0.2
    learned = {name.split(".lora_")[0].split("layers.")[1] for name, p in model.named_parameters() if p.requires_grad}
    dense = {f"0.mlp.{name}_proj" for name in ("gate", "up", "down")}
    attention = {f"{layer}.attention.{name}" for layer in range(3) for name in ("query_key_value", "dense")}
    experts = {f"{layer}.mlp.experts{which}" for layer in (1, 2) for which in ("", ".base_layer")}
    shared = {f"{layer}.mlp.shared_experts.{name}_proj" for layer in (1, 2) for name in ("gate", "up", "down")}
    assert learned == dense | attention | experts | shared


def test_attention_alone(tmp_path):
    model, losses = trained(checkpoint(tmp_path, "a"), numbers("a")["input_ids"], experts=False)
    assert losses[-1] < losses[0]
    assert all(".attention." in name for name, p in model.named_parameters() if p.requires_grad)


@pytest.mark.parametrize("name", ["a", "b"])
def test_saved_loaded_and_merged_it_says_the_same(tmp_path, name):
    ids, folder = numbers(name)["input_ids"], checkpoint(tmp_path / "base", name)
    model, _ = trained(folder, ids)
    model.save_pretrained(tmp_path / "adapter")
    expected = model(ids).logits
    again = load_llada2(folder)
    again.load_adapter(tmp_path / "adapter")
    torch.testing.assert_close(again.eval()(ids).logits, expected, atol=1e-6, rtol=0)
    merge(folder, tmp_path / "adapter", tmp_path / "merged")
    torch.testing.assert_close(load_llada2(tmp_path / "merged").eval()(ids).logits, expected, atol=1e-5, rtol=0)
    saved = load_file(tmp_path / "merged" / "model.safetensors")
    assert saved.keys() == weights(name).keys()
    same = {tensor for tensor, value in weights(name).items() if torch.equal(saved[tensor], value)}
    # A token passes few experts, so some of them saw none.
    in_expert = {tensor for tensor in saved if ".experts." in tensor}
    kept = {tensor for tensor in saved if any(part in tensor for part in ("norm", ".gate.", "bias", "embed", "head"))}
    assert same - in_expert == kept and in_expert - same


def losses_on_an_order(folder, checkpointing):
    """Of eight updates of an adapter, on an order of any roles and four ranks."""
    torch.manual_seed(0)
    model, layout = load_llada2(folder), text_layout(ROWS)
    model.add_adapter(llada2_lora(rank=2))
    if checkpointing:
        model.activation_checkpointing_enable()
    wrapped, losses = MaskedLanguageModel(model, 159).train(), []
    values, order = random_values(layout, 0), random_order(layout, 4, 0)
    optimizer = torch.optim.AdamW([p for p in wrapped.parameters() if p.requires_grad], lr=1e-2)
    for _ in range(8):
        loss = functional.cross_entropy(wrapped(values, layout, order), values[order.targets])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


def test_an_adapter_learns_any_order_with_and_without_checkpointing(tmp_path):
    plain, checkpointed = (losses_on_an_order(checkpoint(tmp_path, "a"), choice) for choice in (False, True))
    assert plain[-1] < plain[0] - 0.2
    assert checkpointed == pytest.approx(plain, abs=1e-4)


def test_without_peft_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "peft", None)
    with pytest.raises(AnyOrderError, match=r"pip install 'anyorder\[llada2\]'"):
        llada2_lora()
