"""Weights and tokenizer in the layout that transformers and PEFT read."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from transformers import PreTrainedModel, PreTrainedTokenizerFast
from transformers.utils import logging as transformers_logging


def save_pretrained(model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast, folder: Path, **options: Any) -> None:
    """Write weights (the adapter's alone, where there is one) and tokenizer into a folder.

    Args:
        options: of ``save_pretrained``.
    """
    with quiet():
        model.save_pretrained(folder, **options)
    tokenizer.save_pretrained(folder)


@contextmanager
def quiet() -> Iterator[None]:
    """Without transformers' own progress bars, since training shows its own, and without its report of a head that begins
    anew, which calls the checkpoint corrupted."""
    bars, verbosity = transformers_logging.is_progress_bar_enabled(), transformers_logging.get_verbosity()
    transformers_logging.disable_progress_bar()
    transformers_logging.set_verbosity_error()
    try:
        yield
    finally:
        transformers_logging.set_verbosity(verbosity)
        if bars:
            transformers_logging.enable_progress_bar()
