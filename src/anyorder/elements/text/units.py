"""A text trajectory as units of tokens, shortened to what fits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from anyorder.elements.text.codec import TextCodec, Tokens
from anyorder.elements.text.form import ChatForm
from anyorder.errors import AnyOrderError
from anyorder.types import TextTrajectory


class TooLong(AnyOrderError):
    """No turn that could be a target fits into the limit."""


@dataclass(frozen=True)
class TextUnit:
    """One turn as tokens.

    Attributes:
        part: mission, observation or action.
        step: the turn's step, -1 for a mission.
        asked: True if its room may be hidden.
        before, after: the tokens of the marks around it, always visible.
        text: the tokens of what is said.
        room: number of tokens from mark to mark; end tokens fill what the text leaves free.
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

    The mission stays, and as many of the last steps as fit. The steps between are left out, the oldest first, each as a
    whole (its observation and the action that answers it). So every remaining action and observation, except for the
    first one, still follows the turn that it followed before. The remaining steps are numbered from 0. The step of the
    last action that is asked about always stays, with all steps after it; if no action is asked about, that holds for
    the last turn that is.

    Args:
        units: the units of one trajectory.
        limit: how many tokens fit.
        source: the trajectory's name in an error message.

    Raises:
        TooLong: if the mission and the steps that always stay are too long; what is left would have no target.
    """
    steps = [unit.step for unit in units if unit.asked and unit.part == "action"]
    last = max(steps or [unit.step for unit in units if unit.asked])
    for first in range(last + 1):
        kept = [unit for unit in units if unit.step < 0 or unit.step >= first]
        length = sum(map(len, kept))
        if length <= limit:
            return [unit if unit.step < 0 else replace(unit, step=unit.step - first) for unit in kept]
    raise TooLong(
        f"{source}: the mission and the last steps that are asked about must fit into {limit} tokens; found {length}"
        "; raise the limit, or leave this trajectory out"
    )
