"""A baseline that copies: what stood where the visible surroundings looked most like those of a hidden token.

Legend: N views, E tokens, K targets.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from anyorder.evaluation.text_questions import TextQuestions

PAIRS_AT_ONCE = 2**23
"""So many pairs of tokens are compared at once: 32 views of 512 tokens."""


@dataclass(frozen=True, eq=False)
class TextCopies:
    """The answers of a baseline that copies.

    Attributes:
        tokens: int64 ``[K]``; -1 where nothing visible looks alike.
        agreement: int64 ``[K]``: how many visible tokens around the hidden one and around the copied one agree; 0 where
            nothing is copied.
    """

    tokens: Tensor
    agreement: Tensor


def copied_tokens(questions: TextQuestions) -> TextCopies:
    """For each target, the visible token of the same trajectory whose surroundings agree most with the target's.

    From the target and from a candidate one goes left, and likewise right, step by step, until two visible tokens differ or the
    trajectory ends; the agreement is the number of pairs of equal visible tokens. Pairs in which one is hidden are passed over,
    so a hidden turn is copied from a turn that follows the same turns, token by token. Among equals the nearest candidate is
    copied, of two that are equally near the one before.
    """
    values, asked, visible = questions.values, questions.asked, questions.visible
    at_once = max(1, PAIRS_AT_ONCE // values.shape[1] ** 2)
    parts = [
        _copied(*(one[start : start + at_once] for one in (values, asked, visible))) for start in range(0, len(values), at_once)
    ]
    tokens, agreement = (torch.cat(found) for found in zip(*parts, strict=True))
    return TextCopies(tokens, agreement)


def _copied(values: Tensor, asked: Tensor, visible: Tensor) -> tuple[Tensor, Tensor]:
    """The tokens and the agreements of a few views, int64 ``[K']`` each."""
    rows, places = asked.nonzero(as_tuple=True)
    width = values.shape[1]
    after = _agreed_before(values.flip(1), visible.flip(1)).flip(1, 2)
    agreed = (_agreed_before(values, visible) + after)[rows, places].long()
    candidates = torch.arange(width)
    distance = 2 * (candidates - places[:, None]).abs() - (candidates < places[:, None]).long()
    preferred = (4 * width * agreed - distance).masked_fill(~visible[rows] | (agreed == 0), -1)
    best, place = preferred.max(dim=1)
    nothing = best < 0
    agreed = agreed.gather(1, place[:, None])[:, 0]
    return values[rows, place].masked_fill(nothing, -1), agreed.masked_fill(nothing, 0)


def _agreed_before(values: Tensor, visible: Tensor) -> Tensor:
    """int32 ``[N, E, E]``: how many visible tokens left of the second place agree with those left of the third."""
    num_views, width = values.shape
    found = torch.zeros(num_views, width, width, dtype=torch.int32)
    for place in range(1, width):
        token, seen = values[:, place - 1, None], visible[:, place - 1, None]
        so_far = found[:, place - 1, :-1]
        agreed = torch.where(token == values[:, :-1], so_far + 1, 0)
        found[:, place, 1:] = torch.where(seen & visible[:, :-1], agreed, so_far)
    return found
