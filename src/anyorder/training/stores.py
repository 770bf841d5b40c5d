"""Where a run keeps its weights and the state it resumes from.

A store is told by the trainer when to write; every process calls it, for a model that is divided among them. Whatever
is written stands under a temporary name until it is whole.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

from accelerate import Accelerator
from torch import nn
from torch.optim import Optimizer

from anyorder.errors import AnyOrderError
from anyorder.training import checkpoint


class Store(Protocol):
    """Weights for those who ask the model, and a state for the training that goes on.

    ``model`` and ``optimizer`` are as ``accelerator.prepare`` returned them.
    """

    def save_weights(self, accelerator: Accelerator, model: nn.Module, name: str) -> None:
        """Under a name: ``best`` or ``last``."""

    def save_state(self, accelerator: Accelerator, model: nn.Module, optimizer: Optimizer, progress: dict[str, Any]) -> None:
        """All that changes in training; ``progress`` is JSON."""

    def load_state(self, accelerator: Accelerator, model: nn.Module, optimizer: Optimizer) -> dict[str, Any] | None:
        """Put the last state back; returns its ``progress``, or None if there is none.

        Raises:
            AnyOrderError: for a state of another model.
        """


class OneFile:
    """One safetensors file each: ``checkpoints/NAME.safetensors``, with ``NAME.pt`` as a link to it for those who are used
    to that name, and ``checkpoints/state.safetensors``.

    Args:
        folder: of the run.
        header: what a checkpoint must tell to build the model again.
    """

    def __init__(self, folder: Path, header: dict[str, Any]) -> None:
        self._folder, self.header = folder / "checkpoints", header

    @property
    def _state_file(self) -> Path:
        return self._folder / "state.safetensors"

    def save_weights(self, accelerator: Accelerator, model: nn.Module, name: str) -> None:
        if not accelerator.is_main_process:
            return
        checkpoint.save_checkpoint(
            self._folder / f"{name}.safetensors", accelerator.unwrap_model(model).state_dict(), self.header
        )
        link_as_pt(self._folder / f"{name}.safetensors", name)

    def save_state(self, accelerator: Accelerator, model: nn.Module, optimizer: Optimizer, progress: dict[str, Any]) -> None:
        if accelerator.is_main_process:
            tensors = checkpoint.training_tensors(accelerator.unwrap_model(model), optimizer)
            checkpoint.save_checkpoint(self._state_file, tensors, progress)

    def load_state(self, accelerator: Accelerator, model: nn.Module, optimizer: Optimizer) -> dict[str, Any] | None:
        if not self._state_file.exists():
            return None
        saved = checkpoint.load_checkpoint(self._state_file)
        if "num_updates" not in saved.header:
            raise AnyOrderError(f"{self._state_file} is not a training state; remove it to start the run over")
        try:
            checkpoint.restore_training(saved.tensors, accelerator.unwrap_model(model), optimizer)
        except RuntimeError:
            raise AnyOrderError(f"{self._state_file} does not fit this model; resume with the one it was trained as") from None
        return saved.header


def link_as_pt(path: Path, name: str) -> None:
    """``NAME.pt`` beside a file or folder, which it leads to."""
    link = path.parent / f"{name}.pt"
    if not link.is_symlink():
        link.symlink_to(path.name)
