"""Tokenizers: read from a folder, or made from the texts of a data set."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from anyorder.errors import AnyOrderError

END, MASK = "<|endoftext|>", "<|mask|>"
"""Names of special tokens, as in LLaDA2's tokenizer; the end of text is also the padding token."""


def read_tokenizer(folder: Path, trust_remote_code: bool = False) -> PreTrainedTokenizerFast:
    """The tokenizer in a folder.

    Raises:
        AnyOrderError: when there is no tokenizer, or it is not a fast one.
    """
    try:
        found = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=trust_remote_code)
    except Exception as error:  # the files may hold anything, and several libraries read them
        reason = " ".join(str(error).split())
        raise AnyOrderError(
            f"could not read a tokenizer from {folder} ({reason}); copy tokenizer.json and"
            " tokenizer_config.json there, or name another language_model.tokenizer"
        ) from None
    if not isinstance(found, PreTrainedTokenizerFast):
        raise AnyOrderError(f"the tokenizer must be a fast one (tokenizer.json); found {type(found).__name__} in {folder}")
    return found


def make_tokenizer(texts: Iterable[str], size: int) -> PreTrainedTokenizerFast:
    """A byte-level BPE tokenizer of these texts, which gives back any text exactly.

    Args:
        texts: the texts to learn from; the same texts make the same tokenizer.
        size: largest number of tokens, at least 258: one for each byte, and the two special tokens.
    """
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=size, special_tokens=[END, MASK], initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator(texts, trainer)
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token=END, pad_token=END, mask_token=MASK)
