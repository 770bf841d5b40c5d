"""What everything above may ask of a model."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol, TypeVar

from torch import Tensor, nn

from anyorder.elements.grid import GridLayout, GridVocabulary
from anyorder.elements.layout import Layout
from anyorder.masking.order import Order
from anyorder.models.parameters import ParameterGroup

LayoutT_contra = TypeVar("LayoutT_contra", bound=Layout, contravariant=True)


class Model(Protocol[LayoutT_contra]):
    """Rebuilds what an order hides from what it shows. It is a torch module; the methods that callers use are listed, too.

    Legend: B trajectories, E elements, K targets, V values (or tokens).
    """

    def __call__(self, values: Tensor, layout: LayoutT_contra, order: Order) -> Tensor:
        """Logits of the targets.

        Args:
            values: int64 ``[B, E]``; true values, read only where the order shows them.
            layout: of the batch.
            order: roles and ranks that `check_order` accepts.

        Returns:
            Logits ``[K, V]`` of the targets, in row-major order of ``order.targets``; -inf for what a target cannot be.
        """

    def check_order(self, layout: LayoutT_contra, order: Order) -> None:
        """Raise a ValueError that says why, for an order that the model cannot honour."""

    def parameter_groups(self) -> list[ParameterGroup]:
        """All parameters that learn, grouped by how they learn."""

    def parameters(self) -> Iterator[nn.Parameter]: ...

    def named_parameters(self) -> Iterator[tuple[str, nn.Parameter]]: ...

    def state_dict(self) -> dict[str, Any]: ...

    def eval(self) -> Any: ...

    def train(self, mode: bool = True) -> Any: ...


class GridModel(Model[GridLayout], Protocol):
    """A model of trajectories in a grid world, whatever it is made of.

    Attributes:
        vocabulary: numbers the values of its answers.
        view: columns and rows of what the agent sees.
        max_frames: how many observations it reads at most; None: any number.
    """

    vocabulary: GridVocabulary
    view: tuple[int, int]
    max_frames: int | None

    def check(self, view: tuple[int, int], num_words: int) -> None:
        """Raise an AnyOrderError for trajectories of another view, or with more mission words, than the model was made for."""
