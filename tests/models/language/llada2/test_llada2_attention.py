"""Who attends to whom: blocks, padding, masks of every type, the cache; the same under every implementation."""

import pytest
import torch
from toy_llada2 import checkpoint, numbers, random_model
from transformers.cache_utils import DynamicCache

from anyorder.models.language.llada2.attention import block_causal
from anyorder.models.language.llada2.checkpoint import load_llada2


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return load_llada2(checkpoint(tmp_path_factory.mktemp("model"), "a")).eval()


@pytest.fixture
def ids():
    return numbers("a")["input_ids"]


def say(model, ids, **inputs):
    with torch.no_grad():
        return model(ids, **inputs).logits


def test_blocks_by_hand():
    positions = torch.tensor([[0, 1, 2, 3, 4], [3, 2, 0, 1, 9]])
    present = torch.tensor([[True] * 5, [True] * 4 + [False]])
    allowed = block_causal(positions, 2, present)
    assert allowed.shape == (2, 1, 5, 5) and allowed.dtype == torch.bool
    assert allowed[0, 0].int().tolist() == [[1, 1, 0, 0, 0]] * 2 + [[1, 1, 1, 1, 0]] * 2 + [[1] * 5]
    assert allowed[1, 0].int().tolist() == [[1, 1, 1, 1, 0]] * 2 + [[0, 0, 1, 1, 0]] * 2 + [[1, 1, 1, 1, 0]]


def test_it_is_bidirectional_and_sees_no_future_block(model, ids):
    positions = torch.arange(40).expand(2, -1)
    changed = ids.clone()
    changed[:, 20] = (ids[:, 20] + 1) % 150
    moved = (say(model, ids) - say(model, changed)).abs().amax(dim=-1) > 1e-6
    assert moved.all()
    allowed = block_causal(positions, 8)
    before, after = (say(model, tokens, attention_mask=allowed) for tokens in (ids, changed))
    assert torch.equal(before[:, :16], after[:, :16])
    assert ((before - after).abs().amax(dim=-1) > 1e-6)[:, 16:].all()


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
def test_masks_of_every_type_mean_the_same(model, ids, attention):
    model.set_attn_implementation(attention)
    allowed = numbers("a")["random_attention"]
    added = torch.zeros(allowed.shape).masked_fill(~allowed, -torch.inf)
    lowest = torch.zeros(allowed.shape).masked_fill(~allowed, torch.finfo(torch.float32).min)
    expected = say(model, ids, attention_mask=allowed)
    for other in (allowed.long(), added, lowest):
        torch.testing.assert_close(say(model, ids, attention_mask=other), expected, atol=1e-6, rtol=0)
    shared = say(model, ids, attention_mask=allowed[:1])
    torch.testing.assert_close(shared[0], expected[0], atol=1e-6, rtol=0)
    model.set_attn_implementation("sdpa")


def test_scores_can_be_raised(model, ids):
    """A floating mask is added, so it can weigh and not only forbid."""
    weight = torch.zeros(1, 1, 40, 40)
    weight[..., 3] = 2.0
    sdpa = say(model, ids, attention_mask=weight)
    assert (sdpa - say(model, ids)).abs().max() > 1e-3
    model.set_attn_implementation("eager")
    torch.testing.assert_close(say(model, ids, attention_mask=weight), sdpa, atol=1e-5, rtol=0)
    model.set_attn_implementation("sdpa")


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
@pytest.mark.parametrize("dtype", [torch.bool, torch.float32])
def test_rows_that_may_attend_to_nothing_harm_nobody(model, ids, attention, dtype):
    model.set_attn_implementation(attention)
    present = numbers("a")["valid"]
    allowed = (present[:, None, :, None] & present[:, None, None, :]).expand(2, 1, 40, 40)
    assert not allowed.any(dim=-1).all()
    given = allowed if dtype == torch.bool else torch.zeros(allowed.shape).masked_fill(~allowed, -torch.inf)
    logits = say(model, ids, attention_mask=given)
    assert logits.isfinite().all()
    padded = say(model, ids, attention_mask=present.long())
    torch.testing.assert_close(logits[present], padded[present], atol=1e-6, rtol=0)
    model.set_attn_implementation("sdpa")


def test_other_shapes_are_refused(model, ids):
    with pytest.raises(ValueError, match=r"\[B, M\] or \[B, 1, N, M\]; found the shape \(2, 40, 40\)"):
        model(ids, attention_mask=torch.ones(2, 40, 40))
    with pytest.raises(ValueError, match="either input_ids or inputs_embeds"):
        model()


def test_embeddings_instead_of_tokens(model, ids):
    embedded = model.get_input_embeddings()(ids)
    assert torch.equal(say(model, None, inputs_embeds=embedded), say(model, ids))


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
def test_blocks_read_one_by_one_are_the_whole(model, ids, attention):
    """Keys and values of earlier blocks come from the cache; padding on the left."""
    model.set_attn_implementation(attention)
    present = torch.ones(2, 40, dtype=torch.bool)
    present[1, :8] = False
    positions = (present.cumsum(dim=1) - 1).clamp(min=0)
    column = torch.arange(40).expand(2, -1)
    whole = say(model, ids, attention_mask=block_causal(column, 8, present), position_ids=positions)
    cache, parts = DynamicCache(config=model.config), []
    for start in range(0, 40, 8):
        columns = slice(start, start + 8)
        allowed = present[:, None, None, : start + 8].expand(2, 1, 8, -1)
        parts.append(
            say(model, ids[:, columns], attention_mask=allowed, position_ids=positions[:, columns], past_key_values=cache)
        )
    together = torch.cat(parts, dim=1)
    torch.testing.assert_close(together[present], whole[present], atol=1e-5, rtol=0)
    model.set_attn_implementation("sdpa")


def test_positions_count_on_from_the_cache(model, ids):
    first = model(ids[:, :16], use_cache=True)
    rest = say(model, ids[:, 16:], past_key_values=first.past_key_values)
    allowed = torch.ones(40, 40, dtype=torch.bool)
    allowed[:16, 16:] = False
    torch.testing.assert_close(rest, say(model, ids, attention_mask=allowed[None, None])[:, 16:], atol=1e-5, rtol=0)


GIVEN = {
    "none": lambda recorded: None,
    "padding": lambda recorded: recorded["valid"].long(),
    "random": lambda recorded: recorded["random_attention"],
    "one for all": lambda recorded: recorded["random_attention"][:1],
    "added": lambda recorded: torch.zeros(2, 1, 40, 40).masked_fill(~recorded["random_attention"], -torch.inf),
    "blocks": lambda recorded: block_causal(torch.arange(40).expand(2, -1), 8),
}


@pytest.mark.slow  # FlexAttention is compiled
@pytest.mark.parametrize("given", GIVEN)
def test_flex_attention_gives_the_same(model, ids, given):
    torch._dynamo.reset()  # torch 2.13 on a CPU cannot compile it a second time, for any shape
    recorded = numbers("a")
    mask = GIVEN[given](recorded)
    expected = say(model, ids, attention_mask=mask)
    model.set_attn_implementation("flex_attention")
    try:
        got = say(model, ids, attention_mask=mask)
    finally:
        model.set_attn_implementation("sdpa")
    torch.testing.assert_close(got[recorded["valid"]], expected[recorded["valid"]], atol=1e-5, rtol=0)


def test_gradient_checkpointing_changes_no_gradient():
    ids, gradients = numbers("b")["input_ids"], []
    for checkpointing in (False, True):
        torch.manual_seed(0)
        model = random_model("b").train()
        if checkpointing:
            model.activation_checkpointing_enable()
        calls = []
        model.model.layers[0].mlp.register_forward_pre_hook(lambda *_, calls=calls: calls.append(1))
        model(ids, labels=ids).loss.backward()
        assert len(calls) == 1 + checkpointing, "a layer is computed again"
        gradients.append([parameter.grad for parameter in model.parameters()])
    assert all(gradient is not None for gradient in gradients[0])
    torch.testing.assert_close(*gradients, atol=1e-6, rtol=1e-5)


def test_the_loss_is_that_of_the_token_at_its_own_place(model, ids):
    labels = ids.masked_fill(torch.rand(ids.shape, generator=torch.Generator().manual_seed(0)) < 0.5, -100)
    at = labels != -100
    expected = -say(model, ids).log_softmax(dim=-1)[at].gather(1, ids[at][:, None]).mean()
    torch.testing.assert_close(model(ids, labels=labels).loss, expected, atol=1e-6, rtol=0)


def test_what_can_be_recorded(model, ids):
    model.set_attn_implementation("eager")
    outputs = model(ids, output_attentions=True, output_hidden_states=True, output_router_logits=True)
    model.set_attn_implementation("sdpa")
    assert len(outputs.attentions) == 3 and outputs.attentions[0].shape == (2, 4, 40, 40)
    assert len(outputs.hidden_states) == 4
    assert [logits.shape for logits in outputs.router_logits] == [(80, 16)] * 2


def test_cast_to_half_precision_it_rotates_as_before(model):
    exact = model.model.rotary_emb.inv_freq.clone()
    half = random_model("a").bfloat16()
    assert half.model.rotary_emb.inv_freq.dtype == torch.float32
    assert torch.equal(half.model.rotary_emb.inv_freq, exact)
    assert half.to("meta").model.rotary_emb.inv_freq.is_meta


def test_logits_of_some_positions(model, ids):
    all_of_them = say(model, ids)
    torch.testing.assert_close(say(model, ids, logits_to_keep=3), all_of_them[:, -3:], atol=1e-6, rtol=0)
    some = say(model, ids, logits_to_keep=torch.tensor([4, 7]))
    torch.testing.assert_close(some, all_of_them[:, [4, 7]], atol=1e-6, rtol=0)
