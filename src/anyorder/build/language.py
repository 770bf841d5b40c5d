"""Where a configuration of a language model becomes objects: on grids written as text, or on conversations."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import PretrainedConfig

from anyorder.build.task import Task, chosen_demonstrations
from anyorder.config import AdapterConfig, DataConfig, LanguageModelConfig, RunConfig
from anyorder.data.manifest import read_manifest
from anyorder.data.storage import read_split
from anyorder.data.text_storage import read_text_split
from anyorder.elements.batch import EncodedTrajectories
from anyorder.elements.grid import GridVocabulary
from anyorder.elements.text.codec import TextCodec
from anyorder.elements.text.elements import EncodedTexts
from anyorder.elements.text.form import LLADA2, PLAIN, ChatForm
from anyorder.elements.text.tokenizers import read_tokenizer
from anyorder.errors import AnyOrderError
from anyorder.models.grid_text.grid_as_text import GridAsText
from anyorder.models.grid_text.grid_text import GridText
from anyorder.models.language.masked_lm import MaskedLanguageModel
from anyorder.models.language.pretrained import Pretrained, checkpoint_folder, mask_id, pretrained, read_architecture
from anyorder.training.divided import loads_weights
from anyorder.training.folder_store import CheckpointFolder, read_header
from anyorder.training.loss import Weighting
from anyorder.types import Trajectory

CHAT_FORMS = {"plain": PLAIN, "llada2": LLADA2}


def language_task(config: RunConfig, folder: Path) -> Task:
    """What a training run of a language model needs, on a data set of either content.

    Raises:
        AnyOrderError: when the data set, the model or a setting does not fit.
    """
    manifest = read_manifest(Path(config.data.path))
    torch.manual_seed(config.training.seed)
    of_content = _on_grids if manifest.content == "grid" else _on_conversations
    return of_content(config, folder, {"env_id": manifest.env_id, "content": manifest.content, "config": asdict(config)})


def load_language_model(folder: Path) -> tuple[nn.Module, dict[str, Any]]:
    """The model of a checkpoint folder that a run wrote, on the CPU, and its header."""
    header = read_header(folder)
    config = _language_model_config(header)
    on_grids = header["content"] == "grid"
    inner = pretrained(config, _no_texts, on_grids, saved=folder)
    if on_grids:
        return _grid_model(config, inner, GridVocabulary(tuple(header["words"])), tuple(header["view"])), header
    return _chat_model(inner), header


@dataclass(frozen=True, eq=False)
class ConversationReader:
    """Reads conversations as a model does.

    Attributes:
        codec: of its tokenizer.
        form: marks between turns.
        limit: longest conversation, in tokens.
    """

    codec: TextCodec
    form: ChatForm
    limit: int

    def read(self, data: DataConfig, split: str) -> EncodedTexts:
        """Those of a split that fit; how many do not is said.

        Raises:
            AnyOrderError: when none does, or the data set is of another content.
        """
        trajectories = chosen_demonstrations(read_text_split(Path(data.path), split), data)
        texts, left_out = EncodedTexts.fitting(trajectories, self.codec, self.form, self.limit)
        where = f"{data.path}, {split}"
        if left_out:
            print(f"{where}: {len(left_out)} of {len(trajectories)} conversations do not fit and are left out", file=sys.stderr)
        if not len(texts):
            raise AnyOrderError(f"{where}: no conversation fits into {self.limit} tokens; raise language_model.max_tokens")
        return texts


def reader_of(folder: Path, header: dict[str, Any]) -> ConversationReader:
    """How the model of a checkpoint folder reads."""
    config = _language_model_config(header)
    tokenizer = read_tokenizer(folder, config.trust_remote_code)
    architecture = read_architecture(_with_architecture(folder, config), config)
    return _reader(config, TextCodec.of(tokenizer, mask_id(config, tokenizer)), architecture)


def _language_model_config(header: dict[str, Any]) -> LanguageModelConfig:
    settings = dict(header["config"]["language_model"])
    adapter = settings.pop("adapter")
    return LanguageModelConfig(**settings, adapter=adapter and AdapterConfig(**adapter))


def _with_architecture(folder: Path, config: LanguageModelConfig) -> Path:
    """An adapter's folder has no ``config.json``: the model's that it adapts has."""
    return folder if (folder / "config.json").is_file() else checkpoint_folder(config.checkpoint)


def _on_grids(config: RunConfig, folder: Path, header: dict[str, Any]) -> Task:
    settings = config.language_model
    train: list[Trajectory] = chosen_demonstrations(read_split(Path(config.data.path), "train"), config.data)
    validation = read_split(Path(config.data.path), "validation")
    vocabulary, view = GridVocabulary.of(train), train[0].observations.shape[1:3]
    inner = pretrained(settings, lambda: (trajectory.mission for trajectory in train), for_grids=True, weights=loads_weights())
    header = {**header, "words": list(vocabulary.words), "view": list(view)}
    return Task(
        model=_grid_model(settings, inner, vocabulary, view),
        train=EncodedTrajectories(train, vocabulary, settings.max_frames),
        validation=EncodedTrajectories(validation, vocabulary, settings.max_frames),
        weighting=Weighting(config.training.balance, config.training.object_weight),
        store=CheckpointFolder(folder, header, inner.tokenizer),
    )


def _on_conversations(config: RunConfig, folder: Path, header: dict[str, Any]) -> Task:
    inner = pretrained(config.language_model, lambda: _told(config.data), for_grids=False, weights=loads_weights())
    reader = _reader(config.language_model, inner.codec, inner.model.config)
    return Task(
        model=_chat_model(inner),
        train=reader.read(config.data, "train"),
        validation=reader.read(DataConfig(config.data.path), "validation"),
        weighting=Weighting(config.training.balance, object_weight=1.0),
        store=CheckpointFolder(folder, header, inner.tokenizer),
    )


def _told(data: DataConfig) -> Iterable[str]:
    return (turn.text for one in read_text_split(Path(data.path), "train") for turn in one.turns)


def _reader(config: LanguageModelConfig, codec: TextCodec, architecture: PretrainedConfig) -> ConversationReader:
    readable = architecture.max_position_embeddings
    limit = readable if config.max_tokens is None else min(config.max_tokens, readable)
    return ConversationReader(codec, CHAT_FORMS[config.chat_form], limit)


def _grid_model(
    config: LanguageModelConfig, inner: Pretrained, vocabulary: GridVocabulary, view: tuple[int, int]
) -> GridAsText:
    text = GridText(inner.codec, config.longest_run)
    masked = MaskedLanguageModel(inner.model, inner.codec.mask_id, answers=text.tokens.answers)
    return GridAsText(masked, text, vocabulary, view, config.max_frames)


def _chat_model(inner: Pretrained) -> MaskedLanguageModel:
    codec = inner.codec
    return MaskedLanguageModel(inner.model, codec.mask_id, None if codec.pad_id == codec.end_id else codec.pad_id)


def _no_texts() -> Iterable[str]:
    raise AnyOrderError("a saved checkpoint has its tokenizer; found none")
