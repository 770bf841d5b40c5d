"""The many ways in which files write one and the same conversation are read alike; what cannot be read is named."""

import json
from itertools import product

import pytest
from chat_files import read_chats, spoken, turns_of, write_chats

from anyorder.data.importers.chats.flags import LEARNED
from anyorder.data.importers.chats.importing import ImportSpec, import_chats
from anyorder.data.importers.chats.reading import WrongLine, format_of, read_chat
from anyorder.errors import AnyOrderError

CALL = '<tool_call>\n{"name": "weigh", "arguments": {"fruit": "plum"}}\n</tool_call>'
ARGUMENTS = {"fruit": "plum"}


def agent_says(tmp_path, message, *after):
    """The agent's first action, where it follows a question."""
    (found,) = read_chats(tmp_path, {"messages": [{"role": "user", "content": "Well?"}, message, *after]})
    assert not isinstance(found, WrongLine), found.reason
    assert turns_of(found)[0] == ("mission", "Well?", False)
    return found.turns[1].text


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ([{"type": "text", "text": "a "}, {"type": "text", "text": "plum"}], "a plum"),
        ([{"type": "text", "value": "a plum"}], "a plum"),
        ([{"type": "output_text", "text": {"value": "a plum", "annotations": []}}], "a plum"),
        ([{"type": "text", "text": "a plum", "image_url": None}], "a plum"),
        (["a ", "plum"], "a plum"),
        ({"type": "text", "text": "a plum"}, "a plum"),
        ({"value": "a plum"}, "a plum"),
        ({"plan": "eat", "step": 3}, '{"plan": "eat", "step": 3}'),
        ({"type": "click", "at": [1, 2]}, '{"type": "click", "at": [1, 2]}'),
        (
            [{"type": "thinking", "thinking": "ripe?", "signature": "x"}, {"type": "text", "text": "yes"}],
            "<think>\nripe?\n</think>\nyes",
        ),
        ([{"type": "text", "text": "so"}, {"type": "tool_use", "id": "1", "name": "weigh", "input": ARGUMENTS}], f"so\n{CALL}"),
        ([{"type": "refusal", "refusal": "never"}], "never"),
    ],
)
def test_contents_of_every_shape(tmp_path, content, text):
    assert agent_says(tmp_path, {"role": "assistant", "content": content}) == text


@pytest.mark.parametrize(
    ("keys", "text"),
    [
        ({"content": None, "refusal": "never"}, "never"),
        ({"content": "yes", "refusal": None}, "yes"),
        ({"reasoning_content": "ripe?", "content": "yes"}, "<think>\nripe?\n</think>\nyes"),
        ({"reasoning": "ripe?", "reasoning_content": "ripe?", "content": "yes"}, "<think>\nripe?\n</think>\nyes"),
        ({"content": "", "tool_calls": [{"name": "weigh", "arguments": ARGUMENTS}]}, CALL),
        (
            {"content": None, "toolCalls": [{"id": "1", "function": {"name": "weigh", "arguments": json.dumps(ARGUMENTS)}}]},
            CALL,
        ),
        ({"tool_calls": json.dumps([{"name": "weigh", "arguments": ARGUMENTS}])}, CALL),
        ({"tool_calls": [{"type": "tool-call", "toolName": "weigh", "args": ARGUMENTS}]}, CALL),
        ({"function_call": {"name": "weigh", "arguments": ARGUMENTS}}, CALL),
    ],
)
def test_refusals_reasoning_and_calls_are_part_of_the_action(tmp_path, keys, text):
    assert agent_says(tmp_path, {"role": "assistant", **keys}) == text


def test_results_in_blocks_are_observations(tmp_path):
    call = {"type": "tool_use", "id": "1", "name": "weigh", "input": ARGUMENTS}
    result = {"type": "tool_result", "tool_use_id": "1", "content": [{"type": "text", "text": "30 g"}]}
    blocks = [result, {"type": "text", "text": "Go on."}]
    (found,) = read_chats(
        tmp_path,
        {
            "messages": [
                {"role": "user", "content": "Well?"},
                {"role": "assistant", "content": [call]},
                {"role": "user", "content": blocks},
                {"role": "assistant", "content": "Done."},
            ]
        },
    )
    assert turns_of(found)[1:] == [
        ("action", CALL, True),
        ("observation", "30 g\nuser: Go on.", True),
        ("action", "Done.", True),
    ]
    assert json.loads(found.others)["turns"] == {"1": {"tool_call_ids": ["1"]}, "2": {"tool_call_id": "1"}}


USERS, AGENTS = ("user", "Human"), ("assistant", "GPT", "model", "ai", "ChatBot")
TOOLS = ("tool", "function", "Observation", "environment", "ipython", "tool_response", "functionResponse")


@pytest.mark.parametrize("turns_key", ["messages", "conversations", "conversation", "dialog", "Messages"])
@pytest.mark.parametrize(("role", "content"), [*product(("role", "from"), ("content", "value")), ("Role", "Content")])
def test_keys_in_every_combination(tmp_path, turns_key, role, content):
    line = {
        turns_key: [{role: "developer", content: "Be brief."}, {role: "user", content: "Hi"}, {role: "gpt", content: "Yes"}]
    }
    (found,) = read_chats(tmp_path, line)
    assert [(turn.role, turn.text) for turn in found.turns] == [("system", "Be brief."), ("user", "Hi"), ("assistant", "Yes")]


@pytest.mark.parametrize("user", USERS)
@pytest.mark.parametrize("agent", AGENTS)
@pytest.mark.parametrize("tool", TOOLS)
def test_speakers_of_every_name(tmp_path, user, agent, tool):
    speakers = [user, agent, tool, agent]
    (found,) = read_chats(tmp_path, {"messages": [{"role": one, "content": "x"} for one in speakers]})
    assert [turn.role for turn in found.turns] == ["user", "assistant", "tool", "assistant"]


@pytest.mark.parametrize("tools", [[{"name": "wake"}], '[{"name": "wake"}]', ['{"name": "wake"}']])
def test_system_and_tools_at_the_line_are_part_of_the_mission(tmp_path, tools):
    turns = [{"from": "human", "value": "Wake me."}, {"from": "gpt", "value": "I will."}]
    (found,) = read_chats(tmp_path, {"conversations": turns, "system": "Be a butler.", "tools": tools})
    assert turns_of(found)[:3] == [
        ("mission", 'Tools: [{"name": "wake"}]', False),
        ("mission", "Be a butler.", False),
        ("mission", "Wake me.", False),
    ]
    again = [{"from": "system", "value": "Be a butler."}, *turns]
    (found,) = read_chats(tmp_path, {"conversations": again, "system": "Be a butler."})
    assert [turn.text for turn in found.turns] == ["Be a butler.", "Wake me.", "I will."], "what is repeated counts once"


@pytest.mark.parametrize("flag", [*LEARNED, "loss_mask", "trainOnTurn"])
@pytest.mark.parametrize(("no", "yes"), [(0, 1), (False, True), (0.0, None)])
def test_a_turn_that_its_file_excludes_is_not_asked(tmp_path, flag, no, yes):
    line = spoken("2 + 2?", "Let me see.", "Yes?", "5", "Wrong.", "4")
    line["messages"][3][flag], line["messages"][5][flag] = no, yes
    (found,) = read_chats(tmp_path, line)
    assert [turn.asked for turn in found.turns] == [False, True, True, False, True, True]
    assert "turns" not in json.loads(found.others)


@pytest.mark.parametrize("excluded", [0, 1])
def test_an_excluded_turn_beside_a_wanted_one_stays_apart(tmp_path, excluded):
    line = spoken("2 + 2?", "5")
    line["messages"] += [
        {"role": "assistant", "content": "4"},
        {"role": "user", "content": "a"},
        {"role": "tool", "content": "b"},
    ]
    line["messages"] += [{"role": "assistant", "content": "end"}]
    for first in (1, 3):
        line["messages"][first + excluded]["loss"] = False
    (found,) = read_chats(tmp_path, line)
    assert turns_of(found)[1:] == [
        ("action", "5", bool(excluded)),
        ("observation", "", False),
        ("action", "4", not excluded),
        ("observation", "a", bool(excluded)),
        ("action", "", False),
        ("observation", "b", not excluded),
        ("action", "end", True),
    ]


@pytest.mark.parametrize(
    ("keys", "reason"),
    [
        ({"mask": 1}, "rename it to loss"),
        ({"loss": True, "weight": 0}, "flags that agree about learning turn 1"),
        ({"trainable": "no"}, "expected true, false, 1, 0 or null as trainable of turn 1, found 'no'"),
    ],
)
def test_a_flag_without_a_clear_meaning_is_a_wrong_line(tmp_path, keys, reason):
    line = spoken("Hi", "Yes")
    line["messages"][1] |= keys
    (found,) = read_chats(tmp_path, line)
    assert isinstance(found, WrongLine) and reason in found.reason


def test_unknown_keys_are_counted_where_they_stand(tmp_path):
    line = spoken("Hi", "Yes", "Well?", "No") | {"source": "x"}
    for number, key in ((1, "learn_me"), (3, "learn_me"), (2, "mood"), (3, "name")):
        line["messages"][number][key] = "x"
    line["messages"][0]["content"] = [
        {"type": "text", "text": "Hi", "cache_control": {}},
        {"type": "text", "text": "!", "at": 1},
    ]
    manifest = import_chats([write_chats(tmp_path / "a.jsonl", line, line)], tmp_path / "data", ImportSpec())
    found = [(one["where"], one["key"], one["count"]) for one in manifest.spec["kept_keys"]]
    assert found == [
        *(("line", "source", 2), ("turn", "learn_me", 4), ("turn", "mood", 2)),
        *(("block", "at", 2), ("block", "cache_control", 2)),
    ]


RESULTS = {"p": "10", "r": "30", "o": "-5"}


def with_results(*answered):
    called = [{"id": number, "function": {"name": f"at_{number}", "arguments": "{}"}} for number in RESULTS]
    results = [{"role": "tool", "tool_call_id": number, "content": RESULTS[number]} for number in answered]
    end = {"role": "assistant", "content": "end"}
    return {"messages": [{"role": "user", "content": "hi"}, {"role": "assistant", "tool_calls": called}, *results, end]}


@pytest.mark.parametrize(
    ("answered", "text"),
    [(("p", "r", "o"), "10\n30\n-5"), (("o", "p", "r"), "10\n30\n-5"), (("o", "p"), "at_p: 10\nat_o: -5")],
)
def test_results_of_parallel_calls_stay_with_their_calls(tmp_path, answered, text):
    (found,) = read_chats(tmp_path, with_results(*answered))
    assert found.turns[2].text == text


@pytest.mark.parametrize("place", ["text", "field", "arguments"])
def test_half_of_a_surrogate_pair_is_replaced(tmp_path, place):
    line = spoken("Smile", "SMILE") | {"note": "none"}
    if place == "field":
        line["note"] = "SMILE"
    if place == "arguments":
        line["messages"][1]["tool_calls"] = [{"name": "f", "arguments": '{"x": "SMILE"}'}]
    text = json.dumps(line).replace("SMILE", r"\ud83d!\ude00 \ud83d\ude00")
    if place == "arguments":
        text = text.replace(r"\"\ud83d!", r"\"\\ud83d!")
    import_chats([write_chats(tmp_path / "a.jsonl", text)], tmp_path / "data", ImportSpec(validation=0, test=0))
    (found,) = read_chats(tmp_path, text)
    assert "\ufffd!\ufffd \U0001f600" in found.turns[1].text + found.others


@pytest.mark.parametrize("arguments", ['{"n": ' + "7" * 5000 + "}", '{"n": ' * 3000 + "1" + "}" * 3000])
def test_what_python_cannot_read_in_arguments_is_a_wrong_line(tmp_path, arguments):
    message = {"role": "assistant", "tool_calls": [{"function": {"name": "f", "arguments": arguments}}]}
    for line in (
        {"messages": [{"role": "user", "content": "hi"}, message]},
        '{"messages": ' + arguments + "}",
        {**spoken("a", "b"), "tools": f"[{arguments}]"},
    ):
        path = write_chats(tmp_path / "a.jsonl", spoken("hi", "ho"), line)
        with pytest.raises(AnyOrderError, match="a.jsonl, line 2: expected"):
            import_chats([path], tmp_path / "data", ImportSpec())
        assert not list((tmp_path / "data").glob("*")) if (tmp_path / "data").exists() else True


def test_no_shard_is_left_without_a_manifest(tmp_path, monkeypatch):
    from anyorder.data.importers.chats import importing as chats

    def fail(*arguments):
        raise AnyOrderError("the disk is full")

    monkeypatch.setattr(chats, "write_manifest", fail)
    with pytest.raises(AnyOrderError, match="disk is full"):
        import_chats([write_chats(tmp_path / "a.jsonl", spoken("a", "b"))], tmp_path / "data", ImportSpec())
    assert not list((tmp_path / "data").glob("*.parquet"))


GEMINI = {
    "systemInstruction": {"parts": [{"text": "You weigh fruit."}]},
    "contents": [
        {"role": "user", "parts": [{"text": "How heavy is "}, {"text": "a plum?"}]},
        {"role": "model", "parts": [{"text": "I weigh it."}, {"functionCall": {"name": "weigh", "args": ARGUMENTS}}]},
        {"role": "function", "parts": [{"functionResponse": {"name": "weigh", "response": {"grams": 60}}}]},
        {"role": "model", "parts": [{"text": "60 g"}]},
    ],
}


def test_turns_in_parts(tmp_path):
    (found,) = read_chats(tmp_path, GEMINI)
    assert turns_of(found) == [
        ("mission", "You weigh fruit.", False),
        ("mission", "How heavy is a plum?", False),
        ("action", f"I weigh it.\n{CALL}", True),
        ("observation", '{"grams": 60}', True),
        ("action", "60 g", True),
    ]


@pytest.mark.parametrize("before", ["", "\ufeff", "\n  "])
@pytest.mark.parametrize("indent", [None, 2])
def test_an_array_is_read_entry_by_entry(tmp_path, before, indent):
    lines = [spoken("plum?", "yes \ud83d"), {"messages": []}, GEMINI]
    file = tmp_path / "chat.json"
    file.write_text(before + json.dumps(lines, indent=indent), encoding="utf-8")
    first, wrong, last = read_chat(file, format_of(file))
    expected = read_chats(tmp_path, *lines)
    assert [first.turns, last.turns] == [expected[0].turns, expected[2].turns] and first.source == "chat.json:1"
    assert (wrong.line, wrong.reason) == (2, expected[1].reason)


PICTURES = [
    {"type": "image_url", "image_url": {"url": "a.png"}},
    {"type": "image", "source": {"data": "AAAA"}},
    {"inlineData": {"mimeType": "image/png", "data": "AAAA"}},
]


@pytest.mark.parametrize("picture", PICTURES)
@pytest.mark.parametrize("beside", [[], [{"type": "text", "text": "What is it?"}]])
def test_pictures_are_refused_in_a_sentence_that_says_what_to_do(tmp_path, picture, beside):
    line = spoken("", "It is a plum.")
    line["messages"][0]["content"] = [*beside, picture]
    file = write_chats(tmp_path / "chat.jsonl", line)
    with pytest.raises(AnyOrderError, match=r"line 1: .* turn 0, found '.*'; write what it shows as text; .*--skip_bad_lines"):
        import_chats([file], tmp_path / "data", ImportSpec())
