"""Random streams that depend on what they are for, not on how often they were used before.

A stream named by (seed, purpose, index) is the same whether a run was interrupted or not, so resuming needs no
saved generator state.
"""

from __future__ import annotations

import hashlib

import torch


def stream(seed: int, *names: int | str) -> torch.Generator:
    """A CPU generator for one purpose, e.g. ``stream(seed, "order", update)``; equal names give equal streams."""
    digest = hashlib.sha256(repr((seed, *names)).encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:8], "little") >> 1)
