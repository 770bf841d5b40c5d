"""How a model reads a conversation: the marks between turns, and the room that each turn gets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from anyorder.errors import AnyOrderError


@dataclass(frozen=True)
class ChatForm:
    """The marks and rooms of conversations, the same in training and acting.

    A model sees two things of a hidden turn: the marks around it, and its room. The *room* of a turn of n tokens is the
    smallest of ``r, 2r, 4r, ...`` that holds n + 1 tokens, where r is the smallest room of its part. End tokens, at
    least one, fill the room after the text; they are targets like the text. So only the room gives a hint of a turn's
    length: all lengths up to r - 1 look alike, and longer ones are known up to a factor of two. If r exceeds the longest
    turn, a room gives no hint at all. A policy that has not chosen its action yet leaves room r for it; training showed
    the model the same room for every action that fits.

    Attributes:
        marks: role -> the marks before and after its turns.
        first_system: the marks of a system turn that begins a conversation; None: the same as of other system turns.
        opening: the mark before a conversation that does not begin with a system turn.
        rooms: part -> its smallest room, in tokens. Missions are never hidden, so their room is the length of their text. The
            same holds for observations where their room is 0: such a model acts, but is never asked what it would see.
        first_steps: how many steps at the beginning stay in sight beside the last ones, however long a conversation is.
    """

    marks: Mapping[str, tuple[str, str]]
    first_system: tuple[str, str] | None = None
    opening: str = ""
    rooms: Mapping[str, int] = field(default_factory=lambda: {"observation": 32, "action": 64})
    first_steps: int = 0

    def __post_init__(self) -> None:
        if set(self.rooms) != {"observation", "action"} or self.rooms["observation"] < 0 or self.rooms["action"] < 1:
            raise AnyOrderError(
                "the rooms must be those of observation, at least 0 tokens, and of action, at least 1; found"
                f" {dict(self.rooms)}"
            )
        if self.first_steps < 0:
            raise AnyOrderError(f"first_steps must be at least 0; found {self.first_steps}")

    def around(self, role: str, first: bool) -> tuple[str, str]:
        """The marks before and after a role's turn.

        Args:
            role: who speaks.
            first: True for the first turn of a conversation.

        Raises:
            AnyOrderError: for a role that this form does not know.
        """
        if role not in self.marks:
            raise AnyOrderError(f"the role must be one of {', '.join(self.marks)}; found {role!r}; add it to the form")
        if not first:
            return self.marks[role]
        if role == "system":
            return self.first_system or self.marks[role]
        before, after = self.marks[role]
        return self.opening + before, after

    def asks_about(self, part: str) -> bool:
        """True if turns of this part may be hidden."""
        return part != "mission" and self.rooms[part] > 0

    def room(self, part: str, num_tokens: int) -> int:
        """How many tokens the room of a turn has.

        Args:
            part: mission, observation or action.
            num_tokens: number of tokens of its text.
        """
        if not self.asks_about(part):
            return num_tokens
        room = self.rooms[part]
        while room < num_tokens + 1:
            room *= 2
        return room


PLAIN = ChatForm({role: (f"{role}: ", "\n") for role in ("system", "user", "assistant", "tool")})
"""Marks in plain words, for any model. Where the tokenizer has no token for white space, there is no mark after a turn."""

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
here (`anyorder import` joins it line by line) with one pair of tags; the template writes a pair of tags for each tool."""
