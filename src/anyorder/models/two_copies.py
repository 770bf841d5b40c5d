"""From an order to the attention of two copies: any roles and any ranks, for any bidirectional attention.

One pass holds every element once as it is *asked*, and the elements of ranks with targets once more as they *are*, for
those of a higher rank: the noisy and the clean copy of block diffusion (Arriola et al. 2025, arXiv 2503.09573), for
ranks of any shape.

| form | token | stands at | seen from the levels |
|---|---|---|---|
| query form of CONTEXT | true value | ``own_level`` = 2 * rank | 2 * rank and above |
| query form of HIDDEN | mask token | 2 * rank | 2 * rank and above |
| query form of TARGET | mask token | 2 * rank | 2 * rank alone |
| value form of CONTEXT, TARGET | true value | 2 * rank + 1 | 2 * rank + 1 and above, in place of its query form |
| value form of HIDDEN | mask token | 2 * rank + 1 | the same |
| any form of DROPPED | nothing | - | none |

What is read at a level was made from that level and below, so nothing leaks through any number of layers. What shares
a rank with a target needs a value form too: its query form has read the target's mask token.

Legend: B trajectories, E elements, G value forms, N = E + G forms.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from anyorder.masking.order import NEVER, Order, Role, own_level
from anyorder.models.compiling import uncompiled


@dataclass(frozen=True, eq=False)
class TwoCopies:
    """The forms of a batch: first the query form of every element, in order, then the value forms.

    Attributes:
        element: int64 ``[B, N]``; the element that this is a form of.
        shows_value: bool ``[B, N]``; True where the form carries the true value, False where the mask token.
        positions: int64 ``[B, N]``; where the layout says that the element stands; both forms share it.
        attention: bool ``[B, N, N]``; True where the form of the row may attend to the form of the column. Every form
            attends to itself, and an absent one (padding, DROPPED, an unused value form) to nothing else, so that no
            row is empty.
        asked: bool ``[B, N]``; True for the query forms of targets, which are in row-major order the K targets.
    """

    element: Tensor
    shows_value: Tensor
    positions: Tensor
    attention: Tensor
    asked: Tensor


@uncompiled  # bookkeeping, and torch 2.13 compiles `tensor == IntEnum.MEMBER` to False
def two_copies(positions: Tensor, order: Order) -> TwoCopies:
    """The forms that an order needs and who may attend to whom; see the table above.

    Args:
        positions: int64 ``[B, E]``, where each element stands.
        order: any roles, any ranks. With equal ranks G is 0: plain reconstruction costs one copy.
    """
    roles, ranks = order.roles, order.ranks
    queries = torch.arange(roles.shape[1], device=roles.device).expand_as(roles)
    again, is_used, superseded = _value_forms(order)
    own = own_level(ranks)

    level = torch.cat([own, own.gather(1, again) + 1], dim=1)
    until = torch.cat([(own + 1).where(superseded, NEVER), torch.full_like(again, NEVER, dtype=own.dtype)], dim=1)
    exists = torch.cat([roles != Role.DROPPED, is_used], dim=1)
    element = torch.cat([queries, again], dim=1)
    return TwoCopies(
        element=element,
        shows_value=torch.cat([roles == Role.CONTEXT, is_used & (roles != Role.HIDDEN).gather(1, again)], dim=1),
        positions=positions.gather(1, element),
        attention=_attention(level, until, exists),
        asked=torch.cat([order.targets, torch.zeros_like(is_used)], dim=1),
    )


def _value_forms(order: Order) -> tuple[Tensor, Tensor, Tensor]:
    """Which elements are shown again: int64 ``[B, G]``, and bool ``[B, G]``, False where a row needs fewer than G; and
    bool ``[B, E]``, True for elements whose query form is not looked at from above its level.

    Only targets ask, and what stands at a level moves nothing below it: without a target of a higher rank, a value form
    would move no prediction.
    """
    highest = order.ranks.where(order.targets, -1).amax(dim=1, keepdim=True)
    beside_target = ((order.ranks[:, :, None] == order.ranks[:, None, :]) & order.targets[:, None, :]).any(dim=2)
    needed = beside_target & (order.ranks < highest) & (order.roles != Role.DROPPED)
    num_forms = int(needed.sum(dim=1).max())
    first = needed.to(torch.uint8).argsort(dim=1, descending=True, stable=True)[:, :num_forms]
    return first, needed.gather(1, first), needed | order.targets


def _attention(level: Tensor, until: Tensor, exists: Tensor) -> Tensor:
    """bool ``[B, N, N]``: who stands at a level sees what stands there or below and is not superseded (``until``)."""
    viewer = level[:, :, None]
    sees = (level[:, None, :] <= viewer) & (viewer < until[:, None, :])
    sees &= exists[:, :, None] & exists[:, None, :]
    return sees | torch.eye(level.shape[1], dtype=torch.bool, device=level.device)
