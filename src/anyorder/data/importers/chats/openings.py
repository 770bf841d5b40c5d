"""Where conversations begin to be about their task: what repeats from line to line is an instruction, a greeting or an
acknowledgement, in any language and wording."""

from __future__ import annotations

import hashlib
import re
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from statistics import mean

from anyorder.data.importers.chats.message import Conversation, Message

FEWEST = 5
"""Fewer conversations with one opening do not show that it repeats."""
ALWAYS = 0.9
"""The same answer in this share of the conversations with one opening is always the same."""
TYPICAL = 0.25
"""A first word that begins this share of the agent's later turns belongs to its actions ("Action: ...")."""
TOGETHER = 0.25
"""An answer depends on the task if it shares more words with its own next turn than with another conversation's so much more
often than the other way round."""

COMPARED = 30
"""So many of the turns that follow openings are compared, at most."""
MORE_ALIKE = 1.25
"""Turns are more alike than others if they share so many times as many words."""
ROUNDS = 3
"""So many rounds of small talk, or of rules that are acknowledged, may stand before the task."""

Opening = bytes
"""A hash of the texts before the agent's turn that is judged, which are long."""


@dataclass(frozen=True)
class _Answer:
    """An agent's turn that may be no action, and what stands around it."""

    text: str
    following: str


def mission_lengths(conversations: Sequence[Conversation]) -> list[int]:
    """For each of the conversations that are read together, how many of its messages are the mission.

    These are the system's turns at the beginning, the agent's greeting, the first user turn, and the agent's acknowledgement
    of what the user said until then. A greeting or acknowledgement is a turn of the agent that does not depend on the task,
    as `_Openings` finds out; the user speaks next and the agent again after that.
    """
    found = [_count(conversation.messages, 0, "system") for conversation in conversations]
    for stage in ("greeting", "acknowledgement"):
        places = [start + _count(c.messages, start, "user") for c, start in zip(conversations, found)]
        openings = _Openings(conversations, places)
        for number, (conversation, place) in enumerate(zip(conversations, places)):
            messages, start = conversation.messages, found[number]
            if stage == "greeting":
                start += place == start and openings.end_with_no_action(messages, place)
                found[number] = start + min(1, _count(messages, start, "user"))
            elif start > _count(messages, 0, "system") and openings.end_with_no_action(messages, place):
                found[number] = place + 1
    return _with_further_rounds(conversations, found)


def _with_further_rounds(conversations: Sequence[Conversation], lengths: Sequence[int]) -> list[int]:
    """The lengths of the missions with what is said in further rounds, which must be the same, word for word, in most
    conversations: "How are you?" and "Fine.", or a second set of rules."""
    found, reached = list(lengths), list(lengths)
    for _ in range(ROUNDS):
        for number, conversation in enumerate(conversations):  # a round that nobody could judge by what follows it
            if reached[number] == found[number] and _is_first_action(conversation.messages, found[number]):
                reached[number] += 1
        places = [reach + _count(c.messages, reach, "user") for c, reach in zip(conversations, reached)]
        shared = Counter(_opening(c.messages, place) for c, place in zip(conversations, places)).most_common(1)
        if not shared or 2 * shared[0][1] <= len(conversations):
            break
        openings = _Openings(conversations, places, word_for_word=True)
        for number, (conversation, place) in enumerate(zip(conversations, places)):
            unflagged = all(message.asked is None for message in conversation.messages[found[number] : place + 1])
            if place > reached[number] and unflagged and openings.end_with_no_action(conversation.messages, place):
                found[number] = place + 1
            reached[number] = min(place + 1, len(conversation.messages))
    return found


def _is_first_action(messages: Sequence[Message], place: int) -> bool:
    return place < len(messages) and messages[place].role == "assistant"


class _Openings:
    """What the conversations of a file have in common up to the agent's turn at the given places.

    A turn that the file includes in learning is an action. One that the file excludes is none if several conversations begin
    with the same opening, or have the same turn there; or if the file is too short to tell. Where the file says nothing, a turn
    is no action if nothing of the task can have been said: the same opening begins most conversations of the file, or
    the agent always gives the same answer to it, or phrases that answer other openings, too, though different turns follow.
    Besides, the answers must not begin as the agent's later turns do, and must share no more words with their own next turn
    than with those of other conversations. ``word_for_word``: the opening and its answer must be those of most conversations.
    """

    def __init__(self, conversations: Sequence[Conversation], places: Sequence[int], word_for_word: bool = False) -> None:
        groups: dict[Opening, list[_Answer]] = defaultdict(list)
        self._excluded: Counter[Opening | str] = Counter()
        self._few = len(conversations) < FEWEST
        for conversation, place in zip(conversations, places):
            messages = conversation.messages
            if not _goes_on(messages, place):
                continue
            opening, answer = _opening(messages, place), _spaced(messages[place].text)
            if messages[place].asked is None:
                groups[opening].append(_Answer(answer, _spaced(messages[place + 1].text)))
            elif not messages[place].asked:
                self._excluded.update([opening, answer])
        typical = _first_words(conversations, places)
        phrases = _phrases(groups)
        told = [answer.following for group in groups.values() for answer in group]
        self._independent = {
            opening
            for opening, group in groups.items()
            if len(group) >= FEWEST
            and (
                _is_one(group, len(conversations))
                if word_for_word
                else _repeats(group, len(conversations)) or (_greets(group, phrases) and not _is_task(group, told))
            )
            and not _acts(group, typical)
            and not _tells(group)
        }

    def end_with_no_action(self, messages: Sequence[Message], place: int) -> bool:
        """True where the agent's turn at ``place`` is a greeting or an acknowledgement."""
        if not _goes_on(messages, place):
            return False
        opening, message = _opening(messages, place), messages[place]
        if message.asked is None:
            return opening in self._independent
        repeats = max(self._excluded[opening], self._excluded[_spaced(message.text)]) >= FEWEST
        return not message.asked and (self._few or repeats)


def _repeats(group: Sequence[_Answer], num_conversations: int) -> bool:
    """True where the opening is that of most conversations, or the answer to it is always the same, though the task is not."""
    following = Counter(answer.following for answer in group)
    if 2 * len(group) > num_conversations:
        return len(following) > 1
    return _alike(group) and 2 * following.most_common(1)[0][1] <= len(group)


def _alike(group: Sequence[_Answer]) -> bool:
    return Counter(answer.text for answer in group).most_common(1)[0][1] >= ALWAYS * len(group)


def _phrases(groups: Mapping[Opening, Sequence[_Answer]]) -> set[str]:
    """Answers that are given again and again, and to several openings."""
    given: dict[str, Counter[Opening]] = defaultdict(Counter)
    for opening, group in groups.items():
        given_here = Counter(answer.text for answer in group)
        for text, number in given_here.items():
            given[text][opening] = number
    return {text for text, openings in given.items() if openings.total() >= FEWEST and len(openings) > 1}


def _greets(group: Sequence[_Answer], phrases: Collection[str]) -> bool:
    """True where one of several openings, such as "Hi" and "Hello", is answered by phrases."""
    following = Counter(answer.following for answer in group)
    said = sum(answer.text in phrases for answer in group)
    return said >= ALWAYS * len(group) and 2 * following.most_common(1)[0][1] <= len(group)


def _is_task(group: Sequence[_Answer], told: Sequence[str]) -> bool:
    """True where what follows one opening is more alike than what follows all of them: it is the task, in several attempts."""
    own = [_words(answer.following) for answer in group[:COMPARED]]
    others = [_words(text) for text in told[:: -(-len(told) // COMPARED)]]
    own_minus_other = 0
    for number, said in enumerate(own):
        with_own = mean(len(said & words) for place, words in enumerate(own) if place != number)
        with_other = mean(len(said & words) for words in others)
        own_minus_other += (with_own > MORE_ALIKE * with_other) - (with_own < with_other)
    return own_minus_other > TOGETHER * len(own)


def _is_one(group: Sequence[_Answer], num_conversations: int) -> bool:
    """True where opening and answer are those of most conversations, and the task is not."""
    following = Counter(answer.following for answer in group).most_common(1)[0][1]
    return 2 * len(group) > num_conversations and _alike(group) and 2 * following <= len(group)


def _acts(group: Sequence[_Answer], typical: Mapping[str, float]) -> bool:
    """True where the answers begin as the agent's later turns do."""
    return sum(typical.get(_first_word(answer.text), 0.0) for answer in group) >= TYPICAL * len(group)


def _tells(group: Sequence[_Answer]) -> bool:
    """True where an answer tells something about the turn that follows it."""
    following = list(dict.fromkeys(answer.following for answer in group))
    words = [_words(text) for text in following]
    place = {text: number for number, text in enumerate(following)}
    own_minus_other = 0
    for answer in group:
        said, own = _words(answer.text), place[answer.following]
        with_own, with_other = len(said & words[own]), len(said & words[(own + 1) % len(words)])
        own_minus_other += (with_own > with_other) - (with_own < with_other)
    return own_minus_other > TOGETHER * len(group)


def _first_words(conversations: Sequence[Conversation], places: Sequence[int]) -> dict[str, float]:
    """The share of the agent's later turns that begin with each word."""
    found = Counter(
        _first_word(message.text)
        for conversation, place in zip(conversations, places)
        for message in conversation.messages[place + 1 :]
        if message.role == "assistant"
    )
    return {word: number / found.total() for word, number in found.items()}


def _goes_on(messages: Sequence[Message], place: int) -> bool:
    """True where the user speaks after the agent's turn at ``place``, and the agent again after that."""
    roles = [message.role for message in messages[place : place + 2]]
    return roles == ["assistant", "user"] and any(message.role == "assistant" for message in messages[place + 2 :])


def _count(messages: Sequence[Message], start: int, role: str) -> int:
    """How many messages of this role follow one another from ``start`` on."""
    end = start
    while end < len(messages) and messages[end].role == role:
        end += 1
    return end - start


def _opening(messages: Sequence[Message], place: int) -> Opening:
    said = "\0".join(f"{message.role}: {_spaced(message.text)}" for message in messages[:place])
    return hashlib.sha256(said.encode()).digest()


def _spaced(text: str) -> str:
    return " ".join(text.split())


def _words(text: str) -> set[str]:
    return set(re.findall(r"\w+", text.lower()))


def _first_word(text: str) -> str:
    found = re.search(r"\w+", text.lower())
    return found.group() if found else ""
