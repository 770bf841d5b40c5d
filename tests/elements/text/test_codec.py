"""Text stays text; what has a meaning of its own is taken from the tokenizer, never from a string."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from toy_conversations import byte_level, wordpiece
from transformers import PreTrainedTokenizerFast

from anyorder.elements.text.codec import TextCodec
from anyorder.errors import AnyOrderError


@settings(max_examples=50, deadline=None)
@given(text=st.text(st.characters(codec="utf-8"), max_size=40))
def test_bytes_are_given_back_exactly(llada_codec, text):
    tokens = llada_codec.encode(text)
    assert llada_codec.decode(tokens.ids) == text
    assert len(tokens.words) == len(tokens.ids)


@pytest.mark.parametrize("spelled", ["[MASK]", "[SEP] [PAD]", "<|mask|>", "a<|endoftext|>b"])
def test_text_that_spells_a_special_token_is_text(codec, spelled):
    ids = codec.encode(spelled).ids
    assert ids and not {codec.mask_id, codec.end_id, codec.pad_id} & set(ids)


def test_a_mark_is_a_special_token(llada_codec):
    assert len(llada_codec.encode_marks("<|role_end|>")) == 1


def test_words_are_what_white_space_separates(codec):
    tokens = codec.encode("  go to, the\nball")
    spelled = {}
    for token, word in zip(tokens.ids, tokens.words):
        spelled[word] = spelled.get(word, "") + codec.decode([token]).replace("##", "").strip()
    assert [spelled[word] for word in sorted(spelled)] == ["go", "to,", "the", "ball"]


def test_decoding_ends_at_the_first_end(codec):
    go = codec.encode("go").ids
    assert codec.decode([*go, codec.end_id, *go, codec.end_id]) == "go"


def test_ids_come_from_the_tokenizer_or_the_model():
    of_bert = PreTrainedTokenizerFast(tokenizer_object=wordpiece(), mask_token="[MASK]", sep_token="[SEP]", pad_token="[PAD]")
    codec = TextCodec.of(of_bert)
    assert (codec.mask_id, codec.end_id, codec.pad_id) == (4, 3, 0)
    of_llada = PreTrainedTokenizerFast(tokenizer_object=byte_level(), eos_token="<|endoftext|>", pad_token="<|endoftext|>")
    with pytest.raises(AnyOrderError, match="must have a mask token"):
        TextCodec.of(of_llada)
    codec = TextCodec.of(of_llada, mask_id=1)
    assert (codec.mask_id, codec.end_id, codec.pad_id) == (1, 0, 0)


def test_a_slow_tokenizer_an_unknown_token_and_a_mask_that_ends_are_refused():
    with pytest.raises(AnyOrderError, match="the tokenizer must be a fast one; found object"):
        TextCodec.of(object())
    with pytest.raises(AnyOrderError, match="mask_id must be a token.*9999"):
        TextCodec(wordpiece(), 9999, 3)
    with pytest.raises(AnyOrderError, match="must differ from the mask token"):
        TextCodec(wordpiece(), 4, 4)
