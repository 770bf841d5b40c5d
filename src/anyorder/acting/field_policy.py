"""From a history of any spec to an action: the general model as a policy.

Legend: N episodes, F frames, P elements of a frame, A elements of an action, V values.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from gymnasium import spaces
from torch import Tensor

from anyorder.acting.policy import passes
from anyorder.elements.encoding import FieldReader
from anyorder.elements.fields import EncodedFields, FieldLayout, collate_fields, encode_mission, frame_columns, frame_reader
from anyorder.elements.layout import Kind
from anyorder.elements.spec import ABSENT, Bins, Spec
from anyorder.envs.spaces import ACTION, leaves, unflatten
from anyorder.inference.bin_answers import BinAnswers
from anyorder.masking.order import Order, Role, imitate
from anyorder.models.element.element_transformer import ElementTransformer


class FieldHistory:
    """What an agent knows of an episode that goes on.

    Args:
        spec: the fields.
        mission: the instruction; empty where there is none.
        most_frames: how many of the last observations are kept; None: all.
    """

    def __init__(self, spec: Spec, mission: str = "", most_frames: int | None = None) -> None:
        self.spec, self.mission, self._most = spec, mission, most_frames
        self._reader: FieldReader = frame_reader(spec)
        self._head: tuple[Tensor, Tensor] | None = None
        self._values: list[Tensor] = []
        self._numbers: list[Tensor] = []
        self.hidden: list[Tensor] = []

    @classmethod
    def beginning(cls, encoded: EncodedFields, spec: Spec, num_frames: int, most_frames: int | None = None) -> FieldHistory:
        """The first frames of a trajectory, with the next action still open; what was not recorded stays absent."""
        history = cls(spec, encoded.mission, most_frames)
        kept = slice(max(0, num_frames - (most_frames or num_frames)), num_frames)
        history._head = encoded.head, encoded.head_numbers
        history._values, history._numbers = list(encoded.frames[kept]), list(encoded.frame_numbers[kept])
        history.hidden = [torch.zeros(len(values), dtype=torch.bool) for values in history._values]
        return history

    def __len__(self) -> int:
        """Number of observations that are kept, F."""
        return len(self._values)

    def observe(self, observation: Mapping[str, np.ndarray], hidden: Tensor | None = None) -> None:
        """Add an observation.

        Args:
            observation: path -> array, as `anyorder.envs.spaces.flatten` makes it.
            hidden: bool ``[P]``, True for elements that the agent is told not to trust; None: none.
        """
        arrays = {path: np.asarray(value)[None] for path, value in observation.items()}
        if self._head is None:
            self._head = encode_mission(self.mission, arrays, {}, self.spec)
        values, numbers = self._reader(arrays, {}, 1)
        self._append(values[0], numbers[0], hidden)

    def observe_encoded(self, values: Tensor, numbers: Tensor) -> None:
        """Add an observation that was imagined: of the elements of an observation, the values, int64, and the numbers in
        standard deviations from the mean, float32."""
        observed = frame_columns(self.spec).kind == Kind.OBSERVATION
        frame = torch.full(observed.shape, ABSENT).masked_scatter(observed, values)
        self._append(frame, torch.zeros(observed.shape).masked_scatter(observed, numbers), None)

    def _append(self, values: Tensor, numbers: Tensor, hidden: Tensor | None) -> None:
        self._values.append(values)
        self._numbers.append(numbers)
        self.hidden.append(torch.zeros(len(values), dtype=torch.bool) if hidden is None else hidden)
        if self._most is not None and len(self) > self._most:
            del self._values[0], self._numbers[0], self.hidden[0]

    def act(self, action: Mapping[str, np.ndarray]) -> None:
        """Add the action that was taken after the last observation; path -> array."""
        arrays = {path: np.asarray(value)[None] for path, value in action.items()}
        values, numbers = self._reader(arrays, {}, 1)
        taken = frame_columns(self.spec).kind == Kind.ACTION
        self._values[-1] = self._values[-1].where(~taken, values[0])
        self._numbers[-1] = self._numbers[-1].where(~taken, numbers[0])

    def encoded(self, next_action: bool = False) -> EncodedFields:
        """The history. Its next action is still open, unless ``next_action`` says that it was taken (`act`)."""
        assert self._head is not None, "a history must hold an observation before an agent acts on it"
        values = torch.stack(self._values)
        if not next_action:
            values[-1] = values[-1].masked_fill(frame_columns(self.spec).kind == Kind.ACTION, 0)
        return EncodedFields(self.mission, self._head[0], values, self._head[1], torch.stack(self._numbers), len(values))


class FieldPolicy:
    """Chooses the next action from the last observations, with a model that was trained on orders that include imitation.

    Each entry of an action is answered in one pass, independently of the others.

    Args:
        model: in evaluation mode.
        action_space: of the environment.
        temperature: 0 takes the most probable value (of a number, the mean of the bins around it); above 0, values are drawn
            from the softmax of logits / temperature (of a number, uniformly within its bin).
        seed: of those draws.
    """

    def __init__(
        self, model: ElementTransformer, action_space: spaces.Space[Any], temperature: float = 0.0, seed: int = 0
    ) -> None:
        self.model, self.action_space, self.temperature = model, action_space, temperature
        self._generator = torch.Generator().manual_seed(seed)
        self._leaves = leaves(action_space, ACTION)
        columns = frame_columns(model.spec)
        self._fields = columns.attribute[columns.kind == Kind.ACTION]

    def start(self, mission: str = "") -> FieldHistory:
        """The empty history of a new episode."""
        # The model learned from parts of so many frames, whose last one has no action.
        return FieldHistory(self.model.spec, mission, self.model.config.max_frames - 1)

    def actions(self, histories: Sequence[FieldHistory]) -> list[Any]:
        """The next action of each episode, as its environment takes it."""
        return [self.as_given(action) for action in self.flat_actions(histories)]

    def as_given(self, action: Mapping[str, np.ndarray]) -> Any:
        """An action, path -> array, in the form of the space."""
        return unflatten(self.action_space, action, ACTION)

    def flat_actions(self, histories: Sequence[FieldHistory]) -> list[dict[str, np.ndarray]]:
        """The same, path -> array."""
        chosen = self._choose(self.logits(histories)).numpy()
        return [self._recorded(row) for row in chosen]

    @torch.no_grad()
    def logits(self, histories: Sequence[FieldHistory]) -> Tensor:
        """float32 ``[N, A, V]`` on the CPU."""
        answers: list[Tensor] = [torch.empty(0)] * len(histories)
        for rows in passes([len(history) for history in histories]):
            for row, answer in zip(rows, self._pass([histories[i] for i in rows])):
                answers[row] = answer
        return torch.stack(answers)

    def _pass(self, histories: Sequence[FieldHistory]) -> Tensor:
        device = next(self.model.parameters()).device
        batch = collate_fields([history.encoded() for history in histories], self.model.spec)
        order = self.order(batch.layout, histories)
        logits = self.model(batch.values.to(device), batch.layout.to(device), order.to(device)).cpu()
        return logits.view(len(histories), len(self._fields), -1)

    def order(self, layout: FieldLayout, histories: Sequence[FieldHistory]) -> Order:
        """What the model is asked about a batch of histories: see `next_action_order`."""
        return next_action_order(layout, histories)

    def _choose(self, logits: Tensor) -> Tensor:
        """float64 ``[N, A]``: the value of each entry: the number of a category, or a real number."""
        chosen = torch.empty(logits.shape[:2], dtype=torch.float64)
        for entry, number in enumerate(self._fields.tolist()):
            values = self.model.spec.fields[number].values
            own = logits[:, entry, : len(values)]
            if self.temperature > 0:
                shares = (own / self.temperature).softmax(dim=-1)
                drawn = torch.multinomial(shares, 1, generator=self._generator)[:, 0]
            else:
                drawn = own.argmax(dim=-1)
            chosen[:, entry] = self._number(values, own, drawn) if isinstance(values, Bins) else drawn.double()
        return chosen

    def _number(self, values: Bins, logits: Tensor, drawn: Tensor) -> Tensor:
        if self.temperature > 0:
            middles = torch.from_numpy(values.recorded(np.arange(len(values))))
            within = torch.rand(drawn.shape, generator=self._generator, dtype=torch.float64) - 0.5
            inner = (drawn > 0) & (drawn < len(values) - 1)
            return middles[drawn] + torch.where(inner, within * values.width, 0.0)
        return BinAnswers.of(logits, values).near(drawn)

    def _recorded(self, row: np.ndarray) -> dict[str, np.ndarray]:
        """The action of one episode: path -> array in the space's dtype and shape."""
        flat = {path: np.zeros(int(np.prod(leaf.shape or ())), object) for path, leaf in self._leaves.items()}
        seen: dict[int, int] = {}
        for entry, number in enumerate(self._fields.tolist()):
            field = self.model.spec.fields[number]
            place = seen[number] = seen.get(number, -1) + 1
            value = row[entry] if isinstance(field.values, Bins) else field.values.recorded(np.array(int(row[entry]))).item()
            flat[field.source][field.start + place * field.stride] = value
        return {path: _in_space(leaf, flat[path]) for path, leaf in self._leaves.items()}


def next_action_order(layout: FieldLayout, histories: Sequence[FieldHistory]) -> Order:
    """The order that asks for the last action of each history. What a history hides is HIDDEN; earlier actions are shown."""
    order = imitate(layout)
    frames, kinds = layout.frame_shape.frames(order.roles), layout.frame_shape.frames(layout.kind)
    for row, history in enumerate(histories):
        last = len(history) - 1
        past = frames[row, :last]
        past[past == Role.TARGET] = Role.CONTEXT
        unseen = torch.stack(history.hidden) & (kinds[row, : last + 1] == Kind.OBSERVATION)
        frames[row, : last + 1][unseen] = Role.HIDDEN
    return order


def _in_space(leaf: spaces.Space[Any], values: np.ndarray) -> np.ndarray:
    shaped = values.reshape(leaf.shape or ())
    if isinstance(leaf, spaces.Box):
        assert leaf.dtype is not None
        return np.clip(shaped.astype(np.float64), leaf.low, leaf.high).astype(leaf.dtype)
    return shaped.astype(leaf.dtype) if leaf.dtype is not None else shaped
