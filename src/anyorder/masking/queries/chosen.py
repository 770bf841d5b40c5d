"""A query of any roles and ranks that a user chose.

Legend: B trajectories, E elements.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from anyorder.elements.layout import Layout
from anyorder.masking.order import Order, Role


@dataclass(frozen=True, eq=False)
class RolesQuery:
    """Any roles, and any ranks, that a user chose.

    Attributes:
        roles: integers ``[B, E]``, a `Role` each; padding is DROPPED, at least one element a TARGET.
        ranks: integers ``[B, E]``, >= 0; None: all equal.
    """

    roles: Tensor
    ranks: Tensor | None = None

    def __call__(self, layout: Layout) -> Order:
        ranks = torch.zeros_like(self.roles) if self.ranks is None else self.ranks
        for name, tensor, highest in (("roles", self.roles, max(Role)), ("ranks", ranks, 2**30)):
            if tensor.is_floating_point() or tensor.dtype == torch.bool or tensor.shape != layout.shape:
                raise ValueError(f"{name} must be integers {list(layout.shape)}; found {tensor.dtype} {list(tensor.shape)}")
            if bool(((tensor < 0) | (tensor > highest)).any()):
                found = [int(number) for number in tensor.aminmax()]
                raise ValueError(f"{name} must lie between 0 and {int(highest)}; found {found[0]} to {found[1]}")
        if bool((self.roles[~layout.present] != Role.DROPPED).any()):
            raise ValueError(f"padding must be DROPPED ({int(Role.DROPPED)}); found another role where no element exists")
        if not bool((self.roles == Role.TARGET).any()):
            raise ValueError(f"a query must ask for at least one element (role TARGET, {int(Role.TARGET)}); found none")
        return Order(self.roles.to(torch.uint8), ranks.to(torch.int32))
