"""Words and observations that get lost: what is lost, what the agent reads, and what it remembers."""

import numpy as np
import pytest
import toy_worlds  # noqa: F401  (registers its environments)
from toy_conversations import byte_level

from anyorder.acting.corruptions import corruption_generator
from anyorder.acting.text_corruptions import LostObservations, LostWords, ReadText, UntoldText
from anyorder.acting.text_history import TextHistory
from anyorder.acting.text_rollout import play_texts
from anyorder.acting.tried_texts import TriedTexts
from anyorder.elements.text.codec import TextCodec
from anyorder.elements.text.form import PLAIN
from anyorder.envs.telling import TextView

TEXT = "You are in the kitchen.\nThere is a lamp. "


def draws(seed=0, step=1):
    return corruption_generator(seed, step)


def test_nothing_and_everything():
    assert UntoldText(LostWords(0.0))(TEXT, draws()).text == TEXT and LostObservations(0.0)(TEXT, draws()) == ReadText(TEXT)
    assert UntoldText(LostWords(1.0))(TEXT, draws()).text.strip() == "" == UntoldText(LostObservations(1.0))(TEXT, draws()).text
    assert LostWords(1.0)(TEXT, draws()).words == (None,) * 9 and LostObservations(1.0)(TEXT, draws()).words == (None,)


def test_told_and_untold_lose_the_same_words():
    told, untold = LostWords(0.5)(TEXT, draws()), UntoldText(LostWords(0.5))(TEXT, draws())
    assert [word for word in told.words if word] == untold.text.split() and 0 < len(told.unknown) < 9
    assert set(untold.text) - {" ", "\n"} <= set(TEXT)


def test_the_rate_is_the_share_that_is_lost_and_a_stronger_corruption_loses_more():
    lost = [len(LostWords(0.3)(TEXT, draws(seed)).unknown) for seed in range(400)]
    assert np.mean(lost) / 9 == pytest.approx(0.3, abs=0.03)
    gone = [LostObservations(0.3)(TEXT, draws(seed)).text is None for seed in range(1000)]
    assert np.mean(gone) == pytest.approx(0.3, abs=0.05)
    for seed in range(20):
        assert LostWords(0.2)(TEXT, draws(seed)).unknown <= LostWords(0.4)(TEXT, draws(seed)).unknown


def history(**options):
    return TextHistory(TextCodec(byte_level(), mask_id=1, end_id=0), PLAIN, 400, "go")


def view(text, done=None):
    return TextView(text, ("wait", "go on"), 0.0, "go", done)


def values(*reads):
    found = history()
    for number, read in enumerate(reads):
        found.observe(view("a red ball", "wait" if number else None), read)
    return found.question(64).values.tolist()


def test_mask_tokens_stand_for_what_the_agent_knows_to_be_lost():
    whole, holes = values(ReadText("a red ball")), values(ReadText("a red ball", frozenset({1})))
    assert len(whole) == len(holes), "a hidden word shows how many tokens it has, as in training"
    changed = [new for old, new in zip(whole, holes) if old != new]
    assert changed and set(changed) == {1}
    lost, short = values(ReadText(None)), values(ReadText("a"))
    assert lost.count(1) == PLAIN.rooms["observation"] and len(lost) == len(short), "nothing tells how long it was"
    assert 1 not in values(ReadText(""))


def test_words_that_get_lost_do_not_make_the_agent_forget():
    tried = TriedTexts()
    tried.add(("a", None, "ball"), "wait")
    assert tried.after(("a", "red", None)) == {"wait": 1} and tried.after(("a", "red", "box")) == {}
    assert tried.after((None,)) == {} == tried.after(("a", "red"))
    tried.add((), "go on")
    assert tried.after(()) == {"go on": 1}, "an empty observation is one like the others"
    tried.add((None,) * 3, "go on")
    assert tried.after((None,) * 3) == {}, "what is unknown as a whole is no known place"


class Walker:
    """Goes on until it reads of a lamp; writes down what reached it."""

    def __init__(self):
        self.read = []

    def start(self, mission):
        agent = self

        class Seen:
            tokens_read = 0

            def observe(self, view, read=None):
                self.text = view.text if read is None else read.text or ""
                agent.read.append(self.text)

        return Seen()

    def act(self, histories, generators):
        return ["take lamp" if "lamp" in one.text else "go on" for one in histories]


SEEDS = range(30_000_000, 30_000_010)


def play(corruption):
    walker = Walker()
    played = play_texts(walker, "ToyRow-v0", SEEDS, slots=1, corruption=corruption)
    return [one.result for one in played], walker.read


def test_a_policy_that_reads_fails_without_its_observations():
    clean, read = play(None)
    assert all(one.success for one in clean) and read == [text for one in clean for text in one.observations]
    lost, read = play(UntoldText(LostObservations(1.0)))
    assert not any(one.success for one in lost) and set(read) == {""}
    assert all("You are in" in text for one in lost for text in one.observations), "the record is what the world said"
    some, _ = play(UntoldText(LostObservations(0.5)))
    assert sum(len(one) for one in clean) < sum(len(one) for one in some) < sum(len(one) for one in lost)


def test_the_corrupted_text_is_what_the_agent_reads():
    played, read = play(UntoldText(LostWords(0.5)))
    said = [(one.seed, step, text) for one in played for step, text in enumerate(one.observations)]
    expected = [UntoldText(LostWords(0.5))(text, corruption_generator(seed, step + 1)).text for seed, step, text in said]
    assert read == expected != [text for *_, text in said]
