"""Conversations turn by turn, as HTML: what was hidden and what the model said, what an agent could do and what it did.

Legend: E elements, K targets, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from torch import Tensor

from anyorder.acting.text_agent import TextAgent
from anyorder.acting.text_rollout import replay_text
from anyorder.build.language import ConversationModel
from anyorder.config import DataConfig
from anyorder.elements.batch import Batch
from anyorder.elements.layout import Layout
from anyorder.envs.played_text import PlayedText
from anyorder.errors import AnyOrderError
from anyorder.evaluation.text_acting import choices_along
from anyorder.evaluation.text_modes import hidden_turns
from anyorder.inference.decoding import SinglePass
from anyorder.inference.text_answers import PART_OF_KIND, TurnAnswer, read_text_answer, turns_of
from anyorder.masking.strategies import answerable
from anyorder.report.text_run import TextRun
from anyorder.report.trajectories import spread
from anyorder.seeding import stream

CANDIDATES_SHOWN = 5
TURNS_LEGEND = (
    '<p class="legend"><span><i class="key-hidden"></i>hidden</span><span><i class="key-right"></i>rebuilt right</span><span>'
    '<i class="key-wrong"></i>rebuilt wrong</span></p>'
)


def hidden_conversations(run: TextRun, num_shown: int) -> str:
    """Test conversations of which whole turns are hidden, and what the model says in their place.

    Raises:
        AnyOrderError: when the data set is damaged.
    """
    if not run.has_test:
        return ""
    reader, rate = run.conversations.reader, run.judged_by.cell_rate
    test, strategy = reader.read(DataConfig(str(run.data)), "test"), hidden_turns(rate)
    able = [number for number in range(len(test)) if answerable(strategy, test.batch([number]).layout).all()]
    chosen = [able[place] for place in spread([test.lengths[number] for number in able], num_shown)]
    shown = [_rebuilt(run.conversations, test.batch([number]), rate, run.judged_by.seed, number) for number in chosen]
    words = f"{rate:.0%} of the turns that may be asked about are hidden as wholes; the model sees the rest, past and future."
    return f'<p class="note">{words}</p>{TURNS_LEGEND}{"".join(shown)}' if shown else ""


def _rebuilt(conversations: ConversationModel, batch: Batch[Layout], rate: float, seed: int, number: int) -> str:
    model, codec = conversations.model, conversations.reader.codec
    order = hidden_turns(rate)(batch.layout, stream(seed, "report", number))
    decoded = SinglePass()(model, batch, order, stream(seed, "report", number))
    said = {(turn.part, turn.step): turn for turn in read_text_answer(codec, batch, order, decoded).turns}
    items = []
    for kind, inside in turns_of(batch.layout):
        part, step = PART_OF_KIND[kind], int(batch.layout.step[0][inside][0])
        answer = _answer(said[part, step]) if (part, step) in said else ""
        items.append(_turn(part, codec.decode(batch.values[0][inside].tolist()), answer))
    title = f"{batch.layout.missions[0] or 'without a mission'} · {len(items)} turns"
    return _folded(title, items)


def _answer(turn: TurnAnswer) -> str:
    verdict, sure = "right" if turn.right else "wrong", turn.probability ** (1 / turn.num_tokens)
    words = escape(turn.answer) if turn.answer else "<em>nothing</em>"
    return f'<p class="answer {verdict}"><span class="label">said, {verdict}, {sure:.0%} sure a token</span>{words}</p>'


def played_episodes(run: TextRun, num_shown: int) -> str:
    """Solved and failed episodes of the evaluation, played again: at each step what was seen, and the admissible actions with
    their probabilities. A sentence where the environment cannot be made."""
    if not run.outcomes:
        return ""
    reader, judged = run.conversations.reader, run.judged_by
    agent = TextAgent(
        run.conversations.model, reader.codec, reader.form, reader.limit, judged.temperature, judged.tried_penalty
    )
    parts = []
    for verdict, wanted in (("solved", True), ("not solved", False)):
        places = [place for place, success in enumerate(run.outcomes["success"]) if bool(success) == wanted]
        chosen = [places[number] for number in spread([run.outcomes["length"][place] for place in places], num_shown)]
        for place in chosen:
            try:
                played = replay_text(run.played_on, run.outcomes["seed"][place], run.outcomes["actions"][place])
            except AnyOrderError as error:
                return f'<p class="warning">{escape(f"Episodes are not shown: {error}.")}</p>'
            if isinstance(played, PlayedText):
                parts.append(_episode(agent, played, verdict))
    words = (
        f"Up to {CANDIDATES_SHOWN} admissible actions stand below each observation, with the model’s probabilities; the one"
        f" that was done is marked. An action that was tried in vain loses {judged.tried_penalty:g} nats for each time, so"
        " the most probable one is not always done."
    )
    return f'<p class="note">{words}</p>{"".join(parts)}' if parts else ""


def _episode(agent: TextAgent, played: PlayedText, verdict: str) -> str:
    items = [_turn("mission", played.mission)] if played.mission else []
    steps = zip(played.observations, played.actions, played.admissible, choices_along(agent, played))
    for observation, action, admissible, found in steps:
        items.append(_turn("observation", observation))
        items.append(_turn("action", action, "" if found is None else _candidates(admissible, found, action)))
    items.append(_turn("observation", played.observations[-1]))
    return _folded(f"{verdict}: {played.env_id}, seed {played.seed} · {len(played)} steps, score {played.score:g}", items)


def _candidates(admissible: Sequence[str], found: Tensor, done: str) -> str:
    """The most probable actions as bars, and the one that was done wherever it stands."""
    ranked = sorted(zip(found.exp().tolist(), admissible), key=lambda one: -one[0])
    shown = [one for place, one in enumerate(ranked) if place < CANDIDATES_SHOWN or one[1] == done]
    rows = "".join(
        f'<li{" class=done" if words == done else ""}><span class="level" style="width:{100 * share:.1f}%"></span>'
        f'<span class="words">{escape(words)}</span><span class="share">{share:.1%}</span></li>'
        for share, words in shown
    )
    return f'<ol class="candidates" aria-label="{len(admissible)} admissible actions">{rows}</ol>'


def _turn(part: str, words: str, more: str = "") -> str:
    hidden = " hidden" if more.startswith('<p class="answer') else ""
    return f'<li class="turn {part}{hidden}"><span class="label">{part}</span><p>{escape(words)}</p>{more}</li>'


def _folded(title: str, items: Sequence[str]) -> str:
    return f'<details class="talk"><summary>{escape(title)}</summary><ol class="turns">{"".join(items)}</ol></details>'
