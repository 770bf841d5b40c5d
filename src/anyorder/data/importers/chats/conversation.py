"""From a conversation to a trajectory: what is the mission, what the environment says and what the agent does."""

from __future__ import annotations

from collections.abc import Sequence

from anyorder.data.importers.chats.message import Conversation, Message
from anyorder.data.importers.chats.values import BadLine, written_json
from anyorder.types import TextTrajectory, Turn

SPEAKER = {"action": "assistant", "observation": "user"}


def trajectory(conversation: Conversation, source: str, mission_length: int) -> TextTrajectory:
    """The trajectory of a conversation.

    After the mission, turns of the agent are actions and all other turns are observations. Turns of one side in a row are
    joined to one turn, line by line, as long as all of them are to be learned, or none. Otherwise an empty turn of the other
    side, which is never asked for, stands between those that are and those that are not. A model is asked about all turns
    except those that the file excludes.

    Args:
        conversation: the content of one line.
        source: the line's file and number.
        mission_length: how many of its messages are the mission, see `mission_lengths`.

    Raises:
        BadLine: for a conversation that is no trajectory.
    """
    messages = conversation.messages
    turns = [Turn("mission", message.role, message.text, False) for message in messages[:mission_length]]
    joined: list[list[int]] = []
    groups: list[list[int]] = []
    for number in range(mission_length, len(messages)):
        if groups and _alike(messages[number], messages[groups[-1][0]]):
            groups[-1].append(number)
        else:
            groups.append([number])
    for group in groups:
        turn = _join([messages[number] for number in group])
        if turns and turn.part == turns[-1].part:
            between = "observation" if turn.part == "action" else "action"
            turns.append(Turn(between, SPEAKER[between], "", False))
        turns.append(turn)
        joined += [group] if len(group) > 1 else []
    others = {
        "line": conversation.others,
        "turns": {str(number): message.others for number, message in enumerate(messages) if message.others},
        "joined": joined,
    }
    said = written_json({name: value for name, value in others.items() if value})
    try:
        return TextTrajectory(source, tuple(turns), said)
    except ValueError as error:
        raise BadLine(f"expected a trajectory: {error}") from None


def _is_agent(message: Message) -> bool:
    return message.role == "assistant"


def _is_asked(message: Message) -> bool:
    return message.asked is not False


def _alike(one: Message, other: Message) -> bool:
    return _is_agent(one) == _is_agent(other) and _is_asked(one) == _is_asked(other)


def _join(messages: Sequence[Message]) -> Turn:
    first = messages[0].role
    lines = [message.text if message.role == first else f"{message.role}: {message.text}" for message in messages]
    part = "action" if _is_agent(messages[0]) else "observation"
    return Turn(part, first, "\n".join(line for line in lines if line), _is_asked(messages[0]))
