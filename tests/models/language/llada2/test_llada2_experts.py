"""Which experts a token passes, and with what weight: against a router written out by hand."""

import pytest
import torch
from toy_llada2 import CONFIGURATIONS, settings

from anyorder.models.language.llada2 import LLaDA2MoeConfig
from anyorder.models.language.llada2.blocks import LLaDA2MoeGate, LLaDA2MoeSparseMoeBlock


def by_hand(scores, bias, config):
    """{expert: weight} of one token, in plain Python."""
    size = config.num_experts // config.n_group
    biased = [s + b for s, b in zip(scores, bias)]
    groups = [biased[g * size : (g + 1) * size] for g in range(config.n_group)]
    worth = [sum(sorted(group)[-2:]) for group in groups]
    kept = sorted(range(config.n_group), key=lambda g: worth[g])[-config.topk_group :]
    allowed = [e for e in range(config.num_experts) if e // size in kept]
    chosen = sorted(allowed, key=lambda e: biased[e])[-config.num_experts_per_tok :]
    total = sum(scores[e] for e in chosen) if len(chosen) > 1 else 1.0
    return {e: config.routed_scaling_factor * scores[e] / total for e in chosen}


@pytest.mark.parametrize("bias_level", [0.0, -2.0, 3.0])
@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_the_router(name, bias_level):
    torch.manual_seed(0)
    config = LLaDA2MoeConfig(**settings(name))
    gate = LLaDA2MoeGate(config)
    with torch.no_grad():
        gate.weight.normal_()
        gate.e_score_correction_bias.normal_(bias_level, 0.3)
        hidden = 0.3 * torch.randn(1, 50, config.hidden_size)
        _, weights, chosen = gate(hidden)
    scores = (hidden[0].double() @ gate.weight.double().T).sigmoid()
    groups = set()
    for token in range(50):
        expected = by_hand(scores[token].tolist(), gate.e_score_correction_bias.tolist(), config)
        assert dict(zip(chosen[token].tolist(), weights[token].tolist())) == pytest.approx(expected, abs=1e-5)
        groups.add(tuple(sorted({e // (config.num_experts // config.n_group) for e in expected})))
    assert len(groups) > 1 or config.n_group == 1, "tokens go to different groups"


def test_a_group_that_is_not_kept_is_excluded():
    """All biased scores are negative, so an expert whose score were set to zero would be the best."""
    config = LLaDA2MoeConfig(**settings("a") | dict(num_experts=4, n_group=2, topk_group=1, num_experts_per_tok=2))
    gate = LLaDA2MoeGate(config)
    with torch.no_grad():
        gate.weight.zero_()
        gate.e_score_correction_bias.copy_(torch.tensor([-3.0, -2.0, -5.0, -5.0]))
    assert gate(torch.ones(1, 1, 64))[2].tolist() in ([[0, 1]], [[1, 0]])


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_a_token_passes_its_experts_and_the_shared_one(name):
    torch.manual_seed(0)
    config = LLaDA2MoeConfig(**settings(name))
    config._experts_implementation = "grouped_mm"
    block = LLaDA2MoeSparseMoeBlock(config)
    with torch.no_grad():
        for parameter in block.parameters():
            parameter.normal_(std=0.2)
        hidden = torch.randn(2, 3, config.hidden_size)
        got = block(hidden)
        _, weights, chosen = block.gate(hidden)
        expected = torch.zeros_like(hidden) if block.shared_experts is None else block.shared_experts(hidden)
        for token in range(6):
            x = hidden.flatten(0, 1)[token]
            for expert, weight in zip(chosen[token].tolist(), weights[token]):
                gate, up = (block.experts.gate_up_proj[expert] @ x).chunk(2)
                out = block.experts.down_proj[expert] @ (torch.nn.functional.silu(gate) * up)
                expected.view(6, -1)[token] += weight * out
    torch.testing.assert_close(got, expected, atol=1e-5, rtol=1e-5)


def test_training_moves_router_and_experts():
    torch.manual_seed(0)
    config = LLaDA2MoeConfig(**settings("a"))
    config._experts_implementation = "grouped_mm"
    block = LLaDA2MoeSparseMoeBlock(config)
    for parameter in block.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    block(torch.randn(2, 8, 64)).square().sum().backward()
    assert block.gate.weight.grad.abs().sum() > 0
    assert (block.experts.gate_up_proj.grad.abs().sum(dim=(1, 2)) > 0).sum() > 4
