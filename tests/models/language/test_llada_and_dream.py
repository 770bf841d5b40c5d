"""LLaDA and Dream compute what their published code does, from checkpoints in the published layout.

`reference` holds random weights, and logits that published code made with them: LLaDA's, as Fast-dLLM distributes it (it can
only let all attend to all, in order), with as many heads of keys and values as of queries and with half of them; Dream's,
from a copy of its repository's files, also with a random attention mask and positions in any order.
"""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from tokenizers import ByteLevelBPETokenizer
from transformers import AutoModelForMaskedLM

from anyorder.elements.text.tokenizers import read_tokenizer
from anyorder.errors import AnyOrderError
from anyorder.models.language.dream import DreamModel
from anyorder.models.language.llada import LLaDAConfig, LLaDAModelLM

REFERENCE = Path(__file__).parent / "reference"
KINDS = {"llada": LLaDAModelLM, "llada_grouped": LLaDAModelLM, "dream": DreamModel}


@pytest.fixture(params=KINDS)
def published(request, tmp_path):
    """Name, a checkpoint folder and what was recorded."""
    recorded = load_file(REFERENCE / f"{request.param}.safetensors")
    weights = {name.removeprefix("weights."): recorded.pop(name) for name in list(recorded) if name.startswith("weights.")}
    save_file(weights, tmp_path / "model.safetensors", {"format": "pt"})
    (tmp_path / "config.json").write_text((REFERENCE / f"{request.param}.json").read_text())
    return request.param, tmp_path, recorded


def load(folder):
    model, found = AutoModelForMaskedLM.from_pretrained(folder, output_loading_info=True)
    assert not any(found.values())
    return model.eval()


def test_logits_are_those_of_the_published_code(published):
    name, folder, recorded = published
    model = load(folder)
    assert type(model) is KINDS[name]
    with torch.no_grad():
        logits = model(input_ids=recorded["tokens"]).logits
    torch.testing.assert_close(logits, recorded["logits"], atol=1e-5, rtol=0)
    if name == "dream":
        attention = torch.zeros(recorded["allowed"].shape).masked_fill(~recorded["allowed"], -torch.inf)
        with torch.no_grad():
            logits = model(input_ids=recorded["tokens"], attention_mask=attention, position_ids=recorded["positions"]).logits
        torch.testing.assert_close(logits, recorded["masked_logits"], atol=1e-5, rtol=0)


def test_saved_it_is_in_the_published_layout_again(published):
    _, folder, _ = published
    load(folder).save_pretrained(folder / "again")
    before, after = (load_file(path / "model.safetensors") for path in (folder, folder / "again"))
    assert before.keys() == after.keys() and all(torch.equal(before[name], after[name]) for name in before)
    said, again = (json.loads((path / "config.json").read_text()) for path in (folder, folder / "again"))
    changed = {key: (said[key], again.get(key)) for key in said if again.get(key) != said[key]}
    changed.pop("torch_dtype", None)  # transformers calls it dtype now
    assert not {key for key in changed if not key.startswith("rope")}, changed


def test_the_embedding_of_padding_learns(published):
    _, folder, _ = published
    model = load(folder)
    model(input_ids=torch.full((1, 3), model.config.pad_token_id)).logits.sum().backward()
    assert model.get_input_embeddings().weight.grad[model.config.pad_token_id].abs().sum() > 0


@pytest.mark.parametrize(
    "choice", [{"block_type": "sequential"}, {"alibi": True}, {"weight_tying": True}, {"bias_for_layer_norm": True}], ids=str
)
def test_a_llada_that_cannot_be_honoured_is_refused(choice):
    settings = json.loads((REFERENCE / "llada.json").read_text())
    (key,) = choice
    with pytest.raises(AnyOrderError, match=key):
        LLaDAConfig(**settings | choice)


def test_dreams_tokenizer_is_read_without_its_code(tmp_path):
    texts = ["go to the red ball, it's 12345 steps"]
    maker = ByteLevelBPETokenizer()
    maker.train_from_iterator(texts, vocab_size=280, show_progress=False)
    maker.save_model(str(tmp_path))
    mask = {"content": "<|mask|>", "special": True, "lstrip": False, "rstrip": False, "normalized": False, "single_word": False}
    settings = {
        "tokenizer_class": "DreamTokenizer",
        "auto_map": {"AutoTokenizer": ["tokenization_dream.DreamTokenizer", None]},
        "mask_token": "<|mask|>",
        "added_tokens_decoder": {str(maker.get_vocab_size()): mask},
    }
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(settings))
    (tmp_path / "config.json").write_text((REFERENCE / "dream.json").read_text())
    found = read_tokenizer(tmp_path)
    assert found.mask_token_id == maker.get_vocab_size()
    assert found(texts[0]).input_ids == maker.encode(texts[0]).ids
    assert found.decode(found(texts[0]).input_ids) == texts[0]
