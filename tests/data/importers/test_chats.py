"""Conversations of every format become trajectories; a wrong line is named; nothing is lost or lies in two splits."""

import json
from pathlib import Path

import pytest

from anyorder.data.importers.chats.importing import ImportSpec, import_chats, split_of, task_of
from anyorder.data.importers.chats.reading import WrongLine, format_of, read_chat
from anyorder.data.manifest import MANIFEST, read_manifest
from anyorder.data.storage import read_split
from anyorder.data.text_storage import read_text_split
from anyorder.errors import AnyOrderError
from anyorder.types import TextTrajectory, Turn

FIREACT = Path(__file__).parents[4] / "shared" / "data" / "fireact_multitask.jsonl"

ETO = {
    "id": "webshop-1",
    "conversations": [
        {"from": "human", "value": "You shop in a store. Answer with Thought and Action."},
        {"from": "gpt", "value": "OK"},
        {"from": "human", "value": "Instruction: find a red ball\n[Search]"},
        {"from": "gpt", "value": "Thought: search\nAction: search[red ball]"},
        {"from": "human", "value": "Observation: [B01] red ball"},
        {"from": "gpt", "value": "Action: click[B01]"},
    ],
}
AGENTGYM = {
    "item_id": "alfworld_7",
    "conversations": [
        {"from": "human", "loss": None, "value": "Interact with a household. Say what you understood."},
        {"from": "gpt", "loss": False, "value": "I'll follow your instructions and try my best to solve the task."},
        {"from": "human", "loss": None, "value": "You are in a room. Your task: heat an egg."},
        {"from": "gpt", "loss": False, "value": "Action: look"},
        {"from": "human", "loss": None, "value": "You see a fridge."},
        {"from": "gpt", "loss": True, "value": "Action: open fridge"},
    ],
}
CALL = {"id": "call_1", "type": "function", "function": {"name": "search", "arguments": '{"query": "play"}'}}
OPENAI = {
    "messages": [
        {"role": "system", "content": "Answer with tools."},
        {"role": "user", "content": [{"type": "text", "text": "Who wrote "}, {"type": "text", "text": "the play?"}]},
        {"role": "assistant", "content": None, "tool_calls": [CALL, {**CALL, "id": "call_2"}]},
        {"role": "tool", "tool_call_id": "call_1", "content": "one result"},
        {"role": "tool", "tool_call_id": "call_2", "content": "another"},
        {"role": "assistant", "content": "Let me think.", "weight": 0},
        {"role": "user", "content": "Well?"},
        {"role": "assistant", "content": "A poet."},
    ],
    "tools": [{"type": "function", "function": {"name": "search"}}],
}


def eto_about(number):
    """Another conversation under the same rules."""
    texts = [turn["value"] for turn in ETO["conversations"]]
    return turns(*texts[:2], f"Instruction: find item {number}\n[Search]", *texts[3:])


def file_of(tmp_path, *lines, name="chat.jsonl"):
    path = tmp_path / name
    path.write_text("\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines) + "\n")
    return path


def read_one(tmp_path, line, format_name=None):
    path = file_of(tmp_path, line)
    (found,) = read_chat(path, format_name or format_of(path))
    return found


def told(trajectory):
    return [(turn.part, turn.role, turn.asked) for turn in trajectory.turns]


def test_eto(tmp_path):
    path = file_of(tmp_path, ETO, *[eto_about(n) for n in range(9)])
    found = next(read_chat(path, format_of(path)))
    assert told(found) == [
        ("mission", "user", False),
        ("mission", "assistant", False),
        ("observation", "user", True),
        ("action", "assistant", True),
        ("observation", "user", True),
        ("action", "assistant", True),
    ]
    assert [turn.text for turn in found.turns] == [turn["value"] for turn in ETO["conversations"]]
    assert found.source == "chat.jsonl:1" and json.loads(found.others) == {"line": {"id": "webshop-1"}}
    assert found.steps == (-1, -1, 0, 0, 1, 1) and len(found) == 2


def test_agentgym(tmp_path):
    found = read_one(tmp_path, AGENTGYM)
    assert told(found) == [
        ("mission", "user", False),
        ("mission", "assistant", False),
        ("observation", "user", True),
        ("action", "assistant", False),
        ("observation", "user", True),
        ("action", "assistant", True),
    ]


def test_openai_with_tools(tmp_path):
    found = read_one(tmp_path, OPENAI)
    assert told(found) == [
        ("mission", "system", False),
        ("mission", "system", False),
        ("mission", "user", False),
        ("action", "assistant", True),
        ("observation", "tool", True),
        ("action", "assistant", False),
        ("observation", "user", True),
        ("action", "assistant", True),
    ]
    call = '<tool_call>\n{"name": "search", "arguments": {"query": "play"}}\n</tool_call>'
    assert [turn.text for turn in found.turns] == [
        'Tools: [{"type": "function", "function": {"name": "search"}}]',
        "Answer with tools.",
        "Who wrote the play?",
        f"{call}\n{call}",
        "one result\nanother",
        "Let me think.",
        "Well?",
        "A poet.",
    ]
    others = json.loads(found.others)
    assert others["joined"] == [[4, 5]], "what was joined is on record"
    assert others["turns"] == {
        "3": {"tool_call_ids": ["call_1", "call_2"]},
        "4": {"tool_call_id": "call_1"},
        "5": {"tool_call_id": "call_2"},
    }


@pytest.mark.parametrize(("line", "name"), [(ETO, "sharegpt"), (AGENTGYM, "agentgym"), (OPENAI, "openai")])
def test_the_format_is_found_in_the_first_line(tmp_path, line, name):
    assert format_of(file_of(tmp_path, "", line)) == name


def turns(*texts):
    return {"conversations": [{"from": ("human", "gpt")[n % 2], "value": text} for n, text in enumerate(texts)]}


WRONG = {
    "not JSON": ('{"conversations": [', "expected a JSON object, found what is not JSON"),
    "no object": ("3", "expected a JSON object, found int"),
    "a turn without a speaker": ("[{}]", "expected a speaker such as user or assistant as 'role' of turn 0, found no key"),
    "other keys": ({"text": "hello"}, "expected a list of turns as conversations, found nothing"),
    "no turns": ({"conversations": []}, "found a list, empty"),
    "a turn that is none": (
        {"conversations": [{"from": "gpt", "value": "a"}, "hi"]},
        "expected turn 1 to be a JSON object, found 'hi'",
    ),
    "a list of turns in the list": (
        {"conversations": [[{"from": "human", "value": "a"}]] * 2},
        "expected turn 0 to be a JSON object, found a list of objects; if each list is a conversation of its own",
    ),
    "an unknown speaker": ({"conversations": [{"from": "cat", "value": "miaow"}]}, "as 'from' of turn 0, found 'cat'"),
    "no text": ({"conversations": [{"from": "gpt", "value": None}]}, "expected content or tool_calls in turn 0, found neither"),
    "a loss": ({"conversations": [{"from": "gpt", "value": "a", "loss": 0.5}]}, "as loss of turn 0, found 0.5"),
    "nobody acts": (turns("go"), "at least one action; found turns of user alone: if these are requests"),
    "nothing is asked": ({"conversations": [{"from": "gpt", "value": "a", "loss": False}]}, "asked about; found none"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_line_is_named_by_file_and_number(tmp_path, name):
    line, reason = WRONG[name]
    path = file_of(tmp_path, ETO, line, turns("a", "b", "c", "d"))
    with pytest.raises(AnyOrderError) as error:
        import_chats([path], tmp_path / "data", ImportSpec())
    assert str(error.value).startswith("chat.jsonl, line 2: expected") and reason in str(error.value)
    assert "--skip_bad_lines" in str(error.value) and not (tmp_path / "data").exists()
    manifest = import_chats([path], tmp_path / "data", ImportSpec(skip_bad_lines=True))
    (skipped,) = manifest.spec["skipped_lines"]
    assert skipped["file"] == "chat.jsonl" and skipped["line"] == 2 and reason in skipped["reason"]
    assert sum(split.num_episodes for split in manifest.splits.values()) == 2


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        ({"role": "user", "content": [{"type": "image_url"}]}, "content of turn 0, found 'image_url'; write what it shows"),
        ({"role": "assistant"}, "expected content or tool_calls in turn 0, found neither"),
        ({"role": "assistant", "tool_calls": [{"arguments": {}}]}, "a function with a name in the tool_calls of turn 0"),
    ],
)
def test_wrong_messages(tmp_path, message, reason):
    found = read_one(tmp_path, {"messages": [message]})
    assert isinstance(found, WrongLine) and reason in found.reason


def test_bytes_that_are_no_text_are_a_wrong_line(tmp_path):
    path = tmp_path / "chat.jsonl"
    path.write_bytes(json.dumps(ETO).encode() + b'\n{"conversations": "\xff"}\n')
    assert [type(found) for found in read_chat(path, "sharegpt")] == [TextTrajectory, WrongLine]


def test_a_file_of_no_format_and_options_that_are_wrong_are_refused(tmp_path):
    with pytest.raises(AnyOrderError, match="chat.jsonl, line 1: expected a list of turns under .*, found text"):
        import_chats([file_of(tmp_path, {"text": "a"})], tmp_path / "data", ImportSpec())
    with pytest.raises(AnyOrderError, match="could not read .*nothing.jsonl: No such file"):
        import_chats([tmp_path / "nothing.jsonl"], tmp_path / "data", ImportSpec())
    with pytest.raises(AnyOrderError, match="format must be one of auto, openai, .*, sharegpt, .*, text; found 'csv'"):
        ImportSpec(format="csv")
    with pytest.raises(AnyOrderError, match="shares with a sum below 1"):
        ImportSpec(validation=0.6, test=0.4)
    with pytest.raises(AnyOrderError, match="no valid one .the first: chat.jsonl, line 1"):
        import_chats([file_of(tmp_path, turns("a"))], tmp_path / "data", ImportSpec(skip_bad_lines=True))


def test_what_is_written_is_read_back_exactly_and_the_same_bytes_each_time(tmp_path):
    path = file_of(tmp_path, ETO, AGENTGYM, *[turns(f"task {n}", "a", "ö\n\u2028", "b") for n in range(60)])
    spec = ImportSpec(validation=0.2, test=0.2)
    manifest = import_chats([path], tmp_path / "data", spec)
    import_chats([path], tmp_path / "again", spec)
    for file in (tmp_path / "data").iterdir():
        assert file.read_bytes() == (tmp_path / "again" / file.name).read_bytes()
    assert read_manifest(tmp_path / "data") == manifest and manifest.complete
    lines = list(read_chat(path, "sharegpt"))
    stored = [t for name in manifest.splits for t in read_text_split(tmp_path / "data", name)]
    assert sorted(stored, key=lambda t: t.source) == sorted(lines, key=lambda t: t.source)
    with pytest.raises(AnyOrderError, match="holds a data set already"):
        import_chats([path], tmp_path / "data", spec)


def test_text_is_not_read_as_a_grid_and_damage_is_named(tmp_path):
    folder = tmp_path / "data"
    import_chats([file_of(tmp_path, ETO)], folder, ImportSpec(validation=0, test=0))
    with pytest.raises(AnyOrderError, match="the data set must be one of grid; found one of text"):
        read_split(folder, "train")
    with pytest.raises(AnyOrderError, match="no split 'test'; it has train; .* a higher --test of"):
        read_text_split(folder, "test")
    (folder / "train-00000000.parquet").write_bytes(b"damaged")
    with pytest.raises(AnyOrderError, match="is damaged .*import the same files again"):
        read_text_split(folder, "train")
    content = json.loads((folder / MANIFEST).read_text())
    (folder / MANIFEST).write_text(json.dumps(content | {"format_version": 9}))
    with pytest.raises(AnyOrderError, match="format version 9; this anyorder knows 1, 2"):
        read_text_split(folder, "train")


def test_attempts_at_one_task_lie_in_one_split(tmp_path):
    lines = [turns(f"task  {n % 20}" if n % 2 else f"task {n % 20} ", f"answer {n}") for n in range(100)]
    manifest = import_chats([file_of(tmp_path, *lines)], tmp_path / "data", ImportSpec(validation=0.3, test=0.3))
    tasks = [{task_of(t) for t in read_text_split(tmp_path / "data", name)} for name in manifest.splits]
    assert len(tasks) == 3 and sum(map(len, tasks)) == len(set().union(*tasks)) == 20


def test_shares_and_seed_of_the_split():
    spec, other = ImportSpec(validation=0.1, test=0.2), ImportSpec(validation=0.1, test=0.2, seed=1)
    all_of = [
        TextTrajectory(str(n), (Turn("mission", "user", str(n), False), Turn("action", "assistant", "a", True)))
        for n in range(4000)
    ]
    splits = [split_of(one, spec) for one in all_of]
    assert abs(splits.count("test") / 4000 - 0.2) < 0.04 and abs(splits.count("validation") / 4000 - 0.1) < 0.03
    assert splits != [split_of(one, other) for one in all_of]


@pytest.mark.skipif(not FIREACT.exists(), reason="the file is not here")
def test_fireact(tmp_path):
    manifest = import_chats([FIREACT], tmp_path / "data", ImportSpec())
    assert manifest.spec["inputs"][0]["format"] == "openai" and not manifest.spec["skipped_lines"]
    splits = {name: read_text_split(tmp_path / "data", name) for name in manifest.splits}
    every = [trajectory for split in splits.values() for trajectory in split]
    assert len(every) == 2063 and len({trajectory.source for trajectory in every}) == 2063
    tasks = [{task_of(trajectory) for trajectory in split} for split in splits.values()]
    assert sum(map(len, tasks)) == len(set().union(*tasks)) == 1771
    assert sum(json.loads(trajectory.others).get("joined") is not None for trajectory in every) == 5
    lines = FIREACT.read_text().splitlines()
    for trajectory in every[::97]:
        messages = json.loads(lines[int(trajectory.source.split(":")[1]) - 1])["messages"]
        assert [turn.text for turn in trajectory.turns] == [message["content"] for message in messages]
