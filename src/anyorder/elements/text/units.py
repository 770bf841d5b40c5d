"""A text trajectory as units of tokens, and as many of them as fit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from anyorder.elements.text.codec import TextCodec, Tokens
from anyorder.elements.text.form import ChatForm
from anyorder.errors import AnyOrderError
from anyorder.types import TextTrajectory


class TooLong(AnyOrderError):
    """Nothing that could be asked fits."""


@dataclass(frozen=True)
class TextUnit:
    """One turn as tokens.

    Attributes:
        part: mission, observation or action.
        step: of the turn, -1 for a mission.
        asked: True if its room may be hidden.
        before, after: the marks around it, always visible.
        text: tokens of what is said.
        room: tokens from mark to mark; what the text leaves of them is end tokens.
    """

    part: str
    step: int
    asked: bool
    before: tuple[int, ...]
    text: Tokens
    room: int
    after: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.before) + self.room + len(self.after)


def text_units(trajectory: TextTrajectory, codec: TextCodec, form: ChatForm) -> list[TextUnit]:
    """The units of a whole trajectory, one for each turn.

    Raises:
        AnyOrderError: for a role that the form does not know.
    """
    units = []
    for number, (turn, step) in enumerate(zip(trajectory.turns, trajectory.steps)):
        before, after = (codec.encode_marks(mark) for mark in form.around(turn.role, first=number == 0))
        text = codec.encode(turn.text)
        units.append(TextUnit(turn.part, step, turn.asked, before, text, form.room(turn.part, len(text)), after))
    return units


def shorten(units: Sequence[TextUnit], limit: int, source: str = "a trajectory") -> list[TextUnit]:
    """Whole units of at most ``limit`` tokens in all.

    The mission stays, and so do the last steps, as many as fit: what goes are the steps between, the oldest first, each
    as a whole (its observation and the action that answers it). Nothing is torn apart, so every action and observation
    that is left but the first still follows what it followed. Steps are counted from 0 again. The step of the last
    action that is asked about (of the last turn asked about, if no action is) and all after it always stay.

    Args:
        units: of one trajectory.
        limit: in tokens.
        source: what an error calls the trajectory.

    Raises:
        TooLong: if the mission and those last steps are too long; nothing that is left could be learned from.
    """
    steps = [unit.step for unit in units if unit.asked and unit.part == "action"]
    last = max(steps or [unit.step for unit in units if unit.asked])
    for first in range(last + 1):
        kept = [unit for unit in units if unit.step < 0 or unit.step >= first]
        length = sum(map(len, kept))
        if length <= limit:
            return [unit if unit.step < 0 else replace(unit, step=unit.step - first) for unit in kept]
    raise TooLong(
        f"{source}: the mission and what is last asked about take {length} tokens, more than the {limit} there are"
        "; raise the limit, or leave this trajectory out"
    )
