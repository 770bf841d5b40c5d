"""Between the published layout, one tensor per expert, and that of dFactory and VeOmni, one per layer and projection.

Tensors are read and written one after the other, so memory holds one shard, whatever the size of the model.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from anyorder.errors import AnyOrderError
from anyorder.files import read_json
from anyorder.models.language.llada2.checkpoint import INDEX, check_tensors, expected_shapes, read_configuration, stored_files
from anyorder.models.language.llada2.configuration import LLaDA2MoeConfig
from anyorder.terminal import tracked

MERGED = "llada2_moe_veomni"
"""The model type of the merged layout."""

ONE_EXPERT = re.compile(r"(model\.layers\.\d+\.mlp\.experts)\.(\d+)\.((?:gate|up|down)_proj)\.weight")
ALL_EXPERTS = re.compile(r"(model\.layers\.\d+\.mlp\.experts)\.((?:gate|up|down)_proj)")

SHARD_BYTES = 5 * 2**30

Read = Callable[[str], Tensor]
"""From the name of a stored tensor to the tensor."""

Convert = Callable[[str, Read], Iterator[tuple[str, Tensor]]]
"""From the name of a stored tensor to the tensors that are written for it."""


def merge_experts(source: Path, target: Path, shard_bytes: int = SHARD_BYTES) -> None:
    """Write the checkpoint ``source``, in the published layout, to the new folder ``target`` with merged experts.

    Raises:
        AnyOrderError: when ``source`` is no whole checkpoint, or ``target`` exists.
    """
    config = read_configuration(source)
    check_tensors(Path(source), expected_shapes(config))
    _convert(source, target, MERGED, _merged(config.num_experts or 0), shard_bytes)


def split_experts(source: Path, target: Path, shard_bytes: int = SHARD_BYTES) -> None:
    """Write the checkpoint ``source``, with merged experts, to the new folder ``target`` in the published layout.

    Raises:
        AnyOrderError: when ``source`` is no whole checkpoint, or ``target`` exists.
    """
    settings = read_json(Path(source) / "config.json") | {"model_type": LLaDA2MoeConfig.model_type}
    expected = merged_shapes(expected_shapes(LLaDA2MoeConfig(**settings)))
    check_tensors(Path(source), expected)
    _convert(source, target, LLaDA2MoeConfig.model_type, _split, shard_bytes)


def merged_shapes(published: dict[str, tuple[int, ...]]) -> dict[str, tuple[int, ...]]:
    """Names and shapes of a checkpoint with merged experts, from those of the published layout."""
    merged: dict[str, tuple[int, ...]] = {}
    for name, shape in published.items():
        if part := ONE_EXPERT.fullmatch(name):
            name = f"{part[1]}.{part[3]}"
            shape = (merged.get(name, (0,))[0] + 1, *shape)
        merged[name] = shape
    return merged


def _merged(num_experts: int) -> Convert:
    def merged(name: str, read: Read) -> Iterator[tuple[str, Tensor]]:
        part = ONE_EXPERT.fullmatch(name)
        if part is None:
            yield name, read(name)
        elif part[2] == "0":
            names = (f"{part[1]}.{expert}.{part[3]}.weight" for expert in range(num_experts))
            yield f"{part[1]}.{part[3]}", torch.stack([read(one) for one in names])

    return merged


def _split(name: str, read: Read) -> Iterator[tuple[str, Tensor]]:
    part = ALL_EXPERTS.fullmatch(name)
    if part is None:
        yield name, read(name)
    else:
        for expert, weight in enumerate(read(name)):
            yield f"{part[1]}.{expert}.{part[2]}.weight", weight.clone()


def _convert(source: Path, target: Path, model_type: str, convert: Convert, shard_bytes: int) -> None:
    source, target = Path(source), Path(target)
    if target.exists():
        raise AnyOrderError(f"{target} exists already; choose another folder")
    temporary = target.with_name(f".{target.name}.tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    try:
        _copy_the_rest(source, temporary, model_type)
        with ExitStack() as stack:
            files = stored_files(source)
            opened = {path: stack.enter_context(safe_open(path, framework="pt")) for path in set(files.values())}
            names = tracked(sorted(files), "converting")
            tensors = (pair for name in names for pair in convert(name, lambda one: opened[files[one]].get_tensor(one)))
            _write_shards(temporary, tensors, shard_bytes)
        temporary.rename(target)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _copy_the_rest(source: Path, target: Path, model_type: str) -> None:
    for path in source.iterdir():
        if path.is_file() and path.suffix != ".safetensors" and path.name != INDEX:
            shutil.copy(path, target / path.name)
    settings = read_json(source / "config.json") | {"model_type": model_type}
    (target / "config.json").write_text(json.dumps(settings, indent=2) + "\n")


def _write_shards(folder: Path, tensors: Iterator[tuple[str, Tensor]], shard_bytes: int) -> None:
    shards: list[list[str]] = []
    shard: dict[str, Tensor] = {}
    sizes = [0]

    def flush() -> None:
        if shard:
            save_file(shard, folder / f"shard-{len(shards)}.safetensors", metadata={"format": "pt"})
            shards.append(list(shard))
            shard.clear()
            sizes.append(0)

    for name, tensor in tensors:
        if sizes[-1] + tensor.nbytes > shard_bytes:
            flush()
        shard[name] = tensor.contiguous()
        sizes[-1] += tensor.nbytes
    flush()
    weight_map = {}
    for number, names in enumerate(shards):
        file = f"model-{number + 1:05d}-of-{len(shards):05d}.safetensors"
        (folder / f"shard-{number}.safetensors").rename(folder / file)
        weight_map.update(dict.fromkeys(names, file))
    index = {"metadata": {"total_size": sum(sizes)}, "weight_map": dict(sorted(weight_map.items()))}
    (folder / INDEX).write_text(json.dumps(index, indent=2) + "\n")
