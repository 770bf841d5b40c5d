"""Where a run keeps its weights and the state it resumes from.

The trainer tells a store when to write. Every process calls the store, since the model may be divided among them.
Each file or folder has a temporary name until it is whole.
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
    """Keeps weights for later use of the model, and a state from which training can continue.

    ``model`` and ``optimizer`` are what ``accelerator.prepare`` returned.
    """

    def save_weights(self, accelerator: Accelerator, model: nn.Module, name: str) -> None:
        """Write the weights under a name: ``best`` or ``last``."""

    def save_state(self, accelerator: Accelerator, model: nn.Module, optimizer: Optimizer, progress: dict[str, Any]) -> None:
        """Write all that changes in training; ``progress`` holds JSON values."""

    def load_state(self, accelerator: Accelerator, model: nn.Module, optimizer: Optimizer) -> dict[str, Any] | None:
        """Put the last state back into model and optimizer; returns its ``progress``, or None if there is no state.

        Raises:
            AnyOrderError: when the state does not fit the model.
        """


class OneFile:
    """A store of single safetensors files: weights in ``checkpoints/NAME.safetensors``, with ``NAME.pt`` as a link for users
    of that name, and the state in ``checkpoints/state.safetensors``.

    Args:
        folder: the run's folder.
        header: JSON values that suffice to build the model again.
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
        except (RuntimeError, ValueError):
            raise AnyOrderError(
                f"{self._state_file} does not fit this model or its optimizer; resume with the configuration, and the version"
                " of anyorder, that the run was started with"
            ) from None
        return saved.header


def link_as_pt(path: Path, name: str) -> None:
    """Make ``NAME.pt`` beside a file or folder, as a link to it."""
    link = path.parent / f"{name}.pt"
    if not link.is_symlink():
        link.symlink_to(path.name)
