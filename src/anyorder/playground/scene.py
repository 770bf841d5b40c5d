"""What the server asks of an episode, whatever it is made of.

Legend: E elements.
"""

from __future__ import annotations

from typing import Any, Protocol

import torch

from anyorder.elements.batch import Batch
from anyorder.elements.layout import Layout
from anyorder.errors import AnyOrderError
from anyorder.inference.decoding import Decoded
from anyorder.masking.order import Order, reconstruct
from anyorder.playground.wire import Source

EPISODES_REMEMBERED = 32
"""Of those that were played to their end."""


class Scene(Protocol):
    """An episode, whole or so far, and the model that is asked about it."""

    @property
    def model(self) -> Any:
        """In evaluation mode."""

    @property
    def batch(self) -> Batch[Any]:
        """Of this episode alone."""

    def to_json(self) -> dict[str, Any]:
        """Plain values for the page; ``roles`` are those of an episode in which nothing is hidden, a digit per element."""

    def told(self, order: Order, decoded: Decoded) -> dict[str, Any]:
        """What a decoder answered, as plain values: ``targets`` has an entry with its number for each target; of conversations,
        ``turns`` has one for each turn, with its words."""

    def next_action(self, roles: str, rebuilds: bool) -> dict[str, Any]:
        """What the agent would do next, if it did not see what is hidden from it.

        Args:
            roles: a digit per element; whatever is not CONTEXT is unknown to the agent.
            rebuilds: True if the agent first rebuilds what is unknown to it, and then acts on that.
        """


class Scenes(Protocol):
    """Finds or plays the episodes that the page asks for."""

    def about(self) -> dict[str, Any]:
        """What the page must know about all of them: ``kind``, ``env_id``, ``num_recorded``, and more."""

    def scene(self, source: Source) -> Scene:
        """The episode of a source. Raises AnyOrderError where there is none, or none can be played."""

    def pictures(self) -> dict[str, Any]:
        """What the page draws with; may take seconds."""

    def close(self) -> None:
        """Close the environments that were played in."""


def digits(roles: torch.Tensor) -> str:
    """The roles of one trajectory (``[1, E]``), a digit each."""
    return "".join(map(str, roles[0].tolist()))


def all_shown(layout: Layout) -> str:
    """`digits` of the roles of an episode in which nothing is hidden."""
    return digits(reconstruct(layout, torch.zeros_like(layout.present)).roles)


def from_digits(roles: str, layout: Layout) -> torch.Tensor:
    """int64 ``[1, E]``, the roles of one trajectory. Raises AnyOrderError if the number of digits is not E."""
    if len(roles) != layout.shape[1]:
        raise AnyOrderError(
            f"there must be one role for each of this episode's {layout.shape[1]} elements; found {len(roles)} roles;"
            " load it again"
        )
    return torch.tensor([[int(role) for role in roles]])


def check_recorded(number: int, num_recorded: int) -> None:
    """Raise an AnyOrderError unless there is a recorded episode of this number."""
    if number < num_recorded:
        return
    if not num_recorded:
        raise AnyOrderError(f"there are no recorded episodes; found number {number}; choose a seed instead")
    raise AnyOrderError(
        f"the number of a recorded episode must lie between 0 and {num_recorded - 1}; found {number}; choose another"
    )


def check_part(part: int, num_parts: int) -> None:
    """Raise an AnyOrderError unless an episode has a part of this number."""
    if part >= num_parts:
        raise AnyOrderError(f"the part of this episode must lie between 0 and {num_parts - 1}; found {part}; choose another")


def named_outcome(success: bool | None, truncated: bool) -> str:
    """The name of an end: ``success``, ``failure`` or, if a limit of steps ended it, ``truncated``; where nothing is said about
    success, ``ended`` or, by that limit, ``stopped``."""
    if success is None:
        return "stopped" if truncated else "ended"
    return "success" if success else "truncated" if truncated else "failure"


def check_live(found: str, expected: str) -> None:
    """Raise an AnyOrderError unless a live episode is of the expected kind."""
    if found != expected:
        raise AnyOrderError(f"a live episode of this environment must be of the kind {expected}; found {found}")
