"""Any roles and ranks through the interface of all masked language models, as LLaDA2 runs: single precision, grouped
matrix multiplication. (`tests/models/language/test_masked_lm.py` holds the same interface to more, in double precision.)"""

import pytest
import torch
from toy_llada2 import checkpoint, numbers
from toy_text import ROWS, random_order, random_values, text_layout

from anyorder.masking.order import reconstruct, sees_value
from anyorder.models.language.llada2.checkpoint import load_llada2
from anyorder.models.language.masked_lm import MaskedLanguageModel

MASK = 63
"""Of configurations b and d."""


@pytest.fixture(scope="module", params=["b", "d"])
def model(request, tmp_path_factory):
    folder = checkpoint(tmp_path_factory.mktemp("model") / "base", request.param)
    model = MaskedLanguageModel(load_llada2(folder).eval(), MASK)
    assert model.model.config._experts_implementation == "grouped_mm"
    return model


def test_all_hidden_tokens_at_once_are_the_published_model(tmp_path):
    """The recorded inputs hold mask tokens; asked for, they get the recorded logits."""
    recorded = numbers("b")
    ids, valid = recorded["input_ids"], recorded["valid"]
    layout = text_layout([[(1, 0, int(length))] for length in valid.sum(dim=1)])
    hidden = (ids == MASK) & valid
    wrapped = MaskedLanguageModel(load_llada2(checkpoint(tmp_path, "b")).eval(), MASK)
    logits = wrapped(ids.masked_fill(hidden, 0), layout, reconstruct(layout, hidden))
    expected = recorded["logits_pad"][hidden].index_fill(1, torch.tensor([MASK]), -torch.inf)
    assert hidden.sum() == 10
    torch.testing.assert_close(logits, expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize("seed", range(4))
def test_no_forbidden_value_moves_a_logit(model, seed):
    layout = text_layout(ROWS[:1], pad_to=12)
    order, values, width = random_order(layout, 4, seed), random_values(layout, seed), layout.shape[1]
    changed = values.repeat(width + 1, 1)
    changed[torch.arange(width), torch.arange(width)] = values[0] + 30
    rows = torch.zeros(width + 1, dtype=torch.int64)
    with torch.no_grad():
        logits = model(changed, layout.rows(rows), order.rows(rows))[:, :MASK].view(width + 1, -1, MASK)
    moved = (logits[:-1] - logits[-1:]).abs().amax(dim=-1)
    may_see = sees_value(order.roles[0][:, None], order.ranks[0][:, None], order.ranks[order.targets])
    assert may_see.any() and not may_see.all()
    assert torch.equal(moved > 1e-4, may_see), moved


@pytest.mark.slow  # FlexAttention is compiled
def test_flex_attention_honours_orders(model):
    torch._dynamo.reset()
    layout = text_layout(ROWS)
    values, order = random_values(layout, 0), random_order(layout, 4, 0)
    expected = model(values, layout, order)
    model.model.set_attn_implementation("flex_attention")
    with torch.no_grad():  # no gradients on a CPU
        got = model(values, layout, order)
    model.model.set_attn_implementation("sdpa")
    torch.testing.assert_close(got, expected, atol=1e-5, rtol=0)
