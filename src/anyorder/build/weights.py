"""Weights in folders of transformers, before they are loaded: no pickles, and no model larger than its tensors."""

from __future__ import annotations

from math import prod
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from transformers import PretrainedConfig

from anyorder.errors import AnyOrderError
from anyorder.files import read_json
from anyorder.models.language.llada2 import LLaDA2MoeConfig
from anyorder.models.language.llada2.checkpoint import INDEX

ADAPTER_WEIGHTS = "adapter_model.safetensors"
COUNTED = ("num_hidden_layers", "n_layers")
"""Settings of configurations that count what has tensors of its own."""


def stored_shapes(folder: Path, name: str = "model.safetensors") -> dict[str, tuple[int, ...]]:
    """Name and shape of each tensor in a folder; only the files' headers are read.

    Args:
        folder: of a model or an adapter.
        name: of the file, where there is no index of several.

    Raises:
        AnyOrderError: when there are no weights, or only pickled ones, or they lie outside of the folder or are damaged.
    """
    shapes: dict[str, tuple[int, ...]] = {}
    for file in _files(folder, name):
        try:
            with safe_open(file, framework="pt") as tensors:
                shapes |= {key: tuple(tensors.get_slice(key).get_shape()) for key in tensors.keys()}
        except (OSError, SafetensorError) as error:
            raise AnyOrderError(f"could not read {file} ({error}); copy the checkpoint again") from None
    return shapes


def _files(folder: Path, name: str) -> list[Path]:
    if (folder / name).is_file():  # as transformers, which prefers it to an index
        return [folder / name]
    if name != ADAPTER_WEIGHTS and (folder / INDEX).is_file():
        index = read_json(folder / INDEX)
        listed = index.get("weight_map") if isinstance(index, dict) else None
        files = list(listed.values()) if isinstance(listed, dict) else []
        if not files or not all(isinstance(file, str) and file == Path(file).name and _is_safe(file) for file in files):
            raise AnyOrderError(f"{folder / INDEX} must name safetensors files beside it in weight_map; copy it again")
        return [folder / file for file in sorted(set(files))]
    if pickled := sorted(path.name for pattern in ("*.bin", "*.pt", "*.pth") for path in folder.glob(pattern)):
        raise AnyOrderError(
            f"weights must be safetensors files; found {pickled[0]} in {folder}, a pickle, which can run code when it is read;"
            " ask for the checkpoint in safetensors, or convert it where nothing can be harmed"
        )
    raise AnyOrderError(f"{folder} has no {name}; copy the checkpoint again")


def _is_safe(file: str) -> bool:
    return file.endswith(".safetensors")


def check_sizes(folder: Path, architecture: PretrainedConfig, loader: Any, options: dict[str, Any]) -> None:
    """Refuse a folder whose ``config.json`` asks for a larger model than its tensors make, before memory is taken for it.

    Raises:
        AnyOrderError: naming both sizes.
    """
    shapes = stored_shapes(folder)
    counted = (*COUNTED, "num_experts") if isinstance(architecture, LLaDA2MoeConfig) else COUNTED
    for name in counted:
        count = getattr(architecture, name, None)
        if isinstance(count, int) and count > len(shapes):
            raise AnyOrderError(
                f"{folder}: config.json asks for {name} {count}, but there are {len(shapes)} tensors; copy it again"
            )
    try:
        with torch.random.fork_rng(devices=[]), torch.device("meta"):
            model = loader.from_config(architecture, **options)
    except (ValueError, KeyError, TypeError, RuntimeError, ZeroDivisionError, OverflowError) as error:
        raise AnyOrderError(f"could not load {folder}: {' '.join(str(error).split())}") from None
    asked = sum(parameter.numel() for parameter in model.base_model.parameters())
    stored = sum(map(prod, shapes.values()))
    if asked > 2 * stored:  # a tensor that is missing, or of another shape, is named while loading
        raise AnyOrderError(f"{folder}: config.json asks for {asked} numbers, but there are {stored}; copy it again")


def check_rank(folder: Path, rank: int) -> None:
    """Refuse an adapter whose updates have another rank than its header says.

    Raises:
        AnyOrderError: naming both.
    """
    found = [shape[0] for name, shape in stored_shapes(folder, ADAPTER_WEIGHTS).items() if "lora_A" in name]
    if min(found, default=0) != rank:  # experts that lie in one tensor have a multiple of it
        raise AnyOrderError(f"{folder}: the adapter must have rank {rank}, as its header says; found {min(found, default=0)}")
