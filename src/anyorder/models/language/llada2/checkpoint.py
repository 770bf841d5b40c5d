"""Checkpoint folders of LLaDA2: what they must hold, and loading them whole or not at all."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from huggingface_hub.errors import StrictDataclassError
from safetensors import SafetensorError, safe_open
from transformers.core_model_loading import revert_weight_conversion

from anyorder.errors import AnyOrderError
from anyorder.files import read_json, read_yaml
from anyorder.models.language.llada2.configuration import LLaDA2MoeConfig
from anyorder.models.language.llada2.modeling import LLaDA2MoeModelLM

INDEX = "model.safetensors.index.json"


def read_configuration(path: Path) -> LLaDA2MoeConfig:
    """The configuration in a checkpoint folder, in its ``config.json``, or in the file of a training run, under
    ``language_model.architecture``.

    Raises:
        AnyOrderError: for another kind of model, or none.
    """
    path = Path(path) / "config.json" if Path(path).is_dir() else Path(path)
    settings = read_yaml(path) if path.suffix in (".yaml", ".yml") else read_json(path)
    if isinstance(settings, dict) and "language_model" in settings:
        settings = (settings["language_model"] or {}).get("architecture")
    found = settings.get("model_type") if isinstance(settings, dict) else None
    if found != LLaDA2MoeConfig.model_type:
        raise AnyOrderError(f"{path} is no LLaDA2 configuration: expected model_type llada2_moe, found {found}")
    return configuration_of(settings, str(path))


def configuration_of(settings: dict[str, Any], where: str) -> LLaDA2MoeConfig:
    """The configuration with these settings; ``where`` names their file in error messages.

    Raises:
        AnyOrderError: for settings that no such model can have.
    """
    try:
        return LLaDA2MoeConfig(**settings)
    except (StrictDataclassError, TypeError, ValueError, ZeroDivisionError) as error:
        raise AnyOrderError(f"{where}: {' '.join(str(error).split())}; compare it with a published config.json") from None


def expected_shapes(config: LLaDA2MoeConfig) -> dict[str, tuple[int, ...]]:
    """Name and shape of every tensor of a checkpoint of this configuration; nothing is allocated.

    Raises:
        AnyOrderError: for a configuration that cannot be honoured, see `check`.
    """
    with torch.device("meta"):
        model = LLaDA2MoeModelLM(config)
    return {name: tuple(tensor.shape) for name, tensor in revert_weight_conversion(model, model.state_dict()).items()}


def stored_files(folder: Path) -> dict[str, Path]:
    """The file of every tensor in a checkpoint folder, with or without an index.

    Raises:
        AnyOrderError: when there are no weights, or files are missing or damaged.
    """
    folder, shards = Path(folder), ["model.safetensors"]
    if (folder / INDEX).exists():
        shards = sorted(set(read_json(folder / INDEX)["weight_map"].values()))
    files = {}
    for shard in shards:
        try:
            with safe_open(folder / shard, framework="pt") as tensors:
                files.update(dict.fromkeys(tensors.keys(), folder / shard))
        except (OSError, SafetensorError) as error:
            raise AnyOrderError(f"could not read {folder / shard} ({error}); copy the checkpoint again") from None
    return files


def load_llada2(folder: Path, **options: Any) -> LLaDA2MoeModelLM:
    """The model of a checkpoint folder.

    Args:
        folder: ``config.json`` and safetensors in the published layout.
        options: of ``from_pretrained`` (dtype, device_map, attn_implementation, ...).

    Raises:
        AnyOrderError: for a folder that is no LLaDA2 checkpoint, whose configuration cannot be honoured (see `check`), or
            whose tensors are missing, unknown, damaged or of another shape. transformers would start missing ones anew.
    """
    check_tensors(Path(folder), expected_shapes(read_configuration(folder)))
    return LLaDA2MoeModelLM.from_pretrained(folder, local_files_only=True, **options)


def check_tensors(folder: Path, expected: dict[str, tuple[int, ...]]) -> None:
    """Refuse a folder that does not hold these tensors; only the files' headers are read.

    Raises:
        AnyOrderError: naming the first tensor that is missing, unknown or of another shape.
    """
    files = stored_files(folder)
    # A shared expert of no width may be left out.
    lacking = sorted(name for name, shape in expected.items() if name not in files and 0 not in shape)
    unknown = sorted(files.keys() - expected.keys())
    for complaint, names in (("lacks", lacking), ("has, against its config.json,", unknown)):
        if names:
            more = f" and {len(names) - 1} more" if len(names) > 1 else ""
            advice = "copy it again, or convert it if its experts are merged"
            raise AnyOrderError(f"{folder} {complaint} the tensor {names[0]}{more}; {advice}")
    for path in sorted(set(files.values())):
        with safe_open(path, framework="pt") as tensors:
            for name in tensors.keys():
                found = tuple(tensors.get_slice(name).get_shape())
                if found != expected[name]:
                    raise AnyOrderError(f"{path}: {name} has the shape {found}, but config.json says {expected[name]}")
