"""The same logits as the published code, under full, padded, block-causal and random attention."""

import pytest
import torch
from toy_llada2 import CONFIGURATIONS, checkpoint, numbers
from transformers import AutoModel, AutoModelForCausalLM, AutoModelForMaskedLM

from anyorder.models.language.llada2 import LLaDA2MoeModel, LLaDA2MoeModelLM
from anyorder.models.language.llada2.attention import block_causal

TOLERANCE = 1e-5
"""Ten times finer than asked for; differences of rounding are below 5e-6."""


@pytest.fixture(scope="module", params=CONFIGURATIONS)
def loaded(request, tmp_path_factory):
    """A model and the published code's numbers."""
    folder = checkpoint(tmp_path_factory.mktemp("published") / "model", request.param)
    model, info = AutoModelForMaskedLM.from_pretrained(folder, output_loading_info=True)
    assert not any(info.values()), info
    return model.eval(), numbers(request.param)


WAYS = [("sdpa", "grouped_mm"), ("eager", "grouped_mm"), ("sdpa", "eager"), ("sdpa", "batched_mm")]


@pytest.fixture(params=WAYS, ids="-".join)
def compared(request, loaded):
    """With each way to compute attention and experts."""
    model, recorded = loaded
    attention, experts = request.param
    before = model.config._attn_implementation, model.config._experts_implementation
    model.set_attn_implementation(attention)
    model.set_experts_implementation(experts)
    yield model, recorded
    model.set_attn_implementation(before[0])
    model.set_experts_implementation(before[1])


def say(model, recorded, **inputs):
    with torch.no_grad():
        return model(recorded["input_ids"], **inputs).logits


def test_full_attention(compared):
    model, recorded = compared
    torch.testing.assert_close(say(model, recorded), recorded["logits_full"], atol=TOLERANCE, rtol=0)


def test_padding(compared):
    model, recorded = compared
    valid = recorded["valid"]
    logits = say(model, recorded, attention_mask=valid.long())
    torch.testing.assert_close(logits[valid], recorded["logits_pad"][valid], atol=TOLERANCE, rtol=0)
    assert not torch.allclose(logits, recorded["logits_full"], atol=1e-2), "padding was seen"


def test_block_diffusion(compared):
    model, recorded = compared
    positions = torch.arange(recorded["input_ids"].shape[1]).expand(2, -1)
    logits = say(model, recorded, attention_mask=block_causal(positions, 8), position_ids=positions)
    torch.testing.assert_close(logits, recorded["logits_block"], atol=TOLERANCE, rtol=0)


def test_any_attention_and_positions(compared):
    model, recorded = compared
    attention, positions = recorded["random_attention"], recorded["random_positions"]
    logits = say(model, recorded, attention_mask=attention, position_ids=positions)
    torch.testing.assert_close(logits, recorded["logits_random"], atol=TOLERANCE, rtol=0)


def test_grouped_matrix_multiplication_is_the_default(loaded):
    assert loaded[0].config._experts_implementation == "grouped_mm"
    assert loaded[0].config._attn_implementation == "sdpa"


@pytest.mark.parametrize(
    ("auto", "kind"),
    [(AutoModel, LLaDA2MoeModel), (AutoModelForMaskedLM, LLaDA2MoeModelLM), (AutoModelForCausalLM, LLaDA2MoeModelLM)],
)
def test_the_auto_classes_know_it(tmp_path, auto, kind):
    model = auto.from_pretrained(checkpoint(tmp_path, "a"))
    assert type(model) is kind
    recorded = numbers("a")
    base = model.base_model(recorded["input_ids"]).last_hidden_state
    if kind is LLaDA2MoeModelLM:
        torch.testing.assert_close(model.lm_head(base), recorded["logits_full"], atol=TOLERANCE, rtol=0)
