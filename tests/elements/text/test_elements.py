"""Every token knows its turn; what is around a hidden turn tells nothing of it but its room; what does not fit goes in
whole steps."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from toy_conversations import conversation

from anyorder.elements.batch import Budget
from anyorder.elements.layout import Kind
from anyorder.elements.text.elements import EncodedTexts, collate_text, encode_text
from anyorder.elements.text.form import LLADA2, PLAIN
from anyorder.elements.text.units import shorten, text_units
from anyorder.errors import AnyOrderError
from anyorder.types import TextTrajectory, Turn

FORM = replace(PLAIN, rooms={"observation": 8, "action": 16})


def batch_of(trajectories, codec, form=FORM, limit=None):
    return EncodedTexts.of(trajectories, codec, form, limit).batch(range(len(trajectories)))


def said(batch, row, unit, codec):
    """What stands in the room of a unit."""
    here = (batch.layout.unit[row] == unit) & batch.layout.askable[row]
    return codec.decode(batch.values[row][here].tolist())


def test_every_token_knows_its_turn(llada_codec):
    texts = ["you see a door", "go to the red ball", "a key", "pick up", "done"]
    batch = batch_of([conversation(*texts)], llada_codec, replace(LLADA2, rooms=FORM.rooms))
    layout = batch.layout
    assert [said(batch, 0, 1 + number, llada_codec) for number in range(5)] == texts
    kinds = [(int(layout.kind[0, e]), int(layout.step[0, e])) for e in range(layout.shape[1])]
    assert list(dict.fromkeys(kinds)) == [
        (Kind.MISSION, -1),
        (Kind.OBSERVATION, 0),
        (Kind.ACTION, 0),
        (Kind.OBSERVATION, 1),
        (Kind.ACTION, 1),
        (Kind.OBSERVATION, 2),
    ]
    opening, human, assistant, end = (
        "<role>SYSTEM</role>detailed thinking off<|role_end|>",
        "<role>HUMAN</role>",
        "<role>ASSISTANT</role>",
        "<|role_end|>",
    )
    turns = (human + end, human + end, assistant + end, human + end, assistant + end, human + end)
    assert marks(batch, llada_codec) == opening + "".join(turns)


def marks(batch, codec):
    return codec._of_marks.decode(batch.values[0][batch.layout.exempt[0]].tolist(), skip_special_tokens=False)


def test_marks_are_those_of_the_chat_template(llada_codec):
    said = [
        ("mission", "system", "be brief"),
        ("mission", "system", "be kind"),
        ("observation", "user", "where is it"),
        ("action", "assistant", "look"),
        ("observation", "tool", "a box"),
    ]
    told = TextTrajectory("toy:1", tuple(Turn(part, role, text, part != "mission") for part, role, text in said))
    assert marks(batch_of([told], llada_codec, LLADA2), llada_codec) == (
        "<role>SYSTEM</role>\ndetailed thinking off<|role_end|><role>SYSTEM</role><|role_end|><role>HUMAN</role><|role_end|>"
        "<role>ASSISTANT</role><|role_end|><role>OBSERVATION</role>\n<tool_response>\n\n</tool_response><|role_end|>"
    )


def test_padding_is_a_kind_even_where_it_is_the_end(llada_codec):
    short, long = conversation("a", "b"), conversation("a", "b", "c", "d")
    batch = batch_of([short, long], llada_codec)
    assert llada_codec.pad_id == llada_codec.end_id
    ends = (batch.values == llada_codec.end_id) & batch.layout.present
    assert ends[0].any(), "an end inside a unit exists"
    alone = batch_of([short], llada_codec)
    size = alone.values.shape[1]
    assert torch.equal(batch.values[0, :size], alone.values[0])
    assert batch.layout.present[0].sum() == size and batch.layout.present[0, :size].all()


@settings(max_examples=60, deadline=None)
@given(words=st.lists(st.sampled_from(["go", "to", "red", "ball"]), max_size=40), other=st.integers(0, 40))
def test_a_hidden_turn_shows_its_room_alone(llada_codec, words, other):
    """Two actions of the same room cannot be told apart by anything but what is hidden."""
    pair = [conversation("see", " ".join(text), "end") for text in (words, ["box"] * other)]
    one, two = (encode_text(each, llada_codec, FORM) for each in pair)
    lengths = [len(llada_codec.encode(" ".join(text)).ids) for text in (words, ["box"] * other)]
    assert (FORM.room("action", lengths[0]) == FORM.room("action", lengths[1])) == (len(one) == len(two))
    if len(one) == len(two):
        room = (one.places["kind"] == Kind.ACTION) & (one.places["exempt"] == 0)
        assert int(room.sum()) == FORM.room("action", lengths[0]) > max(lengths)
        assert torch.equal(one.values[~room], two.values[~room])
        for name in ("kind", "step", "unit", "exempt"):
            assert torch.equal(one.places[name], two.places[name])
        assert one.values[room][lengths[0] :].eq(llada_codec.end_id).all(), "the rest, at least one, is ends"


def test_rooms_double():
    assert [FORM.room("action", n) for n in (0, 15, 16, 31, 32, 200)] == [16, 16, 32, 32, 64, 256]
    assert FORM.room("mission", 3) == 3


def test_words_are_cells_and_ends_are_cells_alone(codec):
    batch = batch_of([conversation("go to the yellow door", "pick up")], codec)
    layout = batch.layout
    here = (layout.unit[0] == 1) & layout.askable[0]
    cells, values = layout.cell[0][here], batch.values[0][here]
    is_end = values == codec.end_id
    assert cells[~is_end].unique().numel() == 5
    assert cells[is_end].unique().numel() == int(is_end.sum())
    every = layout.cell[0]
    assert (every.diff() >= 0).all() and (every.diff() <= 1).all(), "cells are numbered in order"
    units_of_cells = {(int(c), int(u)) for c, u in zip(every, layout.unit[0])}
    assert len(units_of_cells) == every.unique().numel(), "no cell lies in two units"


def test_a_turn_that_is_not_asked_about_is_exempt(codec):
    layout = batch_of([conversation("a", "b", "c", "d", unasked=(1, 2))], codec).layout
    askable = {(int(k), int(s)) for k, s in zip(layout.kind[0][layout.askable[0]], layout.step[0][layout.askable[0]])}
    assert {(Kind.OBSERVATION, 0), (Kind.ACTION, 1)} <= askable
    assert not {(Kind.ACTION, 0), (Kind.OBSERVATION, 1)} & askable


@settings(max_examples=60, deadline=None)
@given(
    lengths=st.lists(st.integers(0, 12), min_size=2, max_size=14),
    limit=st.integers(20, 200),
    unasked=st.sets(st.integers(0, 13), max_size=5),
)
def test_what_does_not_fit_goes_in_whole_steps_the_oldest_first(llada_codec, lengths, limit, unasked):
    if not set(range(len(lengths))) - unasked:
        return
    trajectory = conversation(*(" ".join(["go"] * length) for length in lengths), unasked=unasked)
    units = text_units(trajectory, llada_codec, FORM)
    try:
        kept = shorten(units, limit, "toy:1")
    except AnyOrderError as error:
        complaint = str(error)
    else:
        complaint = ""
    if complaint:
        assert f"must fit into {limit} tokens; found" in complaint and complaint.startswith("toy:1")
        asked = [u.step for u in units if u.asked and u.part == "action"] or [u.step for u in units if u.asked]
        assert sum(len(u) for u in units if u.step < 0 or u.step >= asked[-1]) > limit
        return
    assert sum(map(len, kept)) <= limit
    assert kept[0] == units[0], "the mission stays"
    dropped = len(units) - len(kept)
    assert [replace(u, step=0) for u in kept[1:]] == [replace(u, step=0) for u in units[1 + dropped :]]
    assert kept[1].step == 0 and (dropped == 0 or kept[1].part == "observation"), "whole steps"
    assert any(u.asked for u in kept)
    if any(u.asked and u.part == "action" for u in units):
        assert any(u.asked and u.part == "action" for u in kept)
    if dropped:
        oldest = [u for u in units if u.step == units[dropped].step]
        assert sum(map(len, kept)) + sum(map(len, oldest)) > limit, "no more goes than has to"


def test_a_role_the_form_does_not_know_is_refused(codec):
    with pytest.raises(AnyOrderError, match="the role must be one of system.*found 'user'"):
        encode_text(conversation("a", "b"), codec, replace(FORM, marks={"system": ("s", "")}))


def test_batches_keep_their_budget_of_tokens(codec):
    data = EncodedTexts.of([conversation(*["go"] * n) for n in range(2, 12)], codec, FORM)
    for batch in data.in_order(Budget(200, "tokens")):
        assert len(batch) == 1 or len(batch) * max(data.lengths[i] for i in batch) <= 200
    assert sorted(i for batch in data.in_order(Budget(200, "tokens")) for i in batch) == list(range(10))
    assert collate_text([encode_text(conversation("a", "b"), codec, FORM)], codec.pad_id).layout.missions == (
        "put the red ball next to the box",
    )


def test_what_cannot_fit_is_left_out_with_its_reason(llada_codec):
    long = conversation("a", " ".join(["go"] * 200), source="chat.jsonl:7")
    short = conversation("a", "b")
    data, left_out = EncodedTexts.fitting([short, long, short], llada_codec, FORM, 100)
    assert len(data) == 2 and len(left_out) == 1 and left_out[0].startswith("chat.jsonl:7: the mission and")
