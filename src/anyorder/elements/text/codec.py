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
        ids: of the tokenizer.
        words: for each token the number of the word (what white space separates) that it is part of, from 0.
    """

    ids: tuple[int, ...]
    words: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.ids)


class TextCodec:
    """A tokenizer, and which of its tokens mean something else than text.

    Text that spells a special token ("[MASK]", "<|endoftext|>") is read as text, never as that token.

    Args:
        tokenizer: as `tokenizers` has it; it is copied.
        mask_id: the token of what is hidden.
        end_id: what is written after the last token of a unit, up to the end of its room.
        pad_id: what fills a batch; may equal ``end_id``, since padding is a kind, not a value. None: ``end_id``.

    Raises:
        AnyOrderError: for a token that the tokenizer does not have, or one that is both mask and end.
    """

    def __init__(self, tokenizer: Tokenizer, mask_id: int, end_id: int, pad_id: int | None = None) -> None:
        self.mask_id, self.end_id = mask_id, end_id
        self.pad_id = end_id if pad_id is None else pad_id
        for name in ("mask_id", "end_id", "pad_id"):
            if tokenizer.id_to_token(getattr(self, name)) is None:
                raise AnyOrderError(f"{name} is a token of the tokenizer, found {getattr(self, name)}; choose another")
        if mask_id == end_id:
            raise AnyOrderError(f"the end of a unit is a target, so it is not the mask token; found {mask_id} for both")
        # Two, as a tokenizer is told once whether special tokens in a text are text.
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
            mask_id: as the model's configuration has it; None asks the tokenizer.

        Raises:
            AnyOrderError: for a slow tokenizer, or one that lacks a token.
        """
        if not getattr(tokenizer, "is_fast", False):
            found = type(tokenizer).__name__
            raise AnyOrderError(f"a fast tokenizer is needed, found {found}; load it with AutoTokenizer")
        mask_id = tokenizer.mask_token_id if mask_id is None else mask_id
        end_id = tokenizer.sep_token_id if tokenizer.eos_token_id is None else tokenizer.eos_token_id
        for name, number in (("mask", mask_id), ("eos or sep", end_id)):
            if number is None:
                raise AnyOrderError(f"a tokenizer with {name} token is needed, found none; give its id")
        return cls(tokenizer.backend_tokenizer, mask_id, end_id, tokenizer.pad_token_id)

    @property
    def size(self) -> int:
        """Number of tokens, those added among them."""
        return self._of_text.get_vocab_size(with_added_tokens=True)

    def id_of(self, token: str) -> int | None:
        """The id of a token by its name."""
        return self._of_text.token_to_id(token)

    def encode(self, text: str) -> Tokens:
        """The tokens of a text, without any that a tokenizer would put around it.

        Raises:
            AnyOrderError: should a text contain the mask token or the end all the same.
        """
        encoding = self._of_text.encode(text, add_special_tokens=False)
        if wrong := {self.mask_id, self.end_id} & set(encoding.ids):
            token = self._of_text.id_to_token(min(wrong))
            raise AnyOrderError(f"a text does not contain the token {token!r}, found it in {text[:60]!r}; choose another")
        number, numbers, inside = -1, [], False
        for character in text:
            number += not character.isspace() and not inside
            inside = not character.isspace()
            numbers.append(max(number, 0))
        return Tokens(tuple(encoding.ids), tuple(numbers[max(end - 1, 0)] for _, end in encoding.offsets))

    def encode_marks(self, text: str) -> tuple[int, ...]:
        """The tokens of a separator, in which special tokens are what they are."""
        return tuple(self._of_marks.encode(text, add_special_tokens=False).ids)

    def decode(self, ids: list[int] | tuple[int, ...]) -> str:
        """The text before the first end token."""
        ids = list(ids)
        text = ids[: ids.index(self.end_id)] if self.end_id in ids else ids
        return self._of_text.decode(text, skip_special_tokens=False)
