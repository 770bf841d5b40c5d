"""Codecs of two kinds of tokenizers."""

import pytest
from toy_conversations import byte_level, wordpiece

from anyorder.elements.text.codec import TextCodec


@pytest.fixture(scope="session")
def bert_codec():
    tokenizer = wordpiece()
    ids = [tokenizer.token_to_id(token) for token in ("[MASK]", "[SEP]", "[PAD]")]
    return TextCodec(tokenizer, *ids)


@pytest.fixture(scope="session")
def llada_codec():
    """Its padding equals its end."""
    tokenizer = byte_level()
    return TextCodec(tokenizer, tokenizer.token_to_id("<|mask|>"), tokenizer.token_to_id("<|endoftext|>"))


@pytest.fixture(params=["bert", "llada"])
def codec(request):
    return request.getfixturevalue(f"{request.param}_codec")
