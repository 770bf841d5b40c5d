"""Muon (Jordan et al. 2024): steps whose singular values are all alike, for the matrices between hidden features.

torch's own `torch.optim.Muon` computes one matrix after the other, in bfloat16. A small model has dozens of small matrices,
so that is a tenth of an update, and more where bfloat16 is slow; here matrices of one size are computed together, in their
own precision. A test holds the two to the same steps.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from itertools import groupby
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

COEFFICIENTS = (3.4445, -4.7750, 2.0315)
"""Of the Newton-Schulz iteration, Jordan's: steepest at zero; singular values end between 0.7 and 1.2."""
ITERATIONS = 5
EPSILON = 1e-7
BUFFER = "momentum_buffer"


class Muon(Optimizer):
    """Orthogonalised momentum with decoupled weight decay.

    Steps are as large as AdamW's of the same learning rate: 0.2 times the root of the larger side (Liu et al. 2025,
    arXiv:2502.16982).

    Args:
        groups: parameter groups with ``params``, ``lr`` and ``weight_decay``; every parameter is a matrix.
        momentum: share of the past in the momentum, as Nesterov has it.
    """

    def __init__(self, groups: Iterable[dict[str, Any]], momentum: float = 0.9) -> None:
        super().__init__(groups, {"lr": 1e-3, "weight_decay": 0.0, "momentum": momentum})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """Update every matrix that has a gradient."""
        loss = closure() if closure is not None else None
        for group in self.param_groups:
            matrices = sorted((p for p in group["params"] if p.grad is not None), key=_sides)
            for _, alike in groupby(matrices, key=_sides):
                self._step_alike(list(alike), group["lr"], group["weight_decay"], group["momentum"])
        return loss

    def _step_alike(self, matrices: list[Tensor], rate: float, weight_decay: float, momentum: float) -> None:
        gradients = [matrix.grad for matrix in matrices if matrix.grad is not None]
        states = [self.state[matrix] for matrix in matrices]
        for state, gradient in zip(states, gradients):
            if BUFFER not in state:
                state[BUFFER] = torch.zeros_like(gradient)
        buffers = [state[BUFFER] for state in states]
        torch._foreach_lerp_(buffers, gradients, 1 - momentum)
        ahead = torch._foreach_lerp(gradients, buffers, momentum)
        steps = orthogonalised(torch.stack([_wide(step) for step in ahead])).unbind()
        size = 0.2 * math.sqrt(max(matrices[0].shape))
        torch._foreach_mul_(matrices, 1 - rate * weight_decay)
        turned = [step if step.shape == matrix.shape else step.mT for matrix, step in zip(matrices, steps)]
        torch._foreach_add_(matrices, turned, alpha=-rate * size)


def orthogonalised(matrices: Tensor) -> Tensor:
    """The nearest (half-)orthogonal matrices, nearly: the same singular vectors, and singular values near 1.

    Args:
        matrices: float ``[n, rows, columns]``; quickest with no more rows than columns.
    """
    found = matrices / matrices.norm(dim=(1, 2), keepdim=True).clamp(min=EPSILON)
    linear, cubic, quintic = COEFFICIENTS
    for _ in range(ITERATIONS):
        gram = found @ found.mT
        found = torch.baddbmm(found, torch.baddbmm(gram, gram, gram, beta=cubic, alpha=quintic), found, beta=linear)
    return found


def _sides(matrix: Tensor) -> list[int]:
    return sorted(matrix.shape)


def _wide(matrix: Tensor) -> Tensor:
    return matrix.mT if matrix.shape[0] > matrix.shape[1] else matrix
