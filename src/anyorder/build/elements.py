"""From a configuration of the general model to a training job, and from a checkpoint to the model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from gymnasium import spaces

from anyorder.build.headers import check_origin, element_model_config, is_of_fields
from anyorder.build.masking import strategy_schedule
from anyorder.build.sets import in_sets, read_sets, strategies_of_sets, that_can_be_asked
from anyorder.build.shapes import has_shapes, shapes_of
from anyorder.build.splits import validation_split
from anyorder.config import DataConfig, ElementModelConfig, RunConfig, SpecConfig
from anyorder.data.field_storage import read_field_split, spaces_from, spaces_of, spaces_to_json
from anyorder.data.manifest import Manifest, read_manifest
from anyorder.data.storage import read_split
from anyorder.elements.batch import Budget, EncodedData
from anyorder.elements.far_frames import far_frames
from anyorder.elements.fields import EncodedFieldData, FieldLayout
from anyorder.elements.fitting import fit_spec
from anyorder.elements.grid_fields import fields_of_grid, grid_spaces, grid_spec
from anyorder.elements.hindsight import with_hindsight
from anyorder.elements.spec import Spec
from anyorder.envs.spaces import ACTION, OBSERVATION, leaves
from anyorder.errors import AnyOrderError
from anyorder.masking.strategies import Strategy
from anyorder.models.element.element_transformer import ElementTransformer
from anyorder.parsing import brief
from anyorder.restoring import restored_from
from anyorder.training import checkpoint
from anyorder.training.digests import check_finite
from anyorder.training.loss import Weighting
from anyorder.training.stores import OneFile
from anyorder.training.trainer import Job
from anyorder.types import FieldTrajectory, as_recorded


@dataclass(frozen=True, eq=False)
class ElementCheckpoint:
    """The general model of a checkpoint, and what it acts in.

    Attributes:
        model: in evaluation mode on the CPU.
        observation_space, action_space: of its environment.
        header: of the file.
    """

    model: ElementTransformer
    observation_space: spaces.Space[Any]
    action_space: spaces.Space[Any]
    header: dict[str, Any]


def element_job(config: RunConfig, folder: Path, resume: bool) -> Job[FieldLayout]:
    """The job of a training run of the general model; arguments as of `Job`.

    Raises:
        AnyOrderError: when the data set or a setting does not fit.
    """
    path, sizes = Path(config.data.path), config.element_model or ElementModelConfig()
    manifest = read_manifest(path)
    sets = read_sets(config.data, lambda folder: read_fields(DataConfig(str(folder)), "train"))
    spec, where = _spec(config.data, manifest, [one for members in sets for one in members])
    sets = [with_hindsight(members, config.data.hindsight, config.training.seed) for members in sets]
    train = [one for members in sets for one in members]
    known = dict.fromkeys(name for one in spec.of_kind("observation", "action") for name in (one.name, one.group))
    torch.manual_seed(config.training.seed)
    model = _model(sizes, spec)
    if config.training.init_from is not None:
        _continue_from(Path(config.training.init_from), model)
    header = {
        "env_id": manifest.env_id,
        "content": "fields",
        "spec": asdict(spec),
        "spaces": spaces_to_json(*where),
        "config": asdict(config),
    }
    strategies = strategies_of_sets(config, strategy_schedule(config.masking, tuple(known)), tuple(known))
    cut = far_frames(config.data.far_frames, config.training.seed)
    return Job(
        model=model,
        train=in_sets(EncodedFieldData(train, spec, sizes.max_frames, cut), sets, config.data, strategies),
        validation=validation_split(path, lambda: _validation(path, spec, sizes.max_frames, strategies)),
        budget=Budget(config.training.frames_per_batch, "frames"),
        strategy_at=strategies,
        weighting=Weighting(config.training.balance or "kind", filled_weight=config.data.filled_weight),
        config=config.training,
        folder=folder,
        store=OneFile(folder, header),
        resume=resume,
    )


def _validation(path: Path, spec: Spec, max_frames: int, strategies: Callable[[float], Strategy]) -> EncodedData[FieldLayout]:
    """The validation split, of which nothing that a model filled in counts as true."""
    recorded = [as_recorded(one) for one in read_fields(DataConfig(str(path)), "validation")]
    data = EncodedFieldData(recorded, spec, max_frames)
    return that_can_be_asked(data, data.gaps, [strategies(1.0)], f"{path}, validation")


def read_fields(data: DataConfig, split: str) -> list[FieldTrajectory]:
    """The trajectories of a split, also of one of MiniGrid."""
    path = Path(data.path)
    if read_manifest(path).content == "grid":
        return [fields_of_grid(one) for one in read_split(path, split, data.num_demonstrations)]
    return read_field_split(path, split, data.num_demonstrations)


def load_element_checkpoint(path: Path) -> ElementCheckpoint:
    """The general model of a checkpoint file.

    Raises:
        AnyOrderError: when the file is missing, damaged or does not hold such a model.
    """
    saved, where = checkpoint.load_checkpoint(path), str(path)
    if not is_of_fields(saved.header):
        raise AnyOrderError(f"{path} holds no general model; use best.safetensors of a run on data of any environment")
    config = element_model_config(saved.header, where)
    check_origin(saved.header, where)
    spec = restored_from(Spec, saved.header["spec"], f"{where}: spec", "restore the checkpoint or train again")
    observed, acted = spaces_from(saved.header.get("spaces"), where)
    if not has_shapes(lambda: ElementTransformer(config, spec), config.num_layers, saved.tensors):
        raise AnyOrderError(
            f"{path} was made by another version of the model, or its tensors are not those of its header; train it again"
        )
    check_finite(saved.tensors, path)
    model = ElementTransformer(config, spec)
    model.load_state_dict(saved.tensors)
    return ElementCheckpoint(model.eval(), observed, acted, saved.header)


def read_fields_for(saved: ElementCheckpoint, folder: Path, split: str) -> list[FieldTrajectory]:
    """The trajectories of a split that a checkpoint is asked about.

    Raises:
        AnyOrderError: when the split is missing or damaged, or holds other observations or actions than the checkpoint knows.
    """
    found = read_fields(DataConfig(str(folder)), split)
    check_fields(saved, found, folder)
    return found


def check_fields(saved: ElementCheckpoint, episodes: Sequence[FieldTrajectory], folder: Path) -> None:
    """Raise an AnyOrderError for trajectories of other observations or actions than the checkpoint knows."""
    shapes = {
        path: leaf.shape or ()
        for space, root in ((saved.observation_space, OBSERVATION), (saved.action_space, ACTION))
        for path, leaf in leaves(space, root).items()
    }
    for one in episodes:
        recorded = {path: array.shape[1:] for path, array in {**one.observations, **one.actions}.items()}
        if any(shapes.get(path) != shape for path, shape in recorded.items()):
            raise AnyOrderError(
                f"the data must have the observations and actions of the checkpoint, {brief(shapes, 200)}; found"
                f" {brief(recorded, 200)} in {folder}; name the data set that it was trained on"
            )


def holds_fields(path: Path) -> bool:
    """True if a checkpoint is a general model's.

    Raises:
        AnyOrderError: when the file is missing or damaged.
    """
    return not path.is_dir() and is_of_fields(checkpoint.load_checkpoint(path).header)


def _spec(
    data: DataConfig, manifest: Manifest, train: Sequence[FieldTrajectory]
) -> tuple[Spec, tuple[spaces.Space[Any], spaces.Space[Any]]]:
    """The spec of the training trajectories, and the spaces that it was made from."""
    if manifest.content == "grid":
        columns, rows = train[0].observations["image"].shape[1:3]
        return grid_spec(train, data.fields), grid_spaces(columns, rows)
    where = spaces_of(manifest, Path(data.path))
    asked = manifest.field_settings if data.fields == SpecConfig() else data.fields
    return fit_spec(*where, train, asked), where


def _continue_from(path: Path, model: ElementTransformer) -> None:
    """Copy the weights of an earlier model of the same spec and sizes."""
    earlier = load_element_checkpoint(path).model
    if earlier.spec.names != model.spec.names or shapes_of(earlier) != shapes_of(model):
        raise AnyOrderError(
            f"training.init_from: the data must have the fields and sizes of {path}; found others; choose other data, another"
            " checkpoint, or set data.fields and element_model as it has them"
        )
    model.load_state_dict(earlier.state_dict())


def _model(config: ElementModelConfig, spec: Spec) -> ElementTransformer:
    try:
        return ElementTransformer(config, spec)
    except (ValueError, RuntimeError, OverflowError) as error:  # sizes that do not fit together, or into any memory
        raise AnyOrderError(f"element_model: {brief(error, 300)}; choose other sizes") from None
