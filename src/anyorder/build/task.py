"""What the configuration of a training run becomes, whatever the model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from torch import nn

from anyorder.config import DataConfig
from anyorder.elements.batch import ByLength
from anyorder.errors import AnyOrderError
from anyorder.training.loss import Weighting
from anyorder.training.stores import Store

T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class Task:
    """A model and what it learns from.

    Attributes:
        model: called as ``model(values, layout, order) -> logits [K, V]``.
        train, validation: encoded splits.
        weighting: of the loss.
        store: of the run.
    """

    model: nn.Module
    train: ByLength
    validation: ByLength
    weighting: Weighting
    store: Store


def chosen_demonstrations(train: Sequence[T], data: DataConfig) -> list[T]:
    """As many of the training trajectories as the configuration asks for.

    Raises:
        AnyOrderError: when there are not so many.
    """
    if data.num_demonstrations is None:
        return list(train)
    if not 0 < data.num_demonstrations <= len(train):
        raise AnyOrderError(
            f"data.num_demonstrations is between 1 and the {len(train)} of {data.path}, found {data.num_demonstrations}"
        )
    return list(train[: data.num_demonstrations])
