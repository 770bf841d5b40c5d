"""The only place where a configuration becomes objects."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import torch
import yaml
from torch import nn

from anyorder.build.task import Task, chosen_demonstrations
from anyorder.config import DataConfig, MaskingConfig, ModelConfig, RunConfig
from anyorder.data.manifest import read_manifest
from anyorder.data.storage import read_split
from anyorder.elements.batch import EncodedTrajectories
from anyorder.elements.grid import GridVocabulary
from anyorder.errors import AnyOrderError
from anyorder.files import replacing
from anyorder.masking.expressions import strategy_from
from anyorder.masking.schedules import schedule_from
from anyorder.masking.strategies import Strategy
from anyorder.masking.strategies.groups import OF_FRAMES
from anyorder.models.grid.grid_transformer import GridTransformer
from anyorder.training import checkpoint
from anyorder.training.loss import Weighting
from anyorder.training.stores import OneFile
from anyorder.training.trainer import Job
from anyorder.types import Trajectory

CONFIG_FILE = "config.yaml"


def strategy_schedule(masking: MaskingConfig) -> Callable[[float], Strategy]:
    """From the progress of training (0..1) to the strategy drawn from at that moment.

    Raises:
        AnyOrderError: naming the key, what it allows and what was found.
    """
    _check_defaults(masking)
    try:
        defaults = {"rate": masking.mask_prob, "rates": masking.attribute_probs}
        return strategy_from({"mixture": masking.mixture}, defaults, key="masking")
    except ValueError as error:
        raise AnyOrderError(str(error)) from None


def _check_defaults(masking: MaskingConfig) -> None:
    """Read by themselves, so that a complaint names the setting and not a strategy that takes it."""
    rates = {"masking.mask_prob": masking.mask_prob}
    for name, spec in masking.attribute_probs.items():
        if name not in MASKED_ATTRIBUTES:
            raise AnyOrderError(f"masking.attribute_probs knows {', '.join(MASKED_ATTRIBUTES)}; found {name}")
        rates[f"masking.attribute_probs.{name}"] = spec
    for key, spec in rates.items():
        try:
            schedule_from(spec)
        except ValueError as error:
            raise AnyOrderError(f"{key}: {error}") from None


MASKED_ATTRIBUTES = [attribute.name.lower() for attribute in OF_FRAMES]


def demonstrations(data: DataConfig) -> list[Trajectory]:
    """The training trajectories that the configuration asks for."""
    return chosen_demonstrations(read_split(Path(data.path), "train"), data)


def training_job(config: RunConfig, folder: Path, resume: bool) -> Job:
    """Everything a training run needs; call `claim` first, once.

    Raises:
        AnyOrderError: when the data set or a setting does not fit.
    """
    strategy_at = strategy_schedule(config.masking)
    task = _task(config, folder)
    return Job(
        model=task.model,
        train=task.train,
        validation=task.validation,
        strategy_at=strategy_at,
        weighting=task.weighting,
        config=config.training,
        folder=folder,
        store=task.store,
        resume=resume,
    )


def _task(config: RunConfig, folder: Path) -> Task:
    if config.language_model is not None:
        _require_transformers()
        from anyorder.build.language import language_task  # transformers takes seconds

        return language_task(config, folder)
    if read_manifest(Path(config.data.path)).content != "grid":
        raise AnyOrderError(
            f"{config.data.path} holds conversations, which the grid model cannot read; train a language model, for"
            " example with --config configs/models/minilm_chats.yaml"
        )
    train, validation = demonstrations(config.data), read_split(Path(config.data.path), "validation")
    model = _first_model(config, GridVocabulary.of(train), train[0].observations.shape[1:3])
    header = {
        "env_id": read_manifest(Path(config.data.path)).env_id,
        "words": list(model.vocabulary.words),
        "view": list(model.view),
        "config": asdict(config),
    }
    return Task(
        model=model,
        train=EncodedTrajectories(train, model.vocabulary),
        validation=EncodedTrajectories(validation, model.vocabulary),
        weighting=Weighting(config.training.balance, config.training.object_weight),
        store=OneFile(folder, header),
    )


def _require_transformers() -> None:
    if importlib.util.find_spec("transformers") is None:
        raise AnyOrderError("language models need transformers, which is not installed; pip install 'anyorder[llada2]'")


def _first_model(config: RunConfig, vocabulary: GridVocabulary, view: tuple[int, int]) -> GridTransformer:
    """What training begins with: fresh weights, or those of ``training.init_from``."""
    path = config.training.init_from
    earlier = None if path is None else _saved_model(Path(path))[0]
    torch.manual_seed(config.training.seed)
    if earlier is None:
        return _grid_model(config.model, vocabulary, view)
    _check_continues(path, earlier, config.model, view)
    new_words = [word for word in vocabulary.words if word not in earlier.vocabulary.words]
    model = _grid_model(config.model, GridVocabulary((*earlier.vocabulary.words, *new_words)), view)
    _copy_weights(earlier, model)
    return model


def _check_continues(path: str, earlier: GridTransformer, config: ModelConfig, view: tuple[int, int]) -> None:
    if tuple(view) != earlier.view:
        made, found = ("x".join(map(str, size)) for size in (earlier.view, view))
        raise AnyOrderError(
            f"training.init_from: {path} was made for views of {made} cells, the data has {found}; choose data or a"
            " checkpoint with the same"
        )
    sizes, asked = asdict(earlier.config), asdict(config)
    if differing := [name for name in sizes if sizes[name] != asked[name]]:
        has, wants = (", ".join(f"model.{name} {found[name]}" for name in differing) for found in (sizes, asked))
        raise AnyOrderError(f"training.init_from: {path} has {has}, this run asks for {wants}; set what the checkpoint has")


def _copy_weights(earlier: GridTransformer, model: GridTransformer) -> None:
    """Give ``model`` every weight of ``earlier``; what belongs to words that only ``model`` knows stays as it is.

    The words of ``earlier`` come first in the vocabulary of ``model``, and words are the last values, so both number
    their common values alike; the symbols after the values, of masks and of what is dropped, move up.
    """
    old, num_values = earlier.state_dict(), len(earlier.vocabulary)
    with torch.no_grad():
        for name, tensor in model.state_dict().items():
            if name in ("head.weight", "head.bias"):
                tensor[:num_values] = old[name]
            elif name == "embedding.weight":
                tensor[:num_values] = old[name][:num_values]
                tensor[model.first_mask_symbol :] = old[name][earlier.first_mask_symbol :]
            else:
                tensor.copy_(old[name])


def _grid_model(config: ModelConfig, vocabulary: GridVocabulary, view: tuple[int, int]) -> GridTransformer:
    try:
        return GridTransformer(config, vocabulary, view)
    except ValueError as error:
        raise AnyOrderError(f"model: {error}") from None


def claim(folder: Path, config: RunConfig, resume: bool) -> None:
    """Write the resolved configuration into the run's folder: never over another run, never under other settings.

    Raises:
        AnyOrderError: when the folder holds a run and ``resume`` is False, or a run of another configuration.
    """
    path = folder / CONFIG_FILE
    text = yaml.safe_dump(asdict(config), sort_keys=False)
    if path.exists() and (folder / "checkpoints").exists():  # else it failed before it began
        if not resume:
            raise AnyOrderError(f"{folder} already holds a run; continue it with --resume or choose another --output_dir")
        if path.read_text() != text:
            raise AnyOrderError(f"{path} differs from the configuration given; resume with the one the run was started with")
        return
    with replacing(path) as temporary:
        temporary.write_text(text)


def load_model(path: Path) -> tuple[nn.Module, dict]:
    """The model of a checkpoint, ready to be asked, and the checkpoint's header (env_id, config, ...).

    Args:
        path: file of a grid model, folder of a language model.

    Raises:
        AnyOrderError: when it is missing, damaged or does not hold a model.
    """
    if path.is_dir():
        _require_transformers()
        from anyorder.build.language import load_language_model

        model, header = load_language_model(path.resolve())
    else:
        model, header = _saved_model(path)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    return model.to(device).eval(), header


def _saved_model(path: Path) -> tuple[GridTransformer, dict]:
    """`load_model`, on the CPU."""
    saved = checkpoint.load(path)
    if "words" not in saved.header:
        raise AnyOrderError(f"{path} holds a training state, not a model; use best.safetensors or last.safetensors beside it")
    model = GridTransformer(
        ModelConfig(**saved.header["config"]["model"]),
        GridVocabulary(tuple(saved.header["words"])),
        tuple(saved.header["view"]),
    )
    try:
        model.load_state_dict(saved.tensors)
    except RuntimeError:
        raise AnyOrderError(f"{path} was made by another version of the model; train it again with this one") from None
    return model, saved.header
