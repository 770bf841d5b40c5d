"""Models that would not do as they are told are refused when they are wrapped, each with its reason."""

import pytest
import torch
from toy_text import MASK, SIZES, bert, dream, llada, llada2, modern_bert
from transformers import (
    BertForMaskedLM,
    EsmConfig,
    EsmForMaskedLM,
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    RobertaConfig,
    RobertaForMaskedLM,
)

from anyorder.errors import AnyOrderError
from anyorder.models.language import masked_lm
from anyorder.models.language.masked_lm import MaskedLanguageModel


def test_a_mask_token_outside_the_vocabulary_is_refused():
    with pytest.raises(ValueError, match="resize"):
        MaskedLanguageModel(bert(), MASK + 1)


class Deaf(BertForMaskedLM):
    """Loses its attention mask."""

    def forward(self, attention_mask=None, **inputs):
        return super().forward(**inputs)


class Lost(BertForMaskedLM):
    """Loses its position ids."""

    def forward(self, position_ids=None, **inputs):
        return super().forward(**inputs)


class Narrow(BertForMaskedLM):
    """Knows no position ids."""

    def forward(self, input_ids, attention_mask=None):
        return super().forward(input_ids=input_ids, attention_mask=attention_mask)


SMALL = SIZES | dict(num_hidden_layers=2, intermediate_size=32, initializer_range=0.3, bos_token_id=1, eos_token_id=1)
REFUSED = {
    "BERT as a decoder": (lambda: bert(is_decoder=True), "causal"),
    "Llama": (lambda: LlamaForCausalLM(LlamaConfig(**SMALL)), "causal"),
    "GPT-2": (lambda: GPT2LMHeadModel(GPT2Config(**SMALL)), "causal"),
    "no attention mask": (lambda: Deaf(bert().config), "ignores its attention mask"),
    "no position ids": (lambda: Lost(bert().config), "position ids"),
    "positions with an offset": (lambda: RobertaForMaskedLM(RobertaConfig(**SMALL)), "position ids"),
    "unknown arguments": (lambda: Narrow(bert().config), "cannot be called"),
    "two-dimensional masks alone": (lambda: EsmForMaskedLM(EsmConfig(**SMALL, mask_token_id=MASK)), "cannot be called"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_models_that_would_not_do_as_they_are_told_are_refused(case):
    torch.manual_seed(0)
    make, complaint = REFUSED[case]
    with pytest.raises(AnyOrderError, match=complaint):
        MaskedLanguageModel(make(), MASK)


def test_a_lost_window_is_noticed(monkeypatch):
    monkeypatch.setattr(masked_lm, "_window", lambda model: None)
    with pytest.raises(AnyOrderError, match="position ids"):
        MaskedLanguageModel(modern_bert(), MASK)


@pytest.mark.parametrize("training", [True, False])
def test_the_probe_leaves_the_model_as_it_was(training):
    model = bert().train(training)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    MaskedLanguageModel(model, MASK)
    assert all(module.training == training for module in model.modules())
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    assert not model.base_model._forward_hooks


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
@pytest.mark.parametrize("make", [bert, modern_bert, llada2, llada, dream])
def test_good_models_are_accepted_in_every_precision(make, dtype):
    assert MaskedLanguageModel(make().to(dtype), MASK)


@pytest.mark.parametrize("make", [bert, modern_bert, llada2, llada, dream])
def test_models_that_know_nothing_yet_are_accepted(make):
    """Weights as small as those that training starts from, where position hardly matters."""
    assert MaskedLanguageModel(make(initializer_range=0.02).float(), MASK)
