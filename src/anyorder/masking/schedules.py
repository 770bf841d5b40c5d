"""Rates: which share of the elements is hidden, per trajectory and over the course of training.

Legend: B trajectories.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeGuard

import torch
from torch import Tensor

from anyorder.config import RateSpec
from anyorder.parsing import brief


@dataclass(frozen=True)
class Rate:
    """The hidden share of one trajectory, drawn uniformly between ``low`` and ``high`` or from ``choices``.

    Attributes:
        low, high: bounds of a uniform draw, 0 <= low <= high <= 1; equal bounds make a constant.
        choices: when not empty, each trajectory draws one of these with equal chance instead.
    """

    low: float = 0.0
    high: float = 0.0
    choices: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        for value in (self.low, self.high, *self.choices):
            if not 0.0 <= value <= 1.0:
                raise ValueError(f"a rate is the hidden share and must lie between 0 and 1; found {value}")
        if self.low > self.high:
            raise ValueError(f"a uniform rate must have low <= high; found {self.low} > {self.high}")

    def sample(self, num: int, generator: torch.Generator) -> Tensor:
        """float32 ``[num]``: one rate per trajectory."""
        if self.choices:
            picked = torch.randint(len(self.choices), (num,), generator=generator)
            return torch.tensor(self.choices)[picked]
        if self.low == self.high:
            return torch.full((num,), self.low)
        return self.low + (self.high - self.low) * torch.rand(num, generator=generator)


@dataclass(frozen=True)
class AntitheticRate(Rate):
    """A rate uniform between ``low`` and ``high`` whose draws for one batch are spread evenly: with one u uniform on
    (0, 1), trajectory i of n gets the share ``(u + i / n) mod 1`` of the way. Each alone is uniform, together they
    vary little (the low-discrepancy sampler of masked diffusion: VDM, Kingma et al., 2021; MDLM, Sahoo et al., 2024).
    """

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.choices:
            raise ValueError(f"an antithetic rate must have two bounds and no choices; found the choices {self.choices}")

    def sample(self, num: int, generator: torch.Generator) -> Tensor:
        """float32 ``[num]``: one rate per trajectory, ``num`` equal steps apart around the circle."""
        share = (torch.rand(1, generator=generator, dtype=torch.float64) + torch.arange(num) / max(num, 1)) % 1
        return (self.low + (self.high - self.low) * share).float()


Schedule = Callable[[float], Rate]
"""From the progress of training, 0 at the first update and 1 at the last, to the rate."""


def constant(rate: Rate) -> Schedule:
    """The same rate throughout."""
    return lambda progress: rate


def linear(start: float, end: float) -> Schedule:
    """A constant rate per update that moves from ``start`` to ``end`` in a straight line."""
    return lambda progress: _fixed(start + (end - start) * progress)


def cosine(start: float, end: float) -> Schedule:
    """A constant rate per update that moves from ``start`` to ``end`` along half a cosine: slowly, fast, slowly."""
    return lambda progress: _fixed(end + (start - end) * 0.5 * (1 + math.cos(math.pi * progress)))


def step(*rates: float) -> Schedule:
    """The rates in turn, each for an equal part of training (the AOMT paper: 0.15, 0.30, 0.50)."""
    return lambda progress: _fixed(rates[min(int(progress * len(rates)), len(rates) - 1)])


def _fixed(rate: float) -> Rate:
    return Rate(rate, rate)


SHAPES: dict[str, Callable[..., Schedule]] = {
    "uniform": lambda low, high: constant(Rate(low, high)),
    "antithetic": lambda low, high: constant(AntitheticRate(low, high)),
    "linear": linear,
    "cosine": cosine,
    "step": step,
}


def schedule_from(spec: RateSpec) -> Schedule:
    """Read a rate as configs write it.

    - a number: constant;
    - a list: each trajectory draws one of its rates;
    - ``{uniform: [low, high]}``: each trajectory draws one between the two;
    - ``{antithetic: [low, high]}``: the same, the draws of a batch spread evenly (`AntitheticRate`);
    - ``{linear: [start, end]}``, ``{cosine: [start, end]}``, ``{step: [r1, r2, ...]}``: over the updates.

    Raises:
        ValueError: saying which forms are allowed and what was found.
    """
    if _is_rate(spec):
        return constant(_fixed(spec))
    if _are_rates(spec):
        return constant(Rate(choices=tuple(spec)))
    if isinstance(spec, dict) and len(spec) == 1:
        ((name, rates),) = spec.items()
        if name in SHAPES and _are_rates(rates) and (name == "step" or len(rates) == 2):
            return SHAPES[name](*rates)
    raise ValueError(
        "a rate is the hidden share and must be a number between 0 and 1, a list of such numbers, or one of"
        " {uniform: [low, high]}, {antithetic: [low, high]}, {linear: [start, end]}, {cosine: [start, end]},"
        " {step: [rate, ...]};"
        f" found {brief(spec)}"
    )


def _is_rate(spec: object) -> TypeGuard[float]:
    return isinstance(spec, (int, float)) and not isinstance(spec, bool) and 0 <= spec <= 1


def _are_rates(spec: object) -> TypeGuard[Sequence[float]]:
    return isinstance(spec, (list, tuple)) and len(spec) > 0 and all(map(_is_rate, spec))
