"""Acting with a trained model: the whole history as context, the next action as the question.

Legend: N episodes in progress, S cells of a view, V vocabulary.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from copy import copy
from functools import lru_cache
from typing import Generic, Protocol, TypeVar

import numpy as np
import torch
from torch import Tensor

from anyorder.acting.tried import TriedActions
from anyorder.elements.grid import AFTER_CELLS, NUM_VALUES, Attribute, Encoded, GridLayout, GridVocabulary, collate
from anyorder.envs.minigrid import View
from anyorder.masking.order import Order, Role, imitate
from anyorder.models.contract import GridModel

TRIED_PENALTY = 4.0
"""The usual ``tried_penalty`` of an agent that plays or is evaluated; see `SampledPolicy`."""
FRAMES_PER_PASS = 256
"""Observations in one forward pass when many episodes are played at once; they fit into a CPU's cache."""


def passes(lengths: Sequence[int], most: int | None = None) -> Iterator[list[int]]:
    """Which histories go through the model together: their numbers, pass by pass, the longest first. A pass has at most
    ``most`` (None: `FRAMES_PER_PASS`) frames or tokens, padding included; a longer history is a pass of its own."""
    longest_first = sorted(range(len(lengths)), key=lengths.__getitem__, reverse=True)
    while longest_first:
        size = max(1, (most or FRAMES_PER_PASS) // lengths[longest_first[0]])
        yield longest_first[:size]
        longest_first = longest_first[size:]


class History:
    """What an agent has seen and done so far.

    Args:
        vocabulary: of the model that will read it.
        mission: the instruction.

    Attributes:
        num_actions: how many actions the environment has, the first ones of MiniGrid's; whoever plays says so where they are
            not all of them.
    """

    def __init__(self, vocabulary: GridVocabulary, mission: str) -> None:
        self.mission, self.num_actions = mission, NUM_VALUES[Attribute.ACTION]
        self._vocabulary = vocabulary
        self._words = torch.tensor(vocabulary.encode_mission(mission), dtype=torch.int64)
        self._frames: list[np.ndarray] = []
        self._unknown: list[np.ndarray] = []
        self._tried = TriedActions(NUM_VALUES[Attribute.ACTION])

    def __len__(self) -> int:
        """Number of observations."""
        return len(self._frames)

    def observe(self, view: View, unknown: np.ndarray | None = None, unknown_direction: bool = False) -> None:
        """Add an observation.

        Args:
            view: what the environment showed.
            unknown: bool ``[X, Y]``, True for cells that the agent is told it cannot trust; they become hidden. With a
                third axis, ``[X, Y, 3]``, for single attributes.
            unknown_direction: True if the agent is told that it cannot trust the direction.
        """
        num_cells = view.image[..., 0].size
        told = np.zeros(view.image.shape, bool) if unknown is None else unknown.reshape(*view.image.shape[:2], -1)
        raw = np.concatenate([view.image.reshape(-1), [view.direction, 0, 0]]).astype(np.int64)
        self._frames.append(raw + _frame_offsets(self._vocabulary, num_cells))
        attributes = np.broadcast_to(told, view.image.shape).reshape(-1)
        self._unknown.append(np.concatenate([attributes, [unknown_direction, False, False]]))

    def act(self, action: int, unknown: bool = False) -> None:
        """Add the action taken after the last observation. ``unknown`` is True if the agent is told that another action may
        have been executed; the action becomes hidden then."""
        if not unknown:
            self._tried.add(*self._last_observation(), action)
        self._frames[-1][-1] = action + _frame_offsets(self._vocabulary, 0)[-1]
        self._unknown[-1][-1] = unknown

    def tried(self) -> Tensor:
        """float32 ``[7]``: how often each action was taken in the episode after the same view and direction, as far
        as both are known (see `TriedActions`)."""
        return torch.tensor(self._tried.after(*self._last_observation()))

    def _last_observation(self) -> tuple[np.ndarray, np.ndarray]:
        """int64 ``[3S + 1]``, and bool ``[3S + 1]``, True where it is known."""
        return self._frames[-1][: 1 - AFTER_CELLS], ~self._unknown[-1][: 1 - AFTER_CELLS]

    def frame(self, number: int) -> tuple[np.ndarray, np.ndarray]:
        """One observation and the action after it.

        Returns:
            Values, int64 ``[3S + 3]``, and bool ``[3S + 3]``, True for the unknown ones.
        """
        return self._frames[number], self._unknown[number]

    def words(self) -> Tensor:
        """int64 ``[W]``: values of the mission's words."""
        return self._words

    def encoded(self) -> Encoded:
        """The history with its next action still open."""
        return Encoded(self.mission, self._words, torch.from_numpy(np.stack(self._frames)), len(self._frames))

    def unknown(self) -> Tensor:
        """bool ``[F, S]``; True for unknown cells."""
        return self.unknown_elements()[:, :-AFTER_CELLS:3]

    def unknown_elements(self) -> Tensor:
        """bool ``[F, 3S + 3]``; True for unknown attributes of cells, directions and actions."""
        return torch.from_numpy(np.stack(self._unknown))

    def recent(self, num_frames: int | None) -> History:
        """The last ``num_frames`` observations and the actions between them, for a model that reads no more; None: all of
        them."""
        if num_frames is None or len(self) <= num_frames:
            return self
        known = copy(self)
        known._frames, known._unknown = self._frames[-num_frames:], self._unknown[-num_frames:]
        return known

    def rebuilt(self, frames: Tensor) -> History:
        """The same history with its unknown values replaced by those of ``frames`` (int64 ``[F, 3S + 3]``); nothing in it is
        unknown any more."""
        known = copy(self)
        known._frames = [np.where(*three) for three in zip(self._unknown, frames.numpy(), self._frames)]
        known._unknown = [np.zeros_like(unknown) for unknown in self._unknown]
        return known


@lru_cache
def _frame_offsets(vocabulary: GridVocabulary, num_cells: int) -> np.ndarray:
    return vocabulary.frame_offsets(num_cells)


HistoryT = TypeVar("HistoryT", bound=History)


class Policy(Protocol[HistoryT]):
    """Whatever acts in grid worlds: many episodes at a time, each with a history of its own."""

    @property
    def model(self) -> GridModel:
        """The model that it asks."""

    def start(self, mission: str) -> HistoryT:
        """The empty history of a new episode."""

    def actions(self, histories: Sequence[HistoryT]) -> list[int]:
        """The next action of each episode; `start` began the histories, which end with an observation."""


class SampledPolicy(ABC, Generic[HistoryT]):
    """A `Policy` that chooses by logits of the next action.

    Args:
        model: in evaluation mode.
        temperature: 0 takes the most probable action; above 0, actions are drawn from the softmax of logits / temperature.
        seed: of those draws.
        tried_penalty: nats that the log-probability of an action loses for every time it was taken in the episode after
            this observation. Experts never repeat an action in vain, so their demonstrations do not show what to do
            after one; and where the observation does not change, the model's answer hardly does.
    """

    def __init__(self, model: GridModel, temperature: float = 0.0, seed: int = 0, tried_penalty: float = 0.0) -> None:
        self.model, self.temperature, self.tried_penalty = model, temperature, tried_penalty
        self._generator = torch.Generator().manual_seed(seed)

    @abstractmethod
    def start(self, mission: str) -> HistoryT:
        """See `Policy`."""

    @abstractmethod
    def all_logits(self, histories: Sequence[HistoryT]) -> Tensor:
        """float32 ``[N, 7]`` on the CPU: logits of the next action of each episode, in the order given; also of actions that
        the environment does not have."""

    def logits(self, histories: Sequence[HistoryT]) -> Tensor:
        """As `all_logits`, and -inf for actions that the environment of an episode does not have."""
        logits = self.all_logits(histories)
        available = torch.tensor([history.num_actions for history in histories])
        return logits.masked_fill(torch.arange(logits.shape[1]) >= available[:, None], -torch.inf)

    def actions(self, histories: Sequence[HistoryT]) -> list[int]:
        """See `Policy`."""
        logits = self.logits(histories) - self.tried_penalty * torch.stack([history.tried() for history in histories])
        if self.temperature == 0.0:
            return logits.argmax(dim=-1).tolist()
        probabilities = (logits / self.temperature).softmax(dim=-1)
        return torch.multinomial(probabilities, 1, generator=self._generator)[:, 0].tolist()


class ModelPolicy(SampledPolicy[History]):
    """Chooses the next action from the whole history, with a model that was trained on orders that include imitation.

    Arguments as of `SampledPolicy`.
    """

    def start(self, mission: str) -> History:
        return History(self.model.vocabulary, mission)

    @torch.no_grad()
    def all_logits(self, histories: Sequence[History]) -> Tensor:
        """See `SampledPolicy`."""
        histories = [history.recent(self.model.max_frames) for history in histories]
        logits: list[Tensor] = [torch.empty(0)] * len(histories)
        for chosen in passes([len(history) for history in histories]):
            for index, row in zip(chosen, self._pass([histories[i] for i in chosen])):
                logits[index] = row
        return torch.stack(logits).float()

    def order(self, layout: GridLayout, histories: Sequence[History]) -> Order:
        """The order that asks for the next action of each history and, since it costs nothing, for all known actions too."""
        order = imitate(layout)
        roles = layout.grid.frames(order.roles)
        for row, history in enumerate(histories):
            roles[row, : len(history)][history.unknown_elements()] = Role.HIDDEN
        return order

    def _pass(self, histories: Sequence[History]) -> Tensor:
        device = next(self.model.parameters()).device
        values, layout = collate([history.encoded() for history in histories], *self.model.view)
        order = self.order(layout, histories)
        logits = self.model(values.to(device), layout.to(device), order.to(device)).cpu()
        # Known actions of the past are answered too; the last one of each row is the question.
        last = order.targets.sum(dim=1).cumsum(0) - 1
        first = self.model.vocabulary.offsets[Attribute.ACTION]
        return logits[last, first : first + self.model.vocabulary.sizes[Attribute.ACTION]]
