"""Checkpoints of language models: folders that transformers and PEFT read, and a state in shards."""

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
from anyorder.training.checkpoint import CHECKPOINT_VERSION
from anyorder.training.stores import link_as_pt

HEADER_FILE = "anyorder.json"
PROGRESS_FILE = "progress.json"


class CheckpointFolder:
    """``checkpoints/NAME/`` with weights in transformers' layout (of an adapter, PEFT's), tokenizer and ``anyorder.json``;
    ``NAME.pt`` leads there. The state is ``checkpoints/state/``: each process writes its own part, and any number of
    processes can read it.

    Args:
        folder: of the run.
        header: what a checkpoint must tell to build the model again.
        tokenizer: of the model.
    """

    def __init__(self, folder: Path, header: dict[str, Any], tokenizer: PreTrainedTokenizerFast) -> None:
        self._folder, self.header, self._tokenizer = folder / "checkpoints", header, tokenizer

    def save_weights(self, accelerator: Accelerator, model: nn.Module, name: str) -> None:
        inner = _transformers_model(accelerator.unwrap_model(model))
        tensors = {key: _whole(tensor, accelerator.is_main_process) for key, tensor in _saved(inner).items()}
        if accelerator.is_main_process:
            with _new_folder(self._folder / name) as folder:
                save_pretrained(inner, self._tokenizer, folder, state_dict=tensors)
                write_json(folder / HEADER_FILE, {"format_version": CHECKPOINT_VERSION, **self.header})
            link_as_pt(self._folder / name, name)
        accelerator.wait_for_everyone()

    def save_state(self, accelerator: Accelerator, model: nn.Module, optimizer: Optimizer, progress: dict[str, Any]) -> None:
        state = _tensors(accelerator.unwrap_model(model), optimizer)
        target = self._folder / "state"
        new = target.with_name("state.new")
        if accelerator.is_main_process:
            shutil.rmtree(new, ignore_errors=True)
        accelerator.wait_for_everyone()
        with _quiet():
            writer = HuggingFaceStorageWriter(str(new), save_distributed=True)
            distributed.save(state, storage_writer=writer, no_dist=accelerator.num_processes == 1)
        if accelerator.is_main_process:
            write_json(new / PROGRESS_FILE, progress)
            _replace(new, target)
        accelerator.wait_for_everyone()

    def load_state(self, accelerator: Accelerator, model: nn.Module, optimizer: Optimizer) -> dict[str, Any] | None:
        folder = self._folder / "state"
        if accelerator.is_main_process:
            _finish_replacing(folder)
        accelerator.wait_for_everyone()
        if not folder.is_dir():
            return None
        plain = accelerator.unwrap_model(model)
        state = _tensors(plain, optimizer)
        try:
            with _quiet():
                reader = HuggingFaceStorageReader(str(folder))
                distributed.load(state, storage_reader=reader, no_dist=accelerator.num_processes == 1)
        except (RuntimeError, ValueError, KeyError) as error:
            reason = str(error).strip().splitlines()[-1]
            raise AnyOrderError(f"{folder} does not fit this model ({reason}); resume with the one it was trained as") from None
        _restore(plain, optimizer, state)
        return read_json(folder / PROGRESS_FILE)


def read_header(folder: Path) -> dict[str, Any]:
    """What the checkpoint folder of a run says of itself.

    Raises:
        AnyOrderError: for a folder that no run wrote, or one of another version.
    """
    if not (folder / HEADER_FILE).is_file():
        raise AnyOrderError(
            f"{folder} is not a checkpoint of a run ({HEADER_FILE} is missing); train one with: anyorder"
            f" train --language_model.checkpoint {folder}"
        )
    header = read_json(folder / HEADER_FILE)
    if header.get("format_version") != CHECKPOINT_VERSION:
        raise AnyOrderError(
            f"{folder} has format version {header.get('format_version')}; this program knows version {CHECKPOINT_VERSION}"
        )
    return header


def _transformers_model(model: nn.Module) -> PreTrainedModel:
    """The model of transformers inside of what was trained."""
    return next(module for module in model.modules() if isinstance(module, PreTrainedModel))


def _saved(model: PreTrainedModel) -> dict[str, Tensor]:
    """What a checkpoint holds: all, or of a model with an adapter what learns; to gather the rest would be long."""
    tensors = model.state_dict()
    if not getattr(model, "_hf_peft_config_loaded", False):
        return tensors
    return {name: tensors[name] for name, parameter in model.named_parameters() if parameter.requires_grad}


def _whole(tensor: Tensor, kept: bool) -> Tensor:
    """All of a tensor that lies in shards; where it is not kept, what was gathered is let go at once."""
    gathered = tensor.full_tensor() if isinstance(tensor, DTensor) else tensor
    return gathered.cpu() if kept else gathered.new_empty(0)


FLAT = StateDictOptions(flatten_optimizer_state_dict=True, ignore_frozen_params=True)


def _tensors(model: nn.Module, optimizer: Optimizer) -> dict[str, Tensor]:
    """What training changes, as it lies in this process; loading writes into it."""
    for module in model.modules():
        if isinstance(module, FSDPModule):
            module.reshard()  # after a pass without gradients, the outermost one still holds the whole of its parameters
    learning = {f"model.{name}": parameter.detach() for name, parameter in model.named_parameters() if parameter.requires_grad}
    state = _optimizer_state(model, optimizer)
    return learning | {f"optimizer.{name}": value for name, value in state.items() if isinstance(value, Tensor)}


def _restore(model: nn.Module, optimizer: Optimizer, tensors: dict[str, Tensor]) -> None:
    """Of the optimizer; parameters have been written into."""
    state = _optimizer_state(model, optimizer)
    state |= {name: tensors[f"optimizer.{name}"] for name, value in state.items() if isinstance(value, Tensor)}
    set_optimizer_state_dict(model, _plain(optimizer), state, options=FLAT)


def _optimizer_state(model: nn.Module, optimizer: Optimizer) -> dict[str, Any]:
    """One flat dictionary, of tensors and numbers."""
    return dict(get_optimizer_state_dict(model, _plain(optimizer), options=FLAT))


def _plain(optimizer: Optimizer) -> Optimizer:
    """Inside of what Accelerate made of it."""
    return getattr(optimizer, "optimizer", optimizer)


@contextmanager
def _new_folder(target: Path) -> Iterator[Path]:
    """A folder to fill that takes the target's place when the block ends well."""
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
    """Where a process died after the old folder made room and before the new one took it, the old one comes back."""
    if not target.exists() and _old(target).exists():
        _old(target).rename(target)


def _old(target: Path) -> Path:
    return target.with_name(f"{target.name}.old")


@contextmanager
def _quiet() -> Iterator[None]:
    """One process is no mistake."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="torch.distributed is disabled")
        yield
