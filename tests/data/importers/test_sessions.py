"""Sessions of agents on the command line, an event a line, become conversations; what is no turn is kept and counted."""

import json

import pytest
from chat_files import turns_of, write_chats

from anyorder.data.importers.chats.importing import ImportSpec, import_chats
from anyorder.data.importers.chats.reading import WrongLine, format_of, read_chat
from anyorder.data.text_storage import read_text_split

CALL = '<tool_call>\n{"name": "Bash", "arguments": {"command": "ls"}}\n</tool_call>'


def event(kind, content, session="s", **keys):
    return {"type": kind, "message": {"role": kind, "content": content}, "sessionId": session, "uuid": "u", **keys}


def of_code(session="s", task="Fix it."):
    call = {"type": "tool_use", "id": "1", "name": "Bash", "input": {"command": "ls"}}
    return [
        event("user", task, session),
        event("assistant", [{"type": "thinking", "thinking": "Hm.", "signature": "x"}], session),
        event("assistant", [call], session),
        event("user", "Look there.", session, isSidechain=True),
        event("assistant", "There.", session, isSidechain=True),
        event(
            "user", [{"type": "tool_result", "tool_use_id": "1", "content": "a.py"}], session, toolUseResult={"stdout": "a.py"}
        ),
        {"type": "system", "subtype": "compact_boundary", "sessionId": session, "uuid": "v"},
        event("assistant", [{"type": "text", "text": "Done."}], session),
    ]


CODEX = [
    {"timestamp": "t", "type": "session_meta", "payload": {"id": "1", "base_instructions": {"text": "Mend bugs."}}},
    {"timestamp": "t", "type": "response_item", "payload": {"type": "message", "role": "user", "content": "Fix it."}},
    {"timestamp": "t", "type": "event_msg", "payload": {"type": "user_message", "message": "Fix it."}},
    {
        "timestamp": "t",
        "type": "response_item",
        "payload": {"type": "reasoning", "summary": [{"type": "summary_text", "text": "Hm."}]},
    },
    {
        "timestamp": "t",
        "type": "response_item",
        "payload": {"type": "function_call", "name": "Bash", "arguments": '{"command": "ls"}', "call_id": "1"},
    },
    {
        "timestamp": "t",
        "type": "response_item",
        "payload": {"type": "function_call_output", "call_id": "1", "output": "a.py"},
    },
    {"timestamp": "t", "type": "response_item", "payload": {"type": "message", "role": "assistant", "content": "Done."}},
]
EPISODE = [
    ("mission", "Fix it.", False),
    ("action", f"<think>\nHm.\n</think>\n{CALL}", True),
    ("observation", "a.py", True),
    ("action", "Done.", True),
]


@pytest.mark.parametrize("events", [of_code(), [{"type": "summary", "summary": "x", "leafUuid": "u"}, *of_code()], CODEX])
@pytest.mark.parametrize("array", [False, True])
def test_a_session_is_one_conversation(tmp_path, events, array):
    path = write_chats(tmp_path / "a.jsonl", *([json.dumps(events)] if array else events))
    (found,) = read_chat(path, format_of(path))
    instructions = [("mission", "Mend bugs.", False)] if events is CODEX else []
    assert turns_of(found) == instructions + EPISODE and found.source == "a.jsonl:1"


def test_what_is_no_turn_is_counted(tmp_path):
    manifest = import_chats(
        [write_chats(tmp_path / "a.jsonl", *of_code())], tmp_path / "data", ImportSpec(validation=0, test=0)
    )
    kept = {one["key"] for one in manifest.spec["kept_keys"]}
    assert {"other_events", "sidechain", "toolUseResult"} <= kept and "type" not in kept
    (found,) = read_text_split(tmp_path / "data", "train")
    assert len(json.loads(found.others)["line"]["sidechain"]) == 2


def test_several_sessions_and_a_damaged_line_in_a_file(tmp_path):
    path = write_chats(tmp_path / "a.jsonl", *of_code("s", "First."), "{", *of_code("t", "Second."))
    wrong, *found = read_chat(path, format_of(path))
    assert isinstance(wrong, WrongLine) and wrong.line == 9
    assert [(one.turns[0].text, one.source) for one in found] == [("First.", "a.jsonl:1"), ("Second.", "a.jsonl:10")]


def test_the_turns_of_a_called_agent_alone_are_a_conversation(tmp_path):
    path = write_chats(tmp_path / "a.jsonl", *[one for one in of_code() if one.get("isSidechain")])
    (found,) = read_chat(path, format_of(path))
    assert turns_of(found) == [("mission", "Look there.", False), ("action", "There.", True)]


def test_a_conversation_with_the_name_of_a_session_is_no_event(tmp_path):
    line = {
        "type": "chat",
        "sessionId": "s",
        "messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}],
    }
    path = write_chats(tmp_path / "a.jsonl", line, line)
    assert [turns_of(found) for found in read_chat(path, format_of(path))] == [
        [("mission", "a", False), ("action", "b", True)]
    ] * 2
