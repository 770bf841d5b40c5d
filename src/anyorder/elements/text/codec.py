"""Text to tokens and back, with any fast tokenizer of Hugging Face."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tokenizers import Tokenizer

from anyorder.errors import AnyOrderError


@dataclass(frozen=True)
class Tokens:
    """A text as tokens.

    Attributes:
        ids: the tokens' numbers in the tokenizer.
        words: for each token, the number of its word in the text, from 0; white space separates words.
    """

    ids: tuple[int, ...]
    words: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.ids)


class TextCodec:
    """A tokenizer that knows which of its tokens are not text: the mask, the end of a unit, padding.

    Text that spells a special token ("[MASK]", "<|endoftext|>") is read as text, never as that token.

    Args:
        tokenizer: a tokenizer of the package `tokenizers`; it is copied.
        mask_id: the token that stands for a hidden one.
        end_id: the token that fills the room of a unit after its text.
        pad_id: the token that pads a batch; may equal ``end_id``, since padding is a kind, not a value. None: ``end_id``.

    Raises:
        AnyOrderError: for a token that the tokenizer does not have, or when mask and end are the same token.
    """

    def __init__(self, tokenizer: Tokenizer, mask_id: int, end_id: int, pad_id: int | None = None) -> None:
        self.mask_id, self.end_id = mask_id, end_id
        self.pad_id = end_id if pad_id is None else pad_id
        for name in ("mask_id", "end_id", "pad_id"):
            if tokenizer.id_to_token(getattr(self, name)) is None:
                raise AnyOrderError(f"{name} must be a token of the tokenizer; found {getattr(self, name)}; choose another")
        if mask_id == end_id:
            raise AnyOrderError(f"the end token is a target, so it must differ from the mask token; found {mask_id} for both")
        # Two tokenizers: whether the names of special tokens are read as text is a setting of the whole tokenizer.
        self._of_text, self._of_marks = (Tokenizer.from_str(tokenizer.to_str()) for _ in range(2))
        for copy in (self._of_text, self._of_marks):
            copy.no_padding()
            copy.no_truncation()
        self._of_text.encode_special_tokens = True

    @classmethod
    def of(cls, tokenizer: Any, mask_id: int | None = None) -> TextCodec:
        """The codec of a `transformers.PreTrainedTokenizerFast`. A unit ends with its eos token, or else its sep token.

        Args:
            tokenizer: a fast one.
            mask_id: the mask token's number in the model's configuration; None takes the tokenizer's own mask token.

        Raises:
            AnyOrderError: for a slow tokenizer, or one that lacks a token.
        """
        if not getattr(tokenizer, "is_fast", False):
            found = type(tokenizer).__name__
            raise AnyOrderError(f"the tokenizer must be a fast one; found {found}; load it with AutoTokenizer")
        mask_id = tokenizer.mask_token_id if mask_id is None else mask_id
        end_id = tokenizer.sep_token_id if tokenizer.eos_token_id is None else tokenizer.eos_token_id
        for name, number in (("a mask", mask_id), ("an eos or sep", end_id)):
            if number is None:
                raise AnyOrderError(f"the tokenizer must have {name} token; found none; give its id")
        return cls(tokenizer.backend_tokenizer, mask_id, end_id, tokenizer.pad_token_id)

    @property
    def size(self) -> int:
        """Number of tokens, added tokens included."""
        return self._of_text.get_vocab_size(with_added_tokens=True)

    def id_of(self, token: str) -> int | None:
        """The id of the token with this name; None if there is none."""
        return self._of_text.token_to_id(token)

    def encode(self, text: str) -> Tokens:
        """The tokens of a text, without the special tokens that a tokenizer would put around it.

        Raises:
            AnyOrderError: for a text whose tokens nevertheless include the mask token or the end token.
        """
        encoding = self._of_text.encode(text, add_special_tokens=False)
        if wrong := {self.mask_id, self.end_id} & set(encoding.ids):
            token = self._of_text.id_to_token(min(wrong))
            raise AnyOrderError(f"a text must not contain the token {token!r}; found it in {text[:60]!r}; choose another")
        number, numbers, inside = -1, [], False
        for character in text:
            number += not character.isspace() and not inside
            inside = not character.isspace()
            numbers.append(max(number, 0))
        return Tokens(tuple(encoding.ids), tuple(numbers[max(end - 1, 0)] for _, end in encoding.offsets))

    def encode_marks(self, text: str) -> tuple[int, ...]:
        """The tokens of a mark; names of special tokens in it stand for these tokens."""
        return tuple(self._of_marks.encode(text, add_special_tokens=False).ids)

    def decode(self, ids: list[int] | tuple[int, ...]) -> str:
        """The text before the first end token."""
        ids = list(ids)
        text = ids[: ids.index(self.end_id)] if self.end_id in ids else ids
        return self._of_text.decode(text, skip_special_tokens=False)
