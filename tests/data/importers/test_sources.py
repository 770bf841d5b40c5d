"""Files of every kind hold the same conversations: JSON in all its layouts, tables, compressed files and folders of them."""

import bz2
import gzip
import json
import lzma
from datetime import datetime, timezone
from decimal import Decimal

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from chat_files import spoken, turns_of, write_chats

from anyorder.data.importers.chats.importing import ImportSpec, import_chats
from anyorder.data.importers.chats.reading import WrongLine, format_of, read_chat
from anyorder.data.importers.chats.sources import chat_files
from anyorder.data.text_storage import read_text_split
from anyorder.errors import AnyOrderError

LINES = [spoken(f"task {n}", f"act {n}", "seen", "end") for n in range(3)]
TEXT = "".join(json.dumps(line) + "\n" for line in LINES)
WHOLE = ImportSpec(validation=0, test=0)


def zstd(content):
    return pa.compress(content, "zstd", asbytes=True)


def table_of(lines):
    return pa.Table.from_pylist(lines)


def write_stream(path, lines):
    table = table_of(lines)
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_stream(file, table.schema) as writer:
        writer.write_table(table, max_chunksize=2)
    return path


def texts_of(path):
    return [[turn.text for turn in found.turns] for found in read_chat(path, format_of(path))]


EXPECTED = [[f"task {n}", f"act {n}", "seen", "end"] for n in range(3)]
LAYOUTS = {
    "lines": TEXT,
    "CRLF": TEXT.replace("\n", "\r\n"),
    "blank lines": "\n" + TEXT.replace("\n", "\n\n"),
    "byte order mark": "\ufeff" + TEXT,
    "array": json.dumps(LINES),
    "indented array": json.dumps(LINES, indent=1),
    "entry per line": "[\n" + ",\n".join(map(json.dumps, LINES)) + "\n]\n",
    "indented objects": "\n".join(json.dumps(line, indent=2) for line in LINES),
    "under one key": json.dumps({"data": LINES}, indent=1),
    "beside what the file says": json.dumps({"version": 2, "samples": LINES, "status": "success"}),
    "in a page of a viewer": json.dumps({"rows": [{"row_idx": n, "row": line} for n, line in enumerate(LINES)], "num": 3}),
    "conversations of their own": json.dumps({"conversations": LINES}),
    "lists of turns": "".join(json.dumps(line["messages"]) + "\n" for line in LINES),
    "array of lists": json.dumps([line["messages"] for line in LINES]),
    "JSON in JSON": "".join(json.dumps({"messages": json.dumps(line["messages"])}) + "\n" for line in LINES),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_json_in_every_layout(tmp_path, layout):
    path = tmp_path / "chat"
    path.write_bytes(LAYOUTS[layout].encode())
    assert texts_of(path) == EXPECTED


@pytest.mark.parametrize("compress", [gzip.compress, bz2.compress, lzma.compress, zstd])
@pytest.mark.parametrize("name", ["chat.jsonl.x", "chat"])
def test_compressed_files_are_known_by_their_first_bytes(tmp_path, compress, name):
    path = tmp_path / name
    path.write_bytes(compress(TEXT.encode()))
    assert texts_of(path) == EXPECTED


def test_one_conversation_in_a_file_is_one_row(tmp_path):
    path = tmp_path / "chat.json"
    for content in (LINES[0], LINES[0]["messages"]):
        for indent in (None, 2):
            path.write_text(json.dumps(content, indent=indent))
            assert texts_of(path) == EXPECTED[:1]


def test_tables(tmp_path):
    pq.write_table(table_of(LINES), tmp_path / "a.parquet", row_group_size=2)
    write_stream(tmp_path / "b.arrow", LINES)
    with pa.ipc.new_file(str(tmp_path / "c.arrow"), table_of(LINES).schema) as writer:
        writer.write_table(table_of(LINES))
    for path in sorted(tmp_path.iterdir()):
        assert texts_of(path) == EXPECTED


def test_nulls_of_a_table_are_not_there(tmp_path):
    """Arrow gives each turn the keys of all turns."""
    call = {"id": "1", "function": {"name": "weigh", "arguments": {"fruit": "plum"}}}
    other = {"id": "2", "function": {"name": "wait", "arguments": {"hours": 2}}}
    messages = [
        {"role": "user", "content": "Well?"},
        {"role": "assistant", "content": None, "tool_calls": [call, other]},
        {"role": "tool", "content": "done", "tool_call_id": "2"},
        {"role": "tool", "content": "30 g", "tool_call_id": "1", "loss": False},
        {"role": "assistant", "content": "Light.", "reasoning": "30"},
    ]
    path = tmp_path / "a.parquet"
    pq.write_table(table_of([{"messages": messages, "system": None}, {"messages": messages[:1], "system": "x"}]), path)
    found, wrong = read_chat(path, format_of(path))
    written = write_chats(tmp_path / "a.jsonl", {"messages": messages})
    (expected,) = read_chat(written, "openai")
    assert (found.turns, json.loads(found.others)) == (expected.turns, json.loads(expected.others))
    assert str(wrong).startswith("a.parquet, row 2: expected a trajectory: a trajectory must have at least one action; found")


def test_what_json_does_not_have_is_kept_as_text(tmp_path):
    fields = {"at": datetime(2024, 5, 1, tzinfo=timezone.utc), "cost": Decimal("0.10"), "raw": b"\xff", "utf": b"plum"}
    pq.write_table(table_of([LINES[0] | fields]), tmp_path / "a.parquet")
    manifest = import_chats([tmp_path / "a.parquet"], tmp_path / "data", WHOLE)
    (found,) = read_text_split(tmp_path / "data", "train")
    assert json.loads(found.others)["line"] == {"at": "2024-05-01T00:00:00+00:00", "cost": "0.10", "raw": "/w==", "utf": "plum"}
    assert [one["key"] for one in manifest.spec["kept_keys"]] == ["at", "cost", "raw", "utf"]


def test_a_folder_is_read_in_order_and_says_what_it_leaves_out(tmp_path):
    """As a clone of a repository of Hugging Face looks."""
    folder = tmp_path / "clone"
    for name in ("data", ".git"):
        (folder / name).mkdir(parents=True)
    for name in ("README.md", ".gitattributes", "dataset_infos.json", ".git/a.jsonl"):
        (folder / name).write_text("{}")
    pq.write_table(table_of(LINES[1:2]), folder / "data" / "train-00000-of-00002.parquet")
    pq.write_table(table_of(LINES[2:]), folder / "data" / "train-00001-of-00002.parquet")
    (folder / "data" / "extra.jsonl.gz").write_bytes(gzip.compress(json.dumps(LINES[0]).encode()))
    manifest = import_chats([folder], tmp_path / "out", WHOLE)
    names = ["data/extra.jsonl.gz", "data/train-00000-of-00002.parquet", "data/train-00001-of-00002.parquet"]
    assert [one["file"] for one in manifest.spec["inputs"]] == names
    assert [one.source for one in read_text_split(tmp_path / "out", "train")] == [f"{name}:1" for name in names]
    (note,) = [note for note in manifest.spec["notes"] if "not read" in note]
    assert not any("several splits" in note for note in manifest.spec["notes"])
    assert ".git, .gitattributes, README.md, dataset_infos.json" in note and manifest.env_id == "clone"


@pytest.mark.parametrize("split", ["", "train"])
def test_what_save_to_disk_wrote_is_read_without_its_cache(tmp_path, split):
    folder = tmp_path / "saved"
    (folder / split).mkdir(parents=True)
    if split:
        (folder / "dataset_dict.json").write_text(json.dumps({"splits": [split]}))
    names = ["data-00000-of-00002.arrow", "data-00001-of-00002.arrow"]
    (folder / split / "state.json").write_text(json.dumps({"_data_files": [{"filename": name} for name in names]}))
    (folder / split / "dataset_info.json").write_text("{}")
    write_stream(folder / split / names[0], LINES[:1])
    write_stream(folder / split / names[1], LINES[1:])
    write_stream(folder / split / "cache-3f2a.arrow", LINES)
    files, ignored = chat_files(folder)
    assert [file.path.name for file in files] == names and f"{split}/cache-3f2a.arrow".lstrip("/") in ignored
    assert [text for file in files for text in texts_of(file.path)] == EXPECTED


POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n"


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.parquet", b"PAR1 and no more", "a.parquet is damaged or cut off"),
        ("a.arrow", b"\xff\xff\xff\xff\x10\x00\x00\x00no", "a.arrow is damaged or cut off"),
        ("a.jsonl.gz", gzip.compress(TEXT.encode())[:-12], "a.jsonl.gz is damaged or cut off"),
        ("a.jsonl.xz", lzma.compress(TEXT.encode())[:-12], "a.jsonl.xz is damaged or cut off"),
        ("a.jsonl.zst", zstd(TEXT.encode())[:40], "a.jsonl.zst is damaged or cut off"),
        ("a.parquet", POINTER, "only the pointer to a file in Git LFS; fetch its content with `git lfs pull`"),
        ("a.jsonl", TEXT.encode("utf-16"), "must be UTF-8; found UTF-16"),
        ("a.jsonl", "\u00e9".encode("latin-1"), "expected UTF-8, found other bytes .*; convert the file, as with `iconv"),
        ("a.eval", b"PK\x03\x04" + bytes(99), "must hold JSON, Parquet or Arrow; found a zip archive, .*; unpack it"),
        ("a.db", b"SQLite format 3\0" + bytes(99), "found a database of SQLite; export its rows"),
        ("a.tar.gz", gzip.compress(bytes(257) + b"ustar" + bytes(250)), "found a tar archive; unpack it"),
        (
            "a.jsonl",
            TEXT.replace("}\n", "},\n").encode(),
            "a.jsonl, line 1: .* what is not JSON .*; delete the comma at its end",
        ),
        ("a.json", b'[{"messages": []},\n]', "a.json, line 2: .* what is not JSON .*; delete the comma before it"),
        ("a.jsonl", repr(LINES[0]).encode(), "as if Python's str had written it; write it with json.dumps"),
        ("a.jsonl", b"", "a.jsonl: expected JSON objects, one a line, or rows of a table, found none"),
        ("a.json", b'[\n{"messages": []},\n]\n', "a.json, line 3: expected a JSON object, found what is not JSON .*, column 1"),
        ("a.jsonl", b"a,b\n1,2\n", "a.jsonl, line 1: expected a JSON object, found what is not JSON"),
    ],
)
def test_files_that_cannot_be_read_say_why(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(AnyOrderError, match=message):
        import_chats([tmp_path / name], tmp_path / "data", WHOLE)
    assert not (tmp_path / "data").exists()


def test_a_folder_without_conversations_is_refused(tmp_path):
    folder = tmp_path / "notes"
    folder.mkdir()
    with pytest.raises(AnyOrderError, match="must hold conversations in files of .*; it is empty"):
        import_chats([folder], tmp_path / "data", WHOLE)
    (folder / "a.csv").write_text("a,b")
    with pytest.raises(AnyOrderError, match="must hold conversations in files of .*; found a.csv; name the files"):
        import_chats([folder], tmp_path / "data", WHOLE)


def test_files_of_a_folder_that_hold_no_conversation_can_be_left_out(tmp_path):
    """As beside the trajectories of an agent that mends bugs: the patches it made."""
    (tmp_path / "runs").mkdir()
    write_chats(tmp_path / "runs" / "a.traj", LINES[0])
    (tmp_path / "runs" / "preds.json").write_text(json.dumps({"a": {"model_patch": "x"}}))
    with pytest.raises(AnyOrderError, match=r"preds.json, line 1: .* leave the file out, as --skip_bad_lines true does"):
        import_chats([tmp_path / "runs"], tmp_path / "data", WHOLE)
    spec = ImportSpec(validation=0, test=0, skip_bad_lines=True)
    manifest = import_chats([tmp_path / "runs"], tmp_path / "data", spec)
    assert [line["file"] for line in manifest.spec["skipped_lines"]] == ["preds.json"]
    assert [one["file"] for one in manifest.spec["inputs"]] == ["a.traj"]


def test_what_a_file_says_of_all_rows_is_kept_with_each(tmp_path):
    (tmp_path / "a.json").write_text(json.dumps({"version": 2, "samples": LINES}))
    manifest = import_chats([tmp_path / "a.json"], tmp_path / "data", WHOLE)
    assert [(one["key"], one["count"]) for one in manifest.spec["kept_keys"]] == [("file.version", 3)]


def test_a_line_of_another_format_than_its_file_is_named(tmp_path):
    path = write_chats(tmp_path / "a.jsonl", {"prompt": "a", "response": "b"}, LINES[0])
    _, wrong = read_chat(path, format_of(path))
    assert "it looks like a line of the format openai" in wrong.reason


def test_what_repeats_in_a_folder_is_seen_across_its_files(tmp_path):
    """One conversation in each file, as agents write them; the acknowledgement is no action."""
    for number in range(8):
        line = spoken("You are a robot.", "Verstanden.", f"Task {number}", f"take {number}", "ok", "done")
        (tmp_path / f"{number}.traj").write_text(json.dumps(line, indent=1))
    manifest = import_chats([tmp_path], tmp_path / "out", WHOLE)
    found = read_text_split(tmp_path / "out", "train")
    assert [turn.part for turn in found[0].turns[:4]] == ["mission", "mission", "observation", "action"]
    assert len(found) == 8 and {one["num_trajectories"] for one in manifest.spec["inputs"]} == {1}


def test_splits_of_other_people_are_not_mixed_in_silence(tmp_path):
    for name in ("train", "test"):
        pq.write_table(table_of(LINES), tmp_path / f"{name}-00000-of-00001.parquet")
    manifest = import_chats([tmp_path], tmp_path / "out", WHOLE)
    assert any(note.startswith("files of several splits (train, test)") for note in manifest.spec["notes"])


def test_a_wrong_line_among_others_keeps_its_number(tmp_path):
    path = write_chats(tmp_path / "a.jsonl", LINES[0], '{"messages": [],}', "", LINES[1])
    found = list(read_chat(path, "openai"))
    assert [type(one) is WrongLine for one in found] == [False, True, False]
    assert str(found[1]).startswith("a.jsonl, line 2: expected a JSON object") and found[2].source == "a.jsonl:4"
    assert turns_of(found[2])[0] == ("mission", "task 1", False)
