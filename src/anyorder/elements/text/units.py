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

    def cut(self, room: int) -> TextUnit:
        """The beginning of this turn, in a room of so many tokens."""
        return replace(self, text=Tokens(self.text.ids[:room], self.text.words[:room]), room=room)


def text_units(trajectory: TextTrajectory, codec: TextCodec, form: ChatForm) -> list[TextUnit]:
    """The units of a whole trajectory, one for each turn.

    Raises:
        AnyOrderError: for a role that the form does not know.
    """
    units = []
    for number, (turn, step) in enumerate(zip(trajectory.turns, trajectory.steps)):
        before, after = (codec.encode_marks(mark) for mark in form.around(turn.role, first=number == 0))
        text = codec.encode(turn.text)
        asked, room = turn.asked and form.asks_about(turn.part), form.room(turn.part, len(text))
        units.append(TextUnit(turn.part, step, asked, before, text, room, after))
    return units


def shorten(units: Sequence[TextUnit], limit: int, source: str = "a trajectory", first_steps: int = 0) -> list[TextUnit]:
    """Whole units of at most ``limit`` tokens in all.

    The mission and the first steps stay, and as many of the last steps as fit. The steps between are left out, the oldest
    first, each as a whole (its observation and the action that answers it). So every remaining action and observation, except
    for the first one after the gap, still follows the turn that it followed before. The remaining steps are numbered from 0.
    The step of the last action that is asked about always stays, with all steps after it; if no action is asked about, that
    holds for the last turn that is.

    Args:
        units: the units of one trajectory.
        limit: how many tokens fit.
        source: the trajectory's name in an error message.
        first_steps: how many steps always stay at the beginning.

    Raises:
        TooLong: if the mission and the steps that always stay are too long; what is left would have no target.
    """
    steps = [unit.step for unit in units if unit.asked and unit.part == "action"]
    last = max(steps or [unit.step for unit in units if unit.asked], default=units[-1].step)
    sizes, head = _sizes(units, units[-1].step + 1), max(0, min(first_steps, last))
    length = sum(map(len, units))
    for first in range(head, last + 1):
        if length <= limit:
            return _between(units, head, first, units[-1].step)
        length -= sizes[first] if first < last else 0
    raise TooLong(
        f"{source}: the mission{_beginning(head)} and the last steps that are asked about must fit into {limit} tokens; found"
        f" {length}; raise the limit, or leave this trajectory out"
    )


def in_parts(units: Sequence[TextUnit], limit: int, source: str = "a trajectory", first_steps: int = 0) -> list[list[TextUnit]]:
    """All of a trajectory, in parts of at most ``limit`` tokens, each of whole units.

    A part is the mission, the first steps and as many steps as fit. Each begins in the middle of the one before and asks about
    the turns that come after that one alone, so every turn is asked about once, with the later half of the part before as its
    history (at the beginning, with all that was). Steps are numbered from 0 in each part. A part without a turn to ask about
    is left out.

    Args:
        units: the units of one trajectory.
        limit: how many tokens fit.
        source: the trajectory's name in an error message.
        first_steps: how many steps stand at the beginning of every part.

    Raises:
        TooLong: where a step does not fit beside the mission and the first steps.
    """
    # An observation at the end belongs to the action that led there: a part of it alone would ask about no action.
    last = max(1, units[-1].step + (units[-1].part == "action"))
    sizes, head = _sizes(units, last), min(first_steps, last)
    free = limit - sum(len(unit) for unit in units if unit.step < 0) - sum(sizes[:head])
    if max(sizes[head:], default=0) > free:
        raise TooLong(
            f"{source}: the mission{_beginning(head)} and each step must fit into {limit} tokens; found"
            f" {limit - free + max(sizes[head:], default=0)}; raise the limit, or leave this trajectory out"
        )
    parts, first, asked_before = [], head, 0
    while asked_before < last:
        stop, length = first, 0
        while stop < last and length + sizes[stop] <= free:
            length, stop = length + sizes[stop], stop + 1
        if stop > asked_before:
            part = _between(units, head, first, units[-1].step if stop == last else stop - 1, asked_before)
            parts += [part] if any(unit.asked for unit in part) else []
            asked_before = stop
        first += max(1, (stop - first + 1) // 2)
    return parts


def _sizes(units: Sequence[TextUnit], num_steps: int) -> list[int]:
    """The number of tokens of each step; what comes after the last step belongs to it."""
    sizes = [0] * num_steps
    for unit in units:
        if unit.step >= 0:
            sizes[min(unit.step, num_steps - 1)] += len(unit)
    return sizes


def _beginning(first_steps: int) -> str:
    return f", the first {first_steps} steps" if first_steps else ""


def _between(units: Sequence[TextUnit], head: int, first: int, last: int, asked_from: int = 0) -> list[TextUnit]:
    """The mission, the steps before ``head`` and those from first to last, numbered from 0; nothing before step ``asked_from``
    is asked about."""

    def kept(unit: TextUnit) -> TextUnit:
        step = unit.step - (first - head) * (unit.step >= first)
        return unit if unit.step < 0 else replace(unit, step=step, asked=unit.asked and unit.step >= asked_from)

    return [kept(unit) for unit in units if unit.step < head or first <= unit.step <= last]
