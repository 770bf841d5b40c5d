"""What people download of their own conversations with ChatGPT and Claude: the path that was taken last, as it was said."""

import json
from copy import deepcopy

import pytest
from chat_files import read_chats, turns_of

from anyorder.commands.import_chats import ImportOptions, run_import
from anyorder.data.importers.chats.importing import ImportSpec, import_chats
from anyorder.data.importers.chats.reading import WrongLine, format_of, read_chat
from anyorder.data.importers.chats.sources import chat_files
from anyorder.errors import AnyOrderError

RUN = '<tool_call>\n{"name": "python", "arguments": "print(2 + 2)"}\n</tool_call>'


def node(name, parent, role=None, content=None, author=None, **keys):
    """A node of ChatGPT's tree; without a role it has no message."""
    message = None
    if role is not None:
        by = {"role": role, "name": None, "metadata": {}, **(author or {})}
        times = {"create_time": 1.7e9, "update_time": None, "status": "finished_successfully", "end_turn": None}
        message = {"id": name, "author": by, **times, "content": content, "weight": 1.0, "metadata": {}, "recipient": "all"}
        message |= {"channel": None, **keys}
    return name, {"id": name, "message": message, "parent": parent, "children": []}


def said(*parts):
    return {"content_type": "text", "parts": list(parts)}


def export(*nodes, current=None, **keys):
    mapping = dict(nodes)
    for name, one in mapping.items():
        if one["parent"] in mapping:
            mapping[one["parent"]]["children"].append(name)
    return {"title": "Weighing", "mapping": mapping, "current_node": current, "conversation_id": "c", **keys}


PICTURE = {"content_type": "image_asset_pointer", "asset_pointer": "file-service://file-1", "width": 4, "height": 3}
PROFILE = {"content_type": "user_editable_context", "user_profile": "I am Zoë.", "user_instructions": "Be brief."}
OPENING = [
    node("root", None),
    node("empty", "root", "system", said(""), weight=0.0, metadata={"is_visually_hidden_from_conversation": True}),
    node("about", "empty", "user", PROFILE),
]
TALK = export(
    *OPENING,
    node(
        "ask", "about", "user", {"content_type": "multimodal_text", "parts": [PICTURE, "Was wiegt die Pflaume? 🍑", "Bitte."]}
    ),
    node("old", "ask", "assistant", said("I do not know.")),
    node("older", "old", "user", said("Look again.")),
    node(
        *("think", "ask", "assistant"),
        {"content_type": "thoughts", "thoughts": [{"summary": "Adding", "content": "I add."}], "source_analysis_msg_id": "x"},
    ),
    node("recap", "think", "assistant", {"content_type": "reasoning_recap", "content": "Thought for 5 seconds"}),
    node(
        "run", "recap", "assistant", {"content_type": "code", "language": "python", "text": "print(2 + 2)"}, recipient="python"
    ),
    node("ran", "run", "tool", {"content_type": "execution_output", "text": "4"}, {"name": "python"}, recipient="assistant"),
    node("answer", "ran", "assistant", said("Four ", None, "grams."), end_turn=True),
    node(
        *("thanks", "answer", "user"),
        {
            "content_type": "multimodal_text",
            "parts": [
                {"content_type": "audio_transcription", "text": "Danke!", "direction": "in"},
                {"content_type": "audio_asset_pointer"},
            ],
        },
    ),
    node("last", "thanks", "assistant", said("")),
    current="last",
)


def test_the_path_to_the_current_node_is_the_conversation(tmp_path):
    (found,) = read_chats(tmp_path, TALK)
    assert not isinstance(found, WrongLine), found.reason
    assert turns_of(found) == [
        ("mission", "I am Zoë.\nBe brief.", False),
        ("mission", "Was wiegt die Pflaume? 🍑\nBitte.", False),
        ("action", f"<think>\nI add.\n</think>\n{RUN}", True),
        ("observation", "4", True),
        ("action", "Four \ngrams.", True),
        ("observation", "Danke!", True),
        ("action", "", True),
    ]


def test_what_is_no_text_is_counted_under_its_name(tmp_path, capsys):
    path = tmp_path / "conversations.json"
    path.write_text(json.dumps([TALK, TALK | {"conversation_id": "d"}]))
    manifest = run_import(ImportOptions(str(path), str(tmp_path / "data")))
    counts = {(one["where"], one["key"]): one["count"] for one in manifest.spec["kept_keys"]}
    for kind in ("image_asset_pointer", "audio_transcription", "audio_asset_pointer", "reasoning_recap", "code"):
        assert counts[("block", kind)] == 2, kind
    assert counts[("line", "other_branches")] == 2 and ("line", "mapping") not in counts
    assert "image_asset_pointer" in capsys.readouterr().out and manifest.spec["inputs"][0]["format"] == "chatgpt"


def test_other_branches_are_kept_beside_the_text(tmp_path):
    (found,) = read_chats(tmp_path, TALK)
    others = json.loads(found.others)
    assert [one["content"]["parts"] for one in others["line"]["other_branches"].values()] == [
        ["I do not know."],
        ["Look again."],
    ]
    (other,) = read_chats(tmp_path, TALK | {"current_node": "old"})
    assert [turn.text for turn in other.turns][2:] == ["I do not know."]


def test_a_tree_with_one_end_needs_no_current_node(tmp_path):
    (found,) = read_chats(
        tmp_path, export(*OPENING, node("a", "about", "user", said("Hi")), node("b", "a", "assistant", said("Ho")))
    )
    assert [turn.text for turn in found.turns] == ["I am Zoë.\nBe brief.", "Hi", "Ho"]


def test_a_message_that_was_not_shown_to_the_model_is_not_learned(tmp_path):
    nodes = [
        *(node("r", None), node("a", "r", "user", said("Hi")), node("b", "a", "assistant", said("Ho"), weight=0.0)),
        *(node("c", "b", "user", said("And?")), node("d", "c", "assistant", said("Hm"))),
    ]
    (found,) = read_chats(tmp_path, export(*nodes, current="d"))
    assert [(turn.text, turn.asked) for turn in found.turns] == [("Hi", False), ("Ho", False), ("And?", True), ("Hm", True)]


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ({"content_type": "tether_quote", "url": "u", "title": "t", "text": "A plum."}, "A plum."),
        ({"content_type": "tether_browsing_display", "result": "L0: plums", "summary": None}, "L0: plums"),
        ({"content_type": "system_error", "name": "Timeout", "text": "too late"}, "too late"),
        ({"content_type": "sonic_webpage", "url": "u", "text": "Plums."}, "Plums."),
        ({"content_type": "super_widget", "widgets": [1]}, ""),
        ({"content_type": "a_new_type", "parts": ["a", {"content_type": "text", "text": "b"}, 3]}, "a\nb"),
        ({"content_type": "text", "parts": []}, ""),
        ({"parts": ["a"]}, "a"),
    ],
)
def test_contents_of_every_type(tmp_path, content, text):
    nodes = [node("a", None, "user", said("Hi")), node("b", "a", "tool", content, {"name": "browser"})]
    (found,) = read_chats(tmp_path, export(*nodes, node("c", "b", "assistant", said("Ho")), current="c"))
    assert not isinstance(found, WrongLine), found.reason
    assert [turn.text for turn in found.turns] == ["Hi", text, "Ho"]


def broken(change):
    line = deepcopy(TALK)
    change(line)
    return line


BAD = [
    (lambda line: line.update(current_node=None), "the name of the last node as current_node, found none, and 2 ends"),
    (lambda line: line.update(current_node="gone"), "a node on the way to current_node, found 'gone'"),
    (lambda line: line.update(current_node=[3]), "a node on the way to current_node, found a list"),
    (lambda line: line["mapping"]["ask"].update(parent="gone"), "a node on the way to current_node, found 'gone'"),
    (lambda line: line["mapping"]["ask"].update(parent="last"), "a tree as mapping, found the node 'last' before itself"),
    (lambda line: line["mapping"].update(ask=None), "an object as node 'ask' of mapping, found nothing"),
    (lambda line: line["mapping"]["ask"].update(message=3), "content in the node 'ask' of mapping, found 3"),
    (lambda line: line["mapping"]["ask"]["message"].update(content=None), "in the node 'ask' of mapping, found nothing"),
    (lambda line: line["mapping"]["ask"]["message"].update(author=None), "expected a speaker .* found ''"),
    (lambda line: line["mapping"]["ask"]["message"]["author"].update(role="ghost"), "expected a speaker .* found 'ghost'"),
    (lambda line: line.update(current_node="root"), "expected a list of turns as mapping, found a list, empty"),
    (lambda line: line.update(mapping=[]), "expected a tree of nodes as mapping, found title"),
]


@pytest.mark.parametrize(("change", "message"), BAD)
def test_a_broken_tree_is_named(tmp_path, change, message):
    path = tmp_path / "conversations.json"
    path.write_text(json.dumps([TALK, broken(change)]))
    good, bad = read_chat(path, format_of(path))
    assert len(good.turns) == 7 and isinstance(bad, WrongLine)
    with pytest.raises(AnyOrderError, match=f"line 2: .*{message}"):
        import_chats([path], tmp_path / "data", ImportSpec())


def claude(*messages, **keys):
    return {"uuid": "c", "name": "Weighing", "account": {"uuid": "me"}, "chat_messages": list(messages), **keys}


def block(kind="text", **keys):
    return {"start_timestamp": None, "stop_timestamp": None, "type": kind, "citations": [], **keys}


def message(sender, text, *content, attachments=(), files=(), **keys):
    lists = {"content": list(content), "attachments": list(attachments), "files": list(files)}
    return {"uuid": "m", "text": text, "sender": sender, **lists, **keys}


PASTED = {"file_name": "plums.csv", "file_type": "csv", "extracted_content": "plum,30"}
CALL = block("tool_use", id="t", name="weigh", input={"fruit": "plum"}, message="Weighing")
RESULT = block("tool_result", tool_use_id="t", name="weigh", is_error=False)
SHOWN = [{"type": "knowledge", "title": "Plums", "text": "30 g"}, {"type": "image", "file_uuid": "f"}]
CHAT = claude(
    message("human", "Heavy?", block(text="Heavy?"), attachments=[PASTED], files=[{"file_name": "plum.png"}]),
    message(
        *("assistant", "This block is not supported on your current device yet."),
        *(block("thinking", thinking="I weigh it.", summaries=[]), CALL, RESULT | {"content": SHOWN}, block(text="No. ⚖️")),
    ),
    message("human", "Sure?"),
    message("assistant", "", block("token_budget", remaining=3), block(text="Yes.")),
)


def test_an_export_of_claude(tmp_path):
    path = tmp_path / "conversations.json"
    path.write_text(json.dumps([claude(), CHAT]))
    assert format_of(path) == "claude", "also where the first conversation is empty"
    empty, found = read_chat(path, "claude")
    assert empty.reason == "expected a list of turns as chat_messages, found a list, empty"
    assert turns_of(found) == [
        ("mission", "Heavy?\nplum,30", False),
        (
            "action",
            '<think>\nI weigh it.\n</think>\n<tool_call>\n{"name": "weigh", "arguments": {"fruit": "plum"}}\n</tool_call>',
            True,
        ),
        ("observation", "30 g", True),
        ("action", "No. ⚖️", True),
        ("observation", "Sure?", True),
        ("action", "Yes.", True),
    ]


def test_what_claude_showed_beside_words_is_counted(tmp_path):
    (tmp_path / "a.json").write_text(json.dumps([CHAT]))
    manifest = import_chats([tmp_path / "a.json"], tmp_path / "data", ImportSpec())
    counts = {(one["where"], one["key"]): one["count"] for one in manifest.spec["kept_keys"]}
    assert counts[("block", "attachment")] == 1 and counts[("turn", "files")] == 1 and counts[("block", "token_budget")] == 1
    assert not {("turn", "attachments"), ("turn", "text"), ("block", "citations")} & counts.keys()


@pytest.mark.parametrize(
    ("turn", "text"),
    [
        (message("human", "", attachments=[PASTED]), "plum,30"),
        (message("human", "old"), "old"),
        ({"sender": "human", "text": "older"}, "older"),
        ({"sender": "human", "text": None, "content": None}, ""),
        (message("human", "a", block(text=""), block("image", file_uuid="f")), ""),
        (message("human", "a", "b", 3, block("type", text="c")), "bc"),
        (message("human", "", attachments=[{"file_name": "a.pdf"}, None]), ""),
    ],
)
def test_awkward_turns_of_claude(tmp_path, turn, text):
    (found,) = read_chats(tmp_path, claude(turn, message("assistant", "Ho")))
    assert not isinstance(found, WrongLine), found.reason
    assert [one.text for one in found.turns] == [text, "Ho"]


@pytest.mark.parametrize(
    ("turn", "reason"),
    [
        (None, r"expected chat_messages\[1\] to be a JSON object, found nothing"),
        (message("ghost", "boo"), "expected a speaker .* found 'ghost'"),
        (message("assistant", "", block("tool_use", input={})), "expected a function with a name"),
        (message("assistant", "", block(text=None)), "expected a text in each block"),
    ],
)
def test_a_broken_turn_of_claude_is_named(tmp_path, turn, reason):
    path = tmp_path / "a.json"
    path.write_text(json.dumps([CHAT, claude(message("human", "Hi"), turn, message("assistant", "Ho"))]))
    with pytest.raises(AnyOrderError, match=f"line 2: {reason}"):
        import_chats([path], tmp_path / "data", ImportSpec())


def test_what_an_export_says_of_the_account_is_left_out(tmp_path):
    for name in ("conversations-000.json", "conversations-001.json", "user.json", "message_feedback.json"):
        (tmp_path / name).write_text(json.dumps([TALK]))
    found, ignored = chat_files(tmp_path)
    assert [file.name for file in found] == ["conversations-000.json", "conversations-001.json"]
    assert ignored == ["message_feedback.json", "user.json"]
