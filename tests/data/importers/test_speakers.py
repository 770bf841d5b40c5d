"""Speakers and flags under all their names; what a name means can be said, and what is unclear is refused."""

import json

import pytest
import yaml
from chat_files import read_chats, spoken, turns_of, write_chats

from anyorder.data.importers.chats.flags import EXCLUDED
from anyorder.data.importers.chats.importing import ImportSpec, import_chats
from anyorder.data.importers.chats.reading import WrongLine
from anyorder.data.importers.chats.speakers import SPEAKERS, role_of
from anyorder.data.text_storage import read_text_split
from anyorder.errors import AnyOrderError

NAMES = {
    "system": ("系统", "Système", "SYSTEM", "System Prompt", "developer", "SystemMessage"),
    "user": (
        "User",
        "USER",
        "Human",
        "human_user",
        "prompter",
        "customer",
        "instruction",
        "user_2",
        "HumanMessage",
        *("end-user", "Benutzer", "用户", "usuario"),
    ),
    "assistant": (
        *("gpt-4", "GPT-4o-mini", "gpt4", "chatgpt", "claude", "claude-3-5-sonnet-20241022", "gemini-1.5-pro", "Qwen2.5-7B"),
        *(
            "Assistent",
            "助手",
            "ассистент",
            "assistant_1",
            "AI Assistant",
            "bot",
            "ai",
            "Agent 3",
            "LLM",
            "AIMessageChunk",
            "o1-mini",
            "deepseek-r1",
            "thinking",
        ),
    ),
    "tool": (
        "工具",
        "Werkzeug",
        "tool_response",
        "api",
        "execution",
        "code_interpreter",
        "Environment",
        "Tool-Result",
        "ToolMessage",
        "ipython",
    ),
}


@pytest.mark.parametrize(("role", "name"), [(role, name) for role, names in NAMES.items() for name in names])
def test_names_of_speakers(role, name):
    assert role_of(name, {}) == role


@pytest.mark.parametrize("name", ["critic", "cat", "", 0, None, "us er!", ["user"]])
def test_names_that_nobody_can_know(name):
    assert role_of(name, {}) is None


def test_every_name_is_of_one_role():
    assert sum(map(len, SPEAKERS.values())) == len({name for names in SPEAKERS.values() for name in names})


def expert_line():
    speakers = {"Expert A": "b", "critic": "c", "expert_a": "d"}
    said = [{"role": role, "content": text} for role, text in speakers.items()]
    return {"messages": [{"role": "user", "content": "a"}, *said]}


def test_an_unknown_speaker_is_named_with_the_option_that_helps(tmp_path):
    path = write_chats(tmp_path / "a.jsonl", expert_line())
    with pytest.raises(
        AnyOrderError, match=r"line 1: .* as 'role' of turn 1, found 'Expert A'; .* --roles '{Expert A: assistant}'"
    ):
        import_chats([path], tmp_path / "data", ImportSpec())
    roles = {"Expert A": "assistant", "critic": "tool"}
    manifest = import_chats([path], tmp_path / "data", ImportSpec(validation=0, test=0, roles=roles))
    (found,) = read_text_split(tmp_path / "data", "train")
    assert [(turn.role, turn.text) for turn in found.turns] == [
        *(("user", "a"), ("assistant", "b"), ("tool", "c"), ("assistant", "d")),
    ]
    assert manifest.spec["roles"] == roles
    with pytest.raises(AnyOrderError, match="roles must be among system, user, assistant, tool; found 'judge' for 'critic'"):
        ImportSpec(roles={"critic": "judge"})


@pytest.mark.parametrize(("name", "option"), [("critic", "critic"), (0, '"0"'), ("a: b", '"a: b"')])
def test_the_option_can_be_given_as_it_is_shown(tmp_path, name, option):
    line = {"messages": [{"role": name, "content": "a"}]}
    (found,) = read_chats(tmp_path, line)
    assert f"--roles '{{{option}: assistant}}'" in found.reason
    assert yaml.safe_load(f"{{{option}: assistant}}") == {str(name): "assistant"}


def test_what_the_user_says_goes_before_what_is_known(tmp_path):
    path = write_chats(tmp_path / "a.jsonl", spoken("a", "b", "c", "d"))
    import_chats([path], tmp_path / "data", ImportSpec(validation=0, test=0, roles={"user": "tool"}))
    (found,) = read_text_split(tmp_path / "data", "train")
    assert turns_of(found)[0] == ("observation", "a", True)


def flagged(first, second):
    line = spoken("2 + 2?", "5", "Wrong.", "4")
    line["messages"][1] |= first
    line["messages"][3] |= second
    return line


@pytest.mark.parametrize("flag", EXCLUDED)
@pytest.mark.parametrize(("out", "wanted"), [(True, False), (1, 0), ("true", None)])
def test_flags_that_leave_a_turn_out(tmp_path, flag, out, wanted):
    line = flagged({flag: wanted, "content": "5"}, {flag: out})
    (found,) = read_chats(tmp_path, line)
    assert [turn.asked for turn in found.turns] == [False, True, True, False]
    assert "turns" not in json.loads(found.others)


@pytest.mark.parametrize(("no", "yes"), [("false", "true"), ("0", "1"), ("False", "True"), (" 0.0", "1.0")])
def test_flags_that_are_texts(tmp_path, no, yes):
    (found,) = read_chats(tmp_path, flagged({"loss": yes}, {"loss": no}))
    assert [turn.asked for turn in found.turns] == [False, True, True, False]


@pytest.mark.parametrize("key", ["loss_mask", "weights", "train", "lossWeights"])
def test_flags_in_a_list_of_the_line(tmp_path, key):
    line = spoken("2 + 2?", "5", "Wrong.", "4") | {key: [0, 1, 0, 0]}
    (found,) = read_chats(tmp_path, line)
    assert [turn.asked for turn in found.turns] == [False, True, False, False]
    assert json.loads(found.others) == {}


@pytest.mark.parametrize(
    ("keys", "reason"),
    [
        ({"loss_mask": [0, 1]}, "expected one flag for each of the 4 turns as loss_mask of the line, found 2"),
        ({"mask": [0, 1, 0, 1]}, "rename it to loss"),
        ({"loss_mask": [0, 1, 0, 0.5]}, "expected true, false, 1, 0 or null as loss_mask of turn 3, found 0.5"),
    ],
)
def test_lists_of_flags_that_say_nothing_clear(tmp_path, keys, reason):
    (found,) = read_chats(tmp_path, spoken("a", "b", "c", "d") | keys)
    assert isinstance(found, WrongLine) and reason in found.reason


def test_flags_that_contradict_each_other(tmp_path):
    (found,) = read_chats(tmp_path, flagged({"loss": True, "ignore": True}, {}))
    assert isinstance(found, WrongLine) and "flags that agree about learning turn 1" in found.reason


def test_a_flag_for_inputs_says_nothing_of_the_agent(tmp_path):
    line = flagged({"train_on_input": False}, {})
    line["messages"][2]["train_on_input"] = False
    (found,) = read_chats(tmp_path, line)
    assert [turn.asked for turn in found.turns] == [False, True, False, True]
    assert json.loads(found.others)["turns"] == {"1": {"train_on_input": False}}


@pytest.mark.parametrize(
    "key", ["reasoning", "reasoningContent", "thinking", "thought", "Thoughts", "rationale", "analysis", "cot"]
)
def test_reasoning_under_all_its_names(tmp_path, key):
    (found,) = read_chats(tmp_path, flagged({key: "Two and two."}, {key: None}))
    assert [turn.text for turn in found.turns] == ["2 + 2?", "<think>\nTwo and two.\n</think>\n5", "Wrong.", "4"]


def test_reasoning_with_its_details_counts_once(tmp_path):
    details = [{"type": "reasoning.text", "text": "Two.", "format": "x"}, {"type": "reasoning.encrypted", "data": "x"}]
    (found,) = read_chats(tmp_path, flagged({"reasoning": "Two.", "reasoning_details": details}, {}))
    assert found.turns[1].text == "<think>\nTwo.\n</think>\n5"


CALLS = [{"function": {"name": "f", "arguments": "{}"}}, {"function": {"name": "g", "arguments": "{}"}}]
WITH_IDS = [CALLS[0] | {"id": "x"}, CALLS[1] | {"id": "y"}]


def tool(text, **keys):
    return {"role": "tool", "content": text, **keys}


@pytest.mark.parametrize(
    ("calls", "results", "text"),
    [
        (CALLS, [tool("1"), tool("2")], "1\n2"),
        (CALLS, [tool("2", name="g"), tool("1", name="f")], "1\n2"),
        (WITH_IDS, [tool([{"tool_call_id": "y", "content": "2"}, {"tool_call_id": "x", "content": "1"}])], "1\n2"),
        (WITH_IDS, [tool("2", tool_call_id="y"), tool("1", tool_call_id="x"), tool("3", tool_call_id="y")], "f: 1\ng: 2\ng: 3"),
        (WITH_IDS, [tool("2", tool_call_id="z"), tool("1", tool_call_id="x")], "2\n1"),
    ],
)
@pytest.mark.parametrize("apart", [True, False])
def test_results_of_parallel_calls(tmp_path, calls, results, text, apart):
    parts = [calls[:1], calls[1:]] if apart else [calls]
    asks = [{"role": "assistant", "content": None, "tool_calls": part} for part in parts]
    messages = [{"role": "user", "content": "a"}, *asks, *results, {"role": "assistant", "content": "end"}]
    (found,) = read_chats(tmp_path, {"messages": messages})
    assert [turn.part for turn in found.turns] == ["mission", "action", "observation", "action"]
    assert found.turns[2].text == text
