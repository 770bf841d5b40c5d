"""How a conversation is told a model: the marks between its turns, and the room that each turn gets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from anyorder.errors import AnyOrderError


@dataclass(frozen=True)
class ChatForm:
    """The same form in training and acting.

    What is visible around a hidden turn are the marks and its room. The *room* of a turn of n tokens is the smallest of
    ``r, 2r, 4r, ...`` that holds n + 1, where r is the smallest room of its part; all of it that the text does not fill
    is end tokens, at least one, which are targets like the text. So nothing tells a turn's length but its room: lengths
    up to r - 1 cannot be told apart at all, longer ones up to a factor of two. With r as large as the longest turn
    nothing is told. A policy that does not know yet what it will do leaves room r for it, and has been trained on the
    same wherever the action fitted.

    Attributes:
        marks: role -> marks in front of its turns and behind them.
        first_system: the marks of a system turn that begins a conversation; None: those of any other.
        opening: mark in front of a conversation that no system turn begins.
        rooms: part -> its smallest room, in tokens. Missions are never hidden and get no more than they need.
    """

    marks: Mapping[str, tuple[str, str]]
    first_system: tuple[str, str] | None = None
    opening: str = ""
    rooms: Mapping[str, int] = field(default_factory=lambda: {"observation": 32, "action": 64})

    def __post_init__(self) -> None:
        if set(self.rooms) != {"observation", "action"} or min(self.rooms.values()) < 1:
            raise AnyOrderError(f"rooms of observation and action are at least 1 token, found {dict(self.rooms)}")

    def around(self, role: str, first: bool) -> tuple[str, str]:
        """The marks in front of a role's turn and behind it.

        Args:
            role: who speaks.
            first: True for the first turn of a conversation.

        Raises:
            AnyOrderError: for a role that this form does not know.
        """
        if role not in self.marks:
            raise AnyOrderError(f"this form knows the roles {', '.join(self.marks)}; found {role!r}; add it to the form")
        if not first:
            return self.marks[role]
        if role == "system":
            return self.first_system or self.marks[role]
        before, after = self.marks[role]
        return self.opening + before, after

    def room(self, part: str, num_tokens: int) -> int:
        """How many tokens a turn gets.

        Args:
            part: mission, observation or action.
            num_tokens: of its text.
        """
        if part == "mission":
            return num_tokens
        room = self.rooms[part]
        while room < num_tokens + 1:
            room *= 2
        return room


PLAIN = ChatForm({role: (f"{role}: ", "\n") for role in ("system", "user", "assistant", "tool")})
"""In plain words, for any model. Where white space is no token, nothing stands behind a turn but the next one's mark."""

LLADA2 = ChatForm(
    {
        "system": ("<role>SYSTEM</role>", "<|role_end|>"),
        "user": ("<role>HUMAN</role>", "<|role_end|>"),
        "assistant": ("<role>ASSISTANT</role>", "<|role_end|>"),
        "tool": ("<role>OBSERVATION</role>\n<tool_response>\n", "\n</tool_response><|role_end|>"),
    },
    first_system=("<role>SYSTEM</role>", "\ndetailed thinking off<|role_end|>"),
    opening="<role>SYSTEM</role>detailed thinking off<|role_end|>",
)
"""The marks of the chat template of LLaDA2's family (Ling 2.0), with thinking off. What several tools say in a row is one turn
here (`anyorder import` joins it line by line) in one pair of tags, where the template has a pair for each."""
