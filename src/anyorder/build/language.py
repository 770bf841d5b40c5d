"""From a configuration or a checkpoint of a language model to its objects: on grids written as text, or on conversations."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch

from anyorder.build.conversations import ConversationReader, told_of_sets
from anyorder.build.headers import check_origin, language_model_config, vocabulary_and_view, vocabulary_header
from anyorder.build.masking import GRID_FIELDS
from anyorder.build.pretrained import Pretrained, pretrained
from anyorder.build.sets import PROBED_AT, schedules_of_sets, strategies_of_sets
from anyorder.build.splits import validation_split, whole_grids
from anyorder.build.weighting import weighting_of_grids
from anyorder.config import DataConfig, RunConfig
from anyorder.data.manifest import read_manifest
from anyorder.data.storage import read_split
from anyorder.elements.batch import Budget, EncodedTrajectories
from anyorder.elements.grid import GridLayout, GridVocabulary
from anyorder.elements.layout import Layout
from anyorder.elements.text.form import LLADA2, PLAIN
from anyorder.errors import AnyOrderError
from anyorder.language_config import LanguageModelConfig
from anyorder.masking.strategies import Strategy
from anyorder.models.grid_text.grid_as_text import GridAsText
from anyorder.models.grid_text.grid_form import frame_positions
from anyorder.models.grid_text.grid_text import GridText
from anyorder.models.language.masked_lm import MaskedLanguageModel
from anyorder.seeding import stream
from anyorder.training.divided import loads_weights
from anyorder.training.folder_store import CheckpointFolder, read_whole
from anyorder.training.loss import Weighting
from anyorder.training.trainer import Job
from anyorder.trust import check_trust, trusts_code
from anyorder.types import TextTrajectory, Trajectory

CHAT_FORMS = {"plain": PLAIN, "llada2": LLADA2}
PROBED_TRAJECTORIES = 16
"""So many trajectories show, at the moments `PROBED_AT`, how many positions the orders of a grid take."""


def language_job(config: RunConfig, folder: Path, strategy_at: Callable[[float], Strategy], resume: bool) -> Job[Any]:
    """The job of a training run of a language model, on grids or on conversations; arguments as of `Job`.

    Raises:
        AnyOrderError: when the data set, the model or a setting does not fit.
    """
    manifest = read_manifest(Path(config.data.path))
    if config.data.sets and manifest.content == "grid":
        raise AnyOrderError(
            f"a language model is trained on one data set of grids; found {len(config.data.sets)} more in data.sets; leave"
            " them out"
        )
    torch.manual_seed(config.training.seed)
    header = {"env_id": manifest.env_id, "content": manifest.content, "config": asdict(config)}
    on_content = _on_grids if manifest.content == "grid" else _on_conversations
    return on_content(config, folder, header, strategy_at, resume)


def load_grid_as_text(folder: Path) -> tuple[GridAsText, dict[str, Any]]:
    """The model of a checkpoint folder that a run on grids wrote, on the CPU, and its header."""
    header, config = _opened(folder)
    vocabulary, view = vocabulary_and_view(header, str(folder))
    inner = pretrained(config, _no_texts, for_grids=True, saved=folder)
    return _grid_model(config, inner, vocabulary, view), header


def load_on_conversations(folder: Path) -> tuple[ConversationModel, dict[str, Any]]:
    """The model of a checkpoint folder that a run on conversations wrote, on the CPU, and its header."""
    header, config = _opened(folder)
    inner = pretrained(config, _no_texts, for_grids=False, saved=folder)
    return _conversation_model(config, inner), header


def _opened(folder: Path) -> tuple[dict[str, Any], LanguageModelConfig]:
    """The header of a checkpoint folder and its language model's settings. Whether code runs is for the user to say.

    Raises:
        AnyOrderError: when the folder was changed, or was trained with code that the user has not vouched for.
    """
    header = read_whole(folder)
    config = language_model_config(header, str(folder))
    check_origin(header, str(folder))
    if config.trust_remote_code:
        check_trust(trusts_code(), f"{folder} asks to run Python code that comes with its model")
    return header, replace(config, trust_remote_code=trusts_code())


@dataclass(frozen=True, eq=False)
class ConversationModel:
    """A language model of conversations.

    Attributes:
        model: a model whose values are tokens.
        reader: reads conversations for the model.
        num_tokens: V, number of values of the model.
    """

    model: MaskedLanguageModel
    reader: ConversationReader
    num_tokens: int


def _on_grids(
    config: RunConfig, folder: Path, header: dict[str, Any], strategy_at: Callable[[float], Strategy], resume: bool
) -> Job[GridLayout]:
    settings = _settings(config)
    path = Path(config.data.path)

    def read(split: str, number: int | None = None) -> Sequence[Trajectory]:
        return whole_grids(read_split(path, split, number), path, "a language model")

    train = read("train", config.data.num_demonstrations)
    columns, rows = train[0].observations.shape[1:3]
    vocabulary, view = GridVocabulary.of(train), (columns, rows)
    inner = pretrained(settings, lambda: (trajectory.mission for trajectory in train), for_grids=True, weights=loads_weights())
    header = {**header, **vocabulary_header(vocabulary), "view": list(view)}

    def encoded(trajectories: Sequence[Trajectory]) -> EncodedTrajectories:
        return EncodedTrajectories(trajectories, vocabulary, settings.max_frames)

    data = encoded(train)
    probed = data.batch(range(min(len(data), PROBED_TRAJECTORIES))).layout
    orders = (strategy_at(progress)(probed, stream(0, "probe")) for progress in PROBED_AT)
    _check_fits(settings, inner, train, frame_positions(probed, orders))
    return Job(
        model=_grid_model(settings, inner, vocabulary, view),
        train=data,
        validation=validation_split(path, lambda: encoded(read("validation"))),
        budget=Budget(config.training.frames_per_batch, "frames"),
        strategy_at=strategy_at,
        weighting=weighting_of_grids(config),
        config=config.training,
        folder=folder,
        store=CheckpointFolder(folder, header, inner.tokenizer),
        resume=resume,
    )


def _check_fits(config: LanguageModelConfig, inner: Pretrained, trajectories: Sequence[Trajectory], of_frame: int) -> None:
    """Refuse what training, or an agent with all of its history, would not fit into the model's positions; ``of_frame`` is how
    many a frame takes."""
    limit = inner.model.config.max_position_embeddings
    words = max(len(inner.codec.encode(mission).ids) for mission in {trajectory.mission for trajectory in trajectories})
    frames = config.max_frames or max(len(trajectory) + 1 for trajectory in trajectories)
    if words + frames * of_frame > limit:
        raise AnyOrderError(
            f"the model must have positions for {frames} frames of {of_frame} tokens and a mission of {words}, which makes"
            f" {words + frames * of_frame}; found {limit}; set language_model.max_frames to at most"
            f" {max(0, limit - words) // of_frame}, or choose a model with more positions"
        )


def _on_conversations(
    config: RunConfig, folder: Path, header: dict[str, Any], strategy_at: Callable[[float], Strategy], resume: bool
) -> Job[Layout]:
    settings, told = _settings(config), told_of_sets(config.data, config.training.seed)
    inner = pretrained(settings, lambda: _texts(told), for_grids=False, weights=loads_weights())
    conversations = _conversation_model(settings, inner)
    reader, every = conversations.reader, DataConfig(config.data.path)
    schedules = schedules_of_sets(config, strategy_at, GRID_FIELDS)
    throughout = [[schedule(progress) for progress in PROBED_AT] for schedule in schedules]
    return Job(
        model=conversations.model,
        train=reader.of_sets(config.data, told, throughout),
        validation=validation_split(Path(every.path), lambda: reader.read(every, "validation", throughout[0][-1:])),
        budget=Budget(config.training.tokens_per_batch, "tokens"),
        strategy_at=strategies_of_sets(config, strategy_at, GRID_FIELDS),
        weighting=Weighting(config.training.balance or "kind"),
        config=config.training,
        folder=folder,
        store=CheckpointFolder(folder, header, inner.tokenizer),
        resume=resume,
    )


def _settings(config: RunConfig) -> LanguageModelConfig:
    assert config.language_model is not None, "this job needs a configuration with a language model"
    return config.language_model


def _texts(told: Iterable[Iterable[TextTrajectory]]) -> Iterable[str]:
    """All that a tokenizer is made from; with the copies of `told_of_sets`, it has pieces for new names, too."""
    return (turn.text for members in told for one in members for turn in one.turns)


def _grid_model(
    config: LanguageModelConfig, inner: Pretrained, vocabulary: GridVocabulary, view: tuple[int, int]
) -> GridAsText:
    text = GridText(inner.codec, config.longest_run)
    masked = MaskedLanguageModel(inner.model, inner.codec.mask_id, answers=text.tokens.answers, is_new=config.begins_new)
    return GridAsText(masked, text, vocabulary, view, config.max_frames)


def _conversation_model(config: LanguageModelConfig, inner: Pretrained) -> ConversationModel:
    codec, architecture = inner.codec, inner.model.config
    pad = None if codec.pad_id == codec.end_id else codec.pad_id
    model = MaskedLanguageModel(inner.model, codec.mask_id, pad, is_new=config.begins_new)
    form = CHAT_FORMS[config.chat_form]
    form = replace(form, rooms={**form.rooms, **(config.rooms or {})}, first_steps=config.first_steps)
    reader = ConversationReader(codec, form, config.max_tokens, architecture.max_position_embeddings, config.long_texts)
    return ConversationModel(model, reader, architecture.vocab_size)


def _no_texts() -> Iterable[str]:
    raise AnyOrderError("a saved checkpoint must have its tokenizer; found none; restore the folder or train again")
