"""Digests (SHA-256) of weights and training states: what was damaged or changed after it was written is refused."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from anyorder.errors import AnyOrderError
from anyorder.files import DIGEST, json_digest, sha256

ITSELF = ""
"""The key of the header's own digest, beside those of files."""


def tensors_digest(tensors: Mapping[str, Tensor], header: str) -> str:
    """The digest of a header and of names, types, shapes and bytes of tensors on the CPU."""
    digest = hashlib.sha256(header.encode())
    for name in sorted(tensors):
        tensor = tensors[name]
        digest.update(f"\n{name} {tensor.dtype} {list(tensor.shape)}\n".encode())
        if tensor.numel():
            digest.update(tensor.contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def with_digests(content: dict[str, Any], folder: Path) -> dict[str, Any]:
    """JSON values, with the digests of themselves and of all files in a folder."""
    files = {path.name: sha256(path) for path in sorted(folder.iterdir()) if path.is_file()}
    return {**content, DIGEST: {ITSELF: json_digest(content), **files}}


def check_digests(content: dict[str, Any], folder: Path) -> dict[str, Any]:
    """JSON values that `with_digests` returned, without the digests; what has none is returned as it is.

    Raises:
        AnyOrderError: when a file, or the values themselves, changed since.
    """
    content = dict(content)
    expected = content.pop(DIGEST, None)
    if expected is None:
        return content
    if not isinstance(expected, dict):
        raise AnyOrderError(f"the digests of {folder} must be a mapping; found {type(expected).__name__}; restore the folder")
    for name, digest in expected.items():
        path = folder / Path(name).name
        if name != ITSELF and not path.is_file():
            raise AnyOrderError(f"{path} is missing; restore it or train again")
        if digest != (json_digest(content) if name == ITSELF else sha256(path)):
            what = f"{path} is" if name != ITSELF else f"the header of {folder} is"
            raise AnyOrderError(f"{what} damaged or changed (its SHA-256 must be {digest}); restore it or train again")
    return content


def check_finite(tensors: Mapping[str, Tensor], where: Path) -> None:
    """Raise an AnyOrderError if a number in the weights is infinite or none at all."""
    for name, tensor in tensors.items():
        if tensor.is_floating_point() and not tensor.isfinite().all():
            raise AnyOrderError(f"{where}: weights must be finite numbers; found others in {name}; restore it or train again")
