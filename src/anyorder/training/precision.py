"""Which precision a run computes in, where the configuration leaves it open."""

from __future__ import annotations

import os
import time
from statistics import median
from typing import Literal, cast

import torch

FASTER = 1.5
"""So many times as fast must the products of bf16 be: the rest of an update gains nothing, and casts take time."""
_ROWS, _WIDTH, _TRIALS = 4096, 64, 9


Precision = Literal["no", "bf16", "fp16"]


def quickest_precision() -> Precision:
    """``bf16`` on a device whose matrix products are much faster in it, else ``no``; under ``accelerate launch``, what
    Accelerate is set to. On a CPU it is measured, for some milliseconds: some are slower in bf16 by two orders of magnitude.
    """
    launched = os.environ.get("ACCELERATE_MIXED_PRECISION")
    if launched in ("no", "bf16", "fp16"):
        return cast(Precision, launched)
    if torch.cuda.is_available():
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "no"
    return "bf16" if _seconds(torch.float32) > FASTER * _seconds(torch.bfloat16) else "no"


def _seconds(dtype: torch.dtype) -> float:
    """Median seconds of a product like those of a small model."""
    left, right = torch.ones(_ROWS, _WIDTH, dtype=dtype), torch.ones(_WIDTH, _WIDTH, dtype=dtype)
    left @ right  # the first one prepares
    seconds = []
    for _ in range(_TRIALS):
        start = time.perf_counter()
        left @ right
        seconds.append(time.perf_counter() - start)
    return median(seconds)
