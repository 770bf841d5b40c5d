"""Random streams, each named by its purpose, so that none depends on how often another was used.

A stream named by (seed, purpose, index) gives the same numbers whether a run was interrupted or not, so a run can
resume without any saved generator state.
"""

from __future__ import annotations

import hashlib

import torch


def stream(seed: int, *names: int | str) -> torch.Generator:
    """A CPU generator for one purpose, e.g. ``stream(seed, "order", update)``; equal names give equal streams."""
    digest = hashlib.sha256(repr((seed, *names)).encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:8], "little") >> 1)
