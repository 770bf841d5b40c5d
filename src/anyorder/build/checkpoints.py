"""How the model in a checkpoint is loaded."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from anyorder.build.headers import check_origin, grid_model_config, is_of_fields, text_of, vocabulary_and_view
from anyorder.build.shapes import has_shapes
from anyorder.errors import AnyOrderError
from anyorder.models.contract import GridModel
from anyorder.models.grid.grid_transformer import GridTransformer
from anyorder.models.grid.older_weights import completed
from anyorder.training import checkpoint
from anyorder.training.digests import check_finite

if TYPE_CHECKING:  # transformers is an optional package, and its import takes seconds
    from anyorder.build.language import ConversationModel


def load_model(path: Path) -> tuple[GridModel, dict[str, Any]]:
    """The model of grids in a checkpoint, in evaluation mode on the GPU if there is one, and the checkpoint's header (env_id,
    config, ...).

    Args:
        path: the file of a grid model, or the folder of a language model.

    Raises:
        AnyOrderError: when the checkpoint is missing, damaged or does not hold a model of grids.
    """
    if is_of_conversations(path):
        raise AnyOrderError(
            f"the checkpoint must be one trained on grids; found one trained on conversations in {path}; score that one with"
            " `anyorder evaluate`, or continue a conversation with anyorder.acting.text_policy"
        )
    if path.is_dir():
        from anyorder.build.language import load_grid_as_text

        model, header = load_grid_as_text(path.resolve())
        return model.to(model_device()).eval(), header
    grid_model, header = load_grid_transformer(path)
    return grid_model.to(model_device()).eval(), header


def load_grid_transformer(path: Path) -> tuple[GridTransformer, dict[str, Any]]:
    """The model of a checkpoint file, on the CPU, and the file's header.

    Raises:
        AnyOrderError: when the file is missing, damaged or does not hold a model.
    """
    saved = checkpoint.load_checkpoint(path)
    if is_of_fields(saved.header):
        raise AnyOrderError(
            f"the checkpoint must be one of the grid model; found the general model in {path}; evaluate or query"
            " that one, open it in the playground, or let it collect"
        )
    if "words" not in saved.header:
        raise AnyOrderError(f"{path} holds a training state, not a model; use best.safetensors or last.safetensors beside it")
    config, where = grid_model_config(saved.header, str(path)), str(path)
    check_origin(saved.header, where)
    vocabulary, view = vocabulary_and_view(saved.header, where)
    tensors = completed(saved.tensors)
    if not has_shapes(lambda: GridTransformer(config, vocabulary, view), config.num_layers, tensors):
        raise AnyOrderError(
            f"{path} was made by another version of the model, or its tensors are not those of its header; train it again"
        )
    check_finite(tensors, path)
    model = GridTransformer(config, vocabulary, view)
    model.load_state_dict(tensors)
    return model, saved.header


def load_conversation_model(path: Path) -> tuple[ConversationModel, dict[str, Any]]:
    """The model of conversations in a checkpoint's folder, in evaluation mode on the GPU if there is one, together with the
    reader of its conversations; and the checkpoint's header.

    Raises:
        AnyOrderError: when the checkpoint is missing, damaged or does not hold such a model.
    """
    require_transformers()
    from anyorder.build.language import load_on_conversations

    loaded, header = load_on_conversations(path.resolve())
    loaded.model.to(model_device()).eval()
    return loaded, header


def is_of_conversations(path: Path) -> bool:
    """True if a checkpoint was trained on conversations.

    Raises:
        AnyOrderError: for a folder that is not a checkpoint.
    """
    if not path.is_dir():
        return False
    require_transformers()
    from anyorder.training.folder_store import read_header

    return text_of(read_header(path), "content", str(path)) == "text"


def require_transformers() -> None:
    """Raise an AnyOrderError where transformers is not installed."""
    if importlib.util.find_spec("transformers") is None:
        raise AnyOrderError("language models need transformers, which is not installed; pip install 'anyorder[llada2]'")


def model_device() -> str:
    """Where models are computed on this machine."""
    return "cuda" if torch.cuda.is_available() else "cpu"
