"""From a conversation to a trajectory: what is the mission, what the environment says and what the agent does."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

from anyorder.data.importers.formats import BadLine, Conversation, Message
from anyorder.types import TextTrajectory, Turn

ACKNOWLEDGEMENT = re.compile(
    r"(ok|okay|sure|yes|understood|got it|alright|i understand|i see)\b(?!.*\baction:)", re.IGNORECASE | re.DOTALL
)
LONGEST_ACKNOWLEDGEMENT = 200
"""The most characters that an acknowledgement may have."""


def trajectory(conversation: Conversation, source: str) -> TextTrajectory:
    """The trajectory of a conversation.

    The mission is the system's turns at the beginning, the first user turn, and the agent's acknowledgement of it. After
    the mission, turns of the agent are actions and all other turns are observations.

    The agent's first turn is an *acknowledgement* if the file excludes it from learning; or, where the file says
    nothing, if it begins like one ("OK", "Sure" ...), is short and names no action. In both cases the user and the agent
    must speak again after it. Turns of one side in a row are joined to one turn, line by line. A model is asked about
    all turns except those that the file excludes.

    Args:
        conversation: the content of one line.
        source: the line's file and number.

    Raises:
        BadLine: for a conversation that is no trajectory.
    """
    messages = conversation.messages
    start = _mission_length(messages)
    turns = [Turn("mission", message.role, message.text, False) for message in messages[:start]]
    joined: list[list[int]] = []
    groups: list[list[int]] = []
    for number in range(start, len(messages)):
        if groups and _is_agent(messages[number]) == _is_agent(messages[groups[-1][0]]):
            groups[-1].append(number)
        else:
            groups.append([number])
    for group in groups:
        turns.append(_join([messages[number] for number in group]))
        joined += [group] if len(group) > 1 else []
    others = {
        "line": conversation.others,
        "turns": {str(number): message.others for number, message in enumerate(messages) if message.others},
        "joined": joined,
    }
    said = json.dumps({name: value for name, value in others.items() if value}, ensure_ascii=False)
    try:
        return TextTrajectory(source, tuple(turns), said)
    except ValueError as error:
        raise BadLine(f"expected a trajectory: {error}") from None


def _mission_length(messages: Sequence[Message]) -> int:
    """How many messages are the mission."""
    start = 0
    while start < len(messages) and messages[start].role == "system":
        start += 1
    if start < len(messages) and messages[start].role == "user":
        start += 1
        if _acknowledges(messages, start):
            start += 1
    return start


def _acknowledges(messages: Sequence[Message], number: int) -> bool:
    following = [message.role for message in messages[number : number + 2]]
    if following != ["assistant", "user"] or "assistant" not in [m.role for m in messages[number + 2 :]]:
        return False
    message = messages[number]
    if message.asked is not None:
        return not message.asked
    return len(message.text) <= LONGEST_ACKNOWLEDGEMENT and bool(ACKNOWLEDGEMENT.match(message.text.strip()))


def _is_agent(message: Message) -> bool:
    return message.role == "assistant"


def _join(messages: Sequence[Message]) -> Turn:
    first = messages[0].role
    lines = [message.text if message.role == first else f"{message.role}: {message.text}" for message in messages]
    part = "action" if _is_agent(messages[0]) else "observation"
    return Turn(part, first, "\n".join(lines), all(message.asked is not False for message in messages))
