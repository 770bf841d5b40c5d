"""Checkpoints of language models: weights in folders that transformers and PEFT can read, training state in shards."""

from __future__ import annotations

import shutil
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch.distributed.checkpoint as distributed
from accelerate import Accelerator
from torch import Tensor, nn
from torch.distributed.checkpoint import HuggingFaceStorageReader, HuggingFaceStorageWriter
from torch.distributed.checkpoint.state_dict import StateDictOptions, get_optimizer_state_dict, set_optimizer_state_dict
from torch.distributed.fsdp import FSDPModule
from torch.distributed.tensor import DTensor
from torch.optim import Optimizer
from transformers import PreTrainedModel, PreTrainedTokenizerFast

from anyorder.errors import AnyOrderError
from anyorder.files import read_json, write_json
from anyorder.models.language.saving import save_pretrained
from anyorder.training.checkpoint import CHECKPOINT_VERSION, check_version
from anyorder.training.digests import check_digests, with_digests
from anyorder.training.stores import link_as_pt

HEADER_FILE = "anyorder.json"
PROGRESS_FILE = "progress.json"


class CheckpointFolder:
    """A store of folders. ``checkpoints/NAME/`` holds weights in transformers' layout (an adapter in PEFT's), the tokenizer
    and ``anyorder.json``; ``NAME.pt`` is a link to it. The state is ``checkpoints/state/``: each process writes its own
    part, and any number of processes can read it.

    Args:
        folder: the run's folder.
        header: JSON values that suffice to build the model again.
        tokenizer: the model's tokenizer.
    """

    def __init__(self, folder: Path, header: dict[str, Any], tokenizer: PreTrainedTokenizerFast) -> None:
        self._folder, self.header, self._tokenizer = folder / "checkpoints", header, tokenizer

    def save_weights(self, accelerator: Accelerator, model: nn.Module, name: str) -> None:
        inner = _transformers_model(accelerator.unwrap_model(model))
        tensors = {key: _whole(tensor, accelerator.is_main_process) for key, tensor in _saved(inner).items()}
        if accelerator.is_main_process:
            with _new_folder(self._folder / name) as folder:
                save_pretrained(inner, self._tokenizer, folder, state_dict=tensors)
                header = {"format_version": CHECKPOINT_VERSION, **self.header}
                write_json(folder / HEADER_FILE, with_digests(header, folder))
            link_as_pt(self._folder / name, name)
        accelerator.wait_for_everyone()

    def save_state(self, accelerator: Accelerator, model: nn.Module, optimizer: Optimizer, progress: dict[str, Any]) -> None:
        state = _tensors(accelerator.unwrap_model(model), optimizer)
        target = self._folder / "state"
        new = target.with_name("state.new")
        if accelerator.is_main_process:
            shutil.rmtree(new, ignore_errors=True)
        accelerator.wait_for_everyone()
        with _without_warning():
            writer = HuggingFaceStorageWriter(str(new), save_distributed=True)
            distributed.save(state, storage_writer=writer, no_dist=accelerator.num_processes == 1)
        if accelerator.is_main_process:
            write_json(new / PROGRESS_FILE, with_digests(progress, new))
            _replace(new, target)
        accelerator.wait_for_everyone()

    def load_state(self, accelerator: Accelerator, model: nn.Module, optimizer: Optimizer) -> dict[str, Any] | None:
        folder = self._folder / "state"
        if accelerator.is_main_process:
            _finish_replacing(folder)
        accelerator.wait_for_everyone()
        if not folder.is_dir():
            return None
        progress = _progress(folder)
        plain = accelerator.unwrap_model(model)
        state = _tensors(plain, optimizer)
        try:
            with _without_warning():
                reader = HuggingFaceStorageReader(str(folder))
                distributed.load(state, storage_reader=reader, no_dist=accelerator.num_processes == 1)
        except (RuntimeError, ValueError, KeyError) as error:
            reason = str(error).strip().splitlines()[-1]
            raise AnyOrderError(
                f"{folder} does not fit this model ({reason}); resume with the configuration that the run was started with"
            ) from None
        _restore_optimizer(plain, optimizer, state)
        return progress


def read_header(folder: Path) -> dict[str, Any]:
    """The header of a run's checkpoint folder: its ``anyorder.json``.

    Raises:
        AnyOrderError: for a folder that no run wrote, or one of another format version.
    """
    if not (folder / HEADER_FILE).is_file():
        raise AnyOrderError(
            f"{folder} is not a checkpoint of a run ({HEADER_FILE} is missing); train one with: anyorder"
            f" train --language_model.checkpoint {folder}"
        )
    header = read_json(folder / HEADER_FILE)
    check_version(header, folder)
    return header


def read_whole(folder: Path) -> dict[str, Any]:
    """The header, as `read_header`, of a folder whose files are as they were written.

    Raises:
        AnyOrderError: when a file, or the header, is missing, damaged or changed.
    """
    return check_digests(read_header(folder), folder)


def _progress(folder: Path) -> dict[str, Any]:
    """What was written beside a state, which is checked."""
    progress = read_json(folder / PROGRESS_FILE)
    if not isinstance(progress, dict):
        raise AnyOrderError(f"{folder / PROGRESS_FILE} must be a mapping; remove {folder} to start the run over")
    return check_digests(progress, folder)


def _transformers_model(model: nn.Module) -> PreTrainedModel:
    """The transformers model inside the model that was trained."""
    return next(module for module in model.modules() if isinstance(module, PreTrainedModel))


def _saved(model: PreTrainedModel) -> dict[str, Tensor]:
    """The tensors of a checkpoint: all of the model, or with an adapter only those that learn, since it takes long to gather
    the others."""
    tensors = model.state_dict()
    if not getattr(model, "_hf_peft_config_loaded", False):
        return tensors
    return {name: tensors[name] for name, parameter in model.named_parameters() if parameter.requires_grad}


def _whole(tensor: Tensor, kept: bool) -> Tensor:
    """The whole of a tensor that may lie in shards, on the CPU; empty where it is not kept. All processes must gather
    together, also those that keep nothing."""
    gathered = tensor.full_tensor() if isinstance(tensor, DTensor) else tensor
    return gathered.cpu() if kept else gathered.new_empty(0)


FLAT = StateDictOptions(flatten_optimizer_state_dict=True, ignore_frozen_params=True)


def _tensors(model: nn.Module, optimizer: Optimizer) -> dict[str, Tensor]:
    """The tensors that training changes, with this process's share of each; loading writes into them."""
    for module in model.modules():
        if isinstance(module, FSDPModule):
            module.reshard()  # after a pass without gradients, the outermost module still holds all of its parameters
    learning = {f"model.{name}": parameter.detach() for name, parameter in model.named_parameters() if parameter.requires_grad}
    state = _optimizer_state(model, optimizer)
    return learning | {f"optimizer.{name}": value for name, value in state.items() if isinstance(value, Tensor)}


def _restore_optimizer(model: nn.Module, optimizer: Optimizer, tensors: dict[str, Tensor]) -> None:
    """Give the optimizer its state back. The model's parameters need nothing: loading has written into them."""
    state = _optimizer_state(model, optimizer)
    state |= {name: tensors[f"optimizer.{name}"] for name, value in state.items() if isinstance(value, Tensor)}
    set_optimizer_state_dict(model, _plain(optimizer), state, options=FLAT)


def _optimizer_state(model: nn.Module, optimizer: Optimizer) -> dict[str, Any]:
    """The optimizer's state as one flat dictionary of tensors and numbers."""
    return dict(get_optimizer_state_dict(model, _plain(optimizer), options=FLAT))


def _plain(optimizer: Optimizer) -> Optimizer:
    """The torch optimizer inside Accelerate's wrapper."""
    return getattr(optimizer, "optimizer", optimizer)


@contextmanager
def _new_folder(target: Path) -> Iterator[Path]:
    """A new folder to fill, which replaces the target if the block ends without an error."""
    new = target.with_name(f"{target.name}.new")
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir(parents=True)
    yield new
    _replace(new, target)


def _replace(new: Path, target: Path) -> None:
    old = _old(target)
    _finish_replacing(target)
    shutil.rmtree(old, ignore_errors=True)
    if target.exists():
        target.rename(old)
    new.rename(target)
    shutil.rmtree(old, ignore_errors=True)


def _finish_replacing(target: Path) -> None:
    """Rename the old folder back, if a process died after it had made room and before the new folder took its place."""
    if not target.exists() and _old(target).exists():
        _old(target).rename(target)


def _old(target: Path) -> Path:
    return target.with_name(f"{target.name}.old")


@contextmanager
def _without_warning() -> Iterator[None]:
    """Silence torch's warning that there is only one process, which is no mistake."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="torch.distributed is disabled")
        yield
