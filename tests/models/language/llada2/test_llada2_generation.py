"""Block diffusion: token for token what the published loop writes, several prompts at once."""

import json

import pytest
import torch
from toy_llada2 import CONFIGURATIONS, REFERENCE, checkpoint, random_model

from anyorder.errors import AnyOrderError
from anyorder.models.language.llada2.checkpoint import load_llada2
from anyorder.models.language.llada2.generation import BlockDiffusion, _kept, generate, greedy, sampling

RECORDED = json.loads((REFERENCE / "generations.json").read_text())


def model_of(tmp_path, name):
    return load_llada2(checkpoint(tmp_path, name)).eval()


def settings_of(case):
    names = ["mask_id", "eos_id", "gen_length", "block_length", "steps", "threshold"]
    return BlockDiffusion(**{name: case[name] for name in names})


def sharper(case):
    return lambda logits: greedy(logits * case["scale"])


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_it_writes_what_the_published_loop_writes(tmp_path, name):
    model = model_of(tmp_path, name)
    cases = [case for case in RECORDED if case["config"] == name]
    for case in cases:
        (answer,) = generate(model, [torch.tensor(case["prompt"])], settings_of(case), sharper(case))
        assert answer.tolist() == case["answer"], case
    assert len(cases) == 12 and len({len(case["answer"]) for case in cases}) > 4


@pytest.mark.parametrize("name", CONFIGURATIONS)
@pytest.mark.parametrize("block_length", [4, 8])
def test_prompts_of_unequal_length_together_are_each_alone(tmp_path, name, block_length):
    model = model_of(tmp_path, name)
    prompts = [torch.tensor(case["prompt"]) for case in RECORDED if case["config"] == name]
    mask = model.config.vocab_size - 1
    written = generate(model, prompts, BlockDiffusion(mask, eos_id=mask - 1, gen_length=20, block_length=block_length))
    end = int(max(written, key=len)[7])  # a token that some answers contain
    settings = BlockDiffusion(mask, end, gen_length=20, block_length=block_length, steps=block_length, threshold=0.3)
    together = generate(model, prompts, settings, sharper(RECORDED[0]))
    apart = [generate(model, [prompt], settings, sharper(RECORDED[0]))[0] for prompt in prompts]
    assert [answer.tolist() for answer in together] == [answer.tolist() for answer in apart]
    assert len({len(answer) for answer in apart}) > 1, "they do not all end together"


def test_kept_finished_blocks_change_nothing(tmp_path, monkeypatch):
    """Every pass over the whole text instead of over the block and what is remembered."""
    model = model_of(tmp_path, "a")
    case = next(case for case in RECORDED if len(case["answer"]) > 20 and case["config"] == "a")
    size, mask = case["block_length"], case["mask_id"]
    tokens = torch.tensor(case["prompt"] + [mask] * (len(case["answer"]) + size))
    tokens = tokens[: -(-(len(case["prompt"]) + len(case["answer"])) // size) * size]
    for start in range(len(case["prompt"]) // size * size, len(tokens), size):
        for at_least in settings_of(case).at_least():
            block = slice(start, start + size)
            is_masked = tokens[block] == mask
            if not is_masked.any():
                break
            blocks = torch.arange(start + size) // size
            logits = model(tokens[None, : start + size], attention_mask=(blocks[:, None] >= blocks)[None, None]).logits
            logits[..., mask] = -torch.inf
            token, confidence = sharper(case)(logits[:, block])
            kept = _kept(confidence.masked_fill(~is_masked, -torch.inf), at_least, case["threshold"])[0]
            tokens[block] = torch.where(kept, token[0], tokens[block])
    assert tokens[len(case["prompt"]) :][: len(case["answer"])].tolist() == case["answer"]


def test_what_is_kept_of_a_step():
    confidence = torch.tensor([[0.9, 0.2, 0.95, 0.1], [0.5, 0.4, -torch.inf, 0.3], [-torch.inf] * 3 + [0.2]])

    def kept(at_least):
        return _kept(confidence, at_least, 0.8).int().tolist()

    assert kept(1) == [[1, 0, 1, 0], [1, 0, 0, 0], [0, 0, 0, 1]]
    assert kept(3) == [[1, 1, 1, 0], [1, 1, 0, 1], [0, 0, 0, 1]]
    assert kept(0) == [[1, 0, 1, 0], [0, 0, 0, 0], [0, 0, 0, 0]]


@pytest.mark.parametrize(
    ("settings", "schedule"),
    [
        (dict(block_length=8, steps=8), [1] * 8),
        (dict(block_length=8, steps=3), [3, 3, 2]),
        (dict(block_length=4, steps=6), [1] * 4 + [0] * 2),
    ],
)
def test_a_block_is_spread_over_the_steps(settings, schedule):
    assert BlockDiffusion(1, 2, **settings).at_least() == schedule
    assert BlockDiffusion(1, 2, gen_length=2, **settings).at_least() == {8: [4, 4], 4: [2, 2]}[settings["block_length"]]


def test_fewer_steps_mean_fewer_passes(tmp_path):
    model, mask = model_of(tmp_path, "b"), 63
    passes = []
    model.register_forward_hook(lambda *_: passes.append(1))
    for steps in (8, 2):
        passes.clear()
        settings = BlockDiffusion(mask, mask - 1, gen_length=16, block_length=8, steps=steps, threshold=2.0)
        answer = generate(model, [torch.arange(8)], settings)[0]
        assert len(answer) == 16 and not (answer == mask).any()
        # The prompt, each step of two blocks, and the first block once more when it is finished.
        assert len(passes) == 1 + 2 * steps + 1


def test_sampling_follows_the_distribution():
    logits = torch.tensor([0.0, 1.0, 2.0, -torch.inf]).expand(1, 20000, 4)
    token, confidence = sampling(0.5, generator=torch.Generator().manual_seed(0))(logits)
    expected = (2 * logits[0, 0]).softmax(dim=0)
    assert (token[0].bincount(minlength=4) / 20000 - expected).abs().max() < 0.015
    torch.testing.assert_close(confidence, expected[token])
    token, confidence = sampling(1.0, top_k=2, generator=torch.Generator().manual_seed(0))(logits)
    assert set(token.unique().tolist()) == {1, 2}


def test_a_random_answer_is_repeated_by_its_seed():
    model, mask = random_model("a"), 159
    settings = BlockDiffusion(mask, 158, gen_length=12, block_length=4)
    answers = []
    for seed in (0, 0, 1):
        choose = sampling(1.0, generator=torch.Generator().manual_seed(seed))
        answers.append(generate(model, [torch.arange(5)], settings, choose)[0].tolist())
    assert answers[0] == answers[1] != answers[2]


@pytest.mark.parametrize(
    ("prompt", "settings", "complaint"),
    [
        (0, dict(), "at least one token"),
        (200, dict(gen_length=60, block_length=32), "at most 256 tokens; found 200 and 60"),
        (4, dict(gen_length=0), "gen_length must be at least 1"),
        (4, dict(steps=0), "steps must be at least 1"),
    ],
)
def test_what_cannot_be_generated(prompt, settings, complaint):
    with pytest.raises(AnyOrderError, match=complaint):
        generate(random_model("a"), [torch.zeros(prompt, dtype=torch.int64)], BlockDiffusion(159, 158, **settings))


def test_no_prompts_have_no_answers():
    assert generate(random_model("a"), [], BlockDiffusion(159, 158)) == []


def test_no_temperature_is_no_sampling():
    with pytest.raises(AnyOrderError, match="greedy"):
        sampling(0.0)
