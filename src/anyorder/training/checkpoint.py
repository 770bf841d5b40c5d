"""Weights and training state on disk: safetensors files with a JSON header, written whole or not at all, without pickle."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from anyorder.errors import AnyOrderError
from anyorder.files import replacing
from anyorder.training.digests import DIGEST, tensors_digest

CHECKPOINT_VERSION = 2
HEADER = "anyorder"


@dataclass(frozen=True)
class Checkpoint:
    """The content of a checkpoint file.

    Attributes:
        tensors: name -> tensor, on the CPU.
        header: JSON values; beside weights, all that is needed to build the model again.
    """

    tensors: dict[str, Tensor]
    header: dict[str, Any]


def save_checkpoint(path: Path, tensors: dict[str, Tensor], header: dict[str, Any]) -> None:
    """Write tensors and header to ``path``, atomically."""
    content = {"format_version": CHECKPOINT_VERSION, **header}
    contiguous = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    digest = tensors_digest(contiguous, json.dumps(content))
    # One entry: safetensors writes several in any order, and equal runs are to leave equal files.
    metadata = {HEADER: json.dumps({**content, DIGEST: digest})}
    with replacing(path) as temporary:
        try:
            save_file(contiguous, temporary, metadata=metadata)
        except SafetensorError as error:  # e.g. a full disk
            raise OSError(str(error)) from error


def load_checkpoint(path: Path) -> Checkpoint:
    """Read a file written by `save_checkpoint`.

    Raises:
        AnyOrderError: when the file is missing, damaged, changed, not one of anyorder's or of an unknown version.
    """
    path = Path(path)
    if not path.is_file():
        near = sorted(str(p) for p in path.parent.glob("*.safetensors")) if path.parent.is_dir() else []
        hint = f"; there are: {', '.join(near)}" if near else "; train one with: anyorder train --output_dir RUN"
        raise AnyOrderError(f"there is no checkpoint {path}{hint}")
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}
    except (SafetensorError, OSError) as error:
        raise AnyOrderError(f"{path} is not a whole safetensors file ({error}); restore it or train again") from None
    if HEADER not in metadata:
        raise AnyOrderError(f"{path} is a safetensors file, but not one that anyorder wrote (its header is missing)")
    try:
        header = json.loads(metadata[HEADER])
    except (ValueError, RecursionError) as error:
        raise AnyOrderError(f"the header of {path} is not valid JSON ({error}); restore it or train again") from None
    digest = header.pop(DIGEST, None) if isinstance(header, dict) else None
    if digest is not None and digest != tensors_digest(tensors, json.dumps(header)):
        raise AnyOrderError(
            f"{path} is damaged or changed (its SHA-256 is not the one it was written with); restore it or train again"
        )
    check_version(header, path)
    return Checkpoint(tensors, header)


def check_version(header: Any, path: Path) -> None:
    """Raise an AnyOrderError unless a header is an object of the known format version."""
    found = header.get("format_version") if isinstance(header, dict) else None
    if found != CHECKPOINT_VERSION or isinstance(found, bool):
        raise AnyOrderError(
            f"{path} has format version {str(found)[:80]}; this program knows version {CHECKPOINT_VERSION}; train again"
        )


def training_tensors(model: nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """Everything that changes while training, as tensors: ``model.NAME`` and ``optimizer.NUMBER.NAME``, where the number is
    that of a parameter in the optimizer."""
    state = optimizer.state_dict()["state"]
    tensors = {f"model.{name}": tensor for name, tensor in model.state_dict().items()}
    for number, entries in state.items():
        tensors |= {f"optimizer.{number}.{name}": torch.as_tensor(value) for name, value in entries.items()}
    return tensors


def restore_training(tensors: dict[str, Tensor], model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    """Put `training_tensors` back into the model and the optimizer.

    Raises:
        ValueError: for the state of another optimizer.
    """
    model.load_state_dict(_below("model.", tensors))
    state: dict[int, dict[str, Tensor]] = {}
    for key, tensor in _below("optimizer.", tensors).items():
        number, name = key.split(".", 1)
        state.setdefault(int(number), {})[name] = tensor
    shapes = dict(enumerate(parameter.shape for group in optimizer.param_groups for parameter in group["params"]))
    if any(entry.ndim and entry.shape != shapes.get(index) for index, kept in state.items() for entry in kept.values()):
        raise ValueError("the state is that of another optimizer")
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})


def _below(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name[len(prefix) :]: tensor for name, tensor in tensors.items() if name.startswith(prefix)}
