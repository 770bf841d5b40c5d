"""From a configuration of the grid model to a training job, and from a checkpoint to the model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import torch

from anyorder.build.checkpoints import load_grid_transformer
from anyorder.build.headers import vocabulary_header
from anyorder.build.masking import GRID_FIELDS
from anyorder.build.sets import in_sets, read_sets, strategies_of_sets, that_can_be_asked
from anyorder.build.splits import validation_split
from anyorder.build.weighting import GRID_MODEL_BALANCE, weighting_of_grids
from anyorder.config import ModelConfig, RunConfig
from anyorder.data.manifest import read_manifest
from anyorder.data.storage import read_split
from anyorder.elements.batch import Budget, EncodedData, EncodedTrajectories
from anyorder.elements.grid import GridLayout, GridVocabulary, check_view
from anyorder.errors import AnyOrderError
from anyorder.masking.strategies import Strategy
from anyorder.models.grid.grid_transformer import GridTransformer
from anyorder.parsing import brief
from anyorder.training.stores import OneFile
from anyorder.training.trainer import Job
from anyorder.types import as_recorded


def grid_job(config: RunConfig, folder: Path, strategy_at: Callable[[float], Strategy], resume: bool) -> Job[GridLayout]:
    """The job of a training run of the grid model; arguments as of `Job`.

    Raises:
        AnyOrderError: when the data set or a setting does not fit.
    """
    manifest = read_manifest(Path(config.data.path))
    if manifest.content != "grid":
        raise AnyOrderError(
            f"{config.data.path} holds conversations, which the grid model cannot read; train a language model, for"
            " example with --config configs/models/minilm_chats.yaml"
        )
    path, sets = Path(config.data.path), read_sets(config.data, lambda folder: read_split(folder, "train"))
    train = [one for members in sets for one in members]
    columns, rows = train[0].observations.shape[1:3]
    for one in train:
        check_view((columns, rows), one.observations.shape[1:3])
    model = _first_model(config, GridVocabulary.of(train), (columns, rows))
    strategies = strategies_of_sets(config, strategy_at, GRID_FIELDS)
    header = {
        "env_id": manifest.env_id,
        **vocabulary_header(model.vocabulary),
        "view": list(model.view),
        "config": asdict(config),
    }
    return Job(
        model=model,
        train=in_sets(EncodedTrajectories(train, model.vocabulary), sets, config.data, strategies),
        validation=validation_split(path, lambda: _validation(path, model, strategies)),
        budget=Budget(config.training.frames_per_batch, "frames"),
        strategy_at=strategies,
        weighting=weighting_of_grids(config, GRID_MODEL_BALANCE),
        config=config.training,
        folder=folder,
        store=OneFile(folder, header),
        resume=resume,
    )


def _validation(path: Path, model: GridTransformer, strategies: Callable[[float], Strategy]) -> EncodedData[GridLayout]:
    """The validation split, of which nothing that a model filled in counts as true."""
    data = EncodedTrajectories([as_recorded(one) for one in read_split(path, "validation")], model.vocabulary)
    return that_can_be_asked(data, data.gaps, [strategies(1.0)], f"{path}, validation")


def _first_model(config: RunConfig, vocabulary: GridVocabulary, view: tuple[int, int]) -> GridTransformer:
    """The model at the start of training: with random weights, or with those of ``training.init_from``."""
    path = config.training.init_from
    if path is None:
        torch.manual_seed(config.training.seed)
        return _grid_model(config.model, vocabulary, view)
    earlier = load_grid_transformer(Path(path))[0]
    _check_continues(path, earlier, config.model, view)
    both = _joined(earlier.vocabulary, vocabulary)
    torch.manual_seed(config.training.seed)  # only now: to load the earlier model draws random numbers, too
    model = _grid_model(config.model, both, view)
    _copy_weights(earlier, model)
    return model


def _joined(earlier: GridVocabulary, new: GridVocabulary) -> GridVocabulary:
    """What either knows; the words of ``earlier`` come first, in their order."""
    words = [word for word in new.words if word not in earlier.words]
    return GridVocabulary((*earlier.words, *words), tuple(sorted({*earlier.contents, *new.contents})))


def _check_continues(path: str, earlier: GridTransformer, config: ModelConfig, view: tuple[int, int]) -> None:
    if tuple(view) != earlier.view:
        made, found = ("x".join(map(str, size)) for size in (earlier.view, view))
        raise AnyOrderError(
            f"training.init_from: the data must have views of {made} cells, as {path} had; found {found}; choose other data"
            " or another checkpoint"
        )
    sizes, asked = asdict(earlier.config), asdict(config)
    if differing := [name for name in sizes if sizes[name] != asked[name]]:
        has, wants = (", ".join(f"model.{name} {found[name]}" for name in differing) for found in (sizes, asked))
        raise AnyOrderError(f"training.init_from: {path} has {has}, this run asks for {wants}; set what the checkpoint has")


def _copy_weights(earlier: GridTransformer, model: GridTransformer) -> None:
    """Copy every weight of ``earlier`` into ``model``; the weights of words that only ``model`` knows stay as they are.

    The words of ``earlier`` come first in the vocabulary of ``model``, and words are the last values. So both models have
    the same numbers for their common values; the symbols after the values (for masks and dropped elements) move up.
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
    except (ValueError, RuntimeError, OverflowError) as error:  # sizes that do not fit together, or into any memory
        raise AnyOrderError(f"model: {brief(error, 300)}; choose other sizes") from None
