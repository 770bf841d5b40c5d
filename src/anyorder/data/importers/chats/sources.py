"""Files of conversations, and the rows in them: from bytes to JSON values, each with its number.

A row is a line of JSON Lines, an entry of a JSON array, one of several JSON texts in a row, or a row of a table. What a
file holds is known by its first bytes, so its name may be anything. Compressed files are read as what they hold.
"""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import re
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa

from anyorder.data.importers.chats.arrow_rows import ARROW_FILE, ARROW_STREAM, PARQUET, table_rows
from anyorder.data.importers.chats.sessions import begins_session, sessions
from anyorder.data.importers.chats.speakers import ROLE_KEYS, role_of
from anyorder.data.importers.chats.values import BadLine, Keys, in_few_words, parse_json, plain
from anyorder.errors import AnyOrderError
from anyorder.files import explained

TABLES = (".parquet", ".arrow", ".feather")
TEXTS = (".jsonl", ".ndjson", ".json", ".traj")
COMPRESSED = (".gz", ".bz2", ".xz", ".zst")
ABOUT_DATA = {"state.json", "dataset_info.json", "dataset_infos.json", "dataset_dict.json"}
"""Files of JSON that describe a data set of Hugging Face and hold none of it."""
ABOUT_ACCOUNTS = {
    *("user.json", "users.json", "user_settings.json", "message_feedback.json", "shared_conversations.json"),
    *("model_comparisons.json", "projects.json", "memories.json", "shopping.json", "export_manifest.json"),
}
"""Files beside the conversations in an export of ChatGPT or Claude."""
EXPORTED = re.compile(r"conversations(-\d+)?\.json")
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
WHOLE_KEYS = ("data", "rows", "train", "examples", "samples", "trajectories", "episodes")
"""Plain names of the key under which a file of a single JSON object may hold its rows."""
WHOLE_IF_TURNS = ("conversations", "sessions", "chats", "dialogues", "dialogs", "threads", "simulations", "results")
"""The same, of keys whose entries must show that they are rows: each holds a list of turns."""
ABOUT_FILE = "file"
"""Begins the keys of rows that tell what the file says of all of them."""
OTHER_KINDS = {
    b"PK\x03\x04": "a zip archive, such as .zip, .xlsx and Inspect's .eval are; unpack it, and name the folder",
    b"SQLite format 3": "a database of SQLite; export its rows as JSON Lines",
    b"7z\xbc\xaf": "a 7z archive; unpack it, and name the folder",
    b"\x80\x04\x95": "a pickle, which may run code; write it as JSON Lines",
}
"""First bytes of files of other kinds -> what they are, and what to do."""
TAR, TAR_AT = b"ustar", 257
"""What stands at this place of a tar archive."""
LFS_POINTER = b"version https://git-lfs"
SLIPS = (
    ((",", ("]", "}", "")), "; delete the comma before it"),
    (("}", (",",)), "; delete the comma at its end"),
    (("", ("'",)), "; it looks as if Python's str had written it; write it with json.dumps"),
)
"""What stands before and after an error in JSON -> what to do about it."""
DAMAGED = (EOFError, zlib.error, lzma.LZMAError, pa.ArrowException)
"""What readers raise for a damaged file, beside errors of the operating system's kind without its number."""

_OPENERS: dict[bytes, Callable[[Path], Any]] = {
    b"\x1f\x8b": gzip.open,
    b"BZh": bz2.open,
    b"\xfd7zXZ\0": lzma.open,
    # Python reads zstd from 3.14 on; Arrow does everywhere.
    b"\x28\xb5\x2f\xfd": lambda path: io.BufferedReader(pa.CompressedInputStream(pa.OSFile(str(path)), "zstd")),
}


@dataclass(frozen=True)
class ChatFile:
    """A file to import.

    Attributes:
        path: of the file.
        name: how messages, sources and the manifest name it: its path inside the folder that was named, or its name.
    """

    path: Path
    name: str


def row_place(file: str, number: int) -> str:
    """Where a row stands, in words: ``a.jsonl, line 3`` or ``a.parquet, row 3``."""
    return f"{file}, {'row' if file.endswith(TABLES) else 'line'} {number}"


def chat_files(path: Path) -> tuple[list[ChatFile], list[str]]:
    """The files of conversations that an input names, and the names of what is left out of a folder.

    Folders are searched to any depth, in the order of the names. Hidden files and folders are left out, and so is all that
    is no table and no JSON. Of a data set that Hugging Face's ``save_to_disk`` wrote, the files count that its
    ``state.json`` names: others beside them are a cache. Of an export of ChatGPT or Claude, what is about the account is left
    out.

    Raises:
        AnyOrderError: for a folder without such files.
    """
    if not path.is_dir():
        return [ChatFile(path, path.name)], []
    found, ignored = _search(path, path)
    if not found:
        held = f"found {', '.join(ignored[:5])}" if ignored else "it is empty"
        raise AnyOrderError(
            f"the folder {path} must hold conversations in files of {', '.join((*TEXTS, *TABLES))}, compressed or not, or a"
            f" data set of Minari (with metadata.json) or LeRobot (with meta/info.json); {held}; name the files themselves if"
            " they have other names, or write arrays with anyorder.data.arrays.write_arrays"
        )
    return found, ignored


def rows_of(path: Path) -> Iterator[tuple[int, Any]]:
    """The rows of a file, each with its number from 1: a JSON value, or a `BadLine` that says why it is none.

    Raises:
        AnyOrderError: for a file that cannot be read, or is damaged.
    """
    try:
        with open(path, "rb") as file:
            start = file.read(32)
        if start.startswith(LFS_POINTER):
            raise AnyOrderError(f"{path} is only the pointer to a file in Git LFS; fetch its content with `git lfs pull`")
        if start.startswith((b"\xff\xfe", b"\xfe\xff")):
            raise AnyOrderError(f"{path} must be UTF-8; found UTF-16; convert it, as with `iconv -f UTF-16 -t UTF-8`")
        if other := next((what for magic, what in OTHER_KINDS.items() if start.startswith(magic)), None):
            raise AnyOrderError(f"{path} must hold JSON, Parquet or Arrow; found {other}")
        if start.startswith((PARQUET, ARROW_FILE, ARROW_STREAM)):
            yield from enumerate(table_rows(path, start), start=1)
        else:
            with _opened(path, start) as file:
                if file.peek(TAR_AT + len(TAR))[TAR_AT:].startswith(TAR):  # type: ignore[attr-defined]
                    raise AnyOrderError(f"{path} must hold JSON; found a tar archive; unpack it, and name the folder")
                yield from _json_rows(file)
    except (*DAMAGED, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise AnyOrderError(f"could not read {path}: {explained(error)}") from None
        raise AnyOrderError(f"{path} is damaged or cut off ({_first_line(error)}); copy or download it again") from None


def _search(folder: Path, root: Path) -> tuple[list[ChatFile], list[str]]:
    found: list[ChatFile] = []
    ignored: list[str] = []
    named = _named_by_state(folder)
    try:
        entries = sorted(folder.iterdir())
    except OSError as error:
        raise AnyOrderError(f"could not read {folder}: {explained(error)}") from None
    other = ABOUT_ACCOUNTS if any(EXPORTED.fullmatch(path.name) for path in entries) else set()
    for path in entries:
        name = path.relative_to(root).as_posix()
        if path.name.startswith("."):
            ignored.append(name)
        elif path.is_dir():
            inner, left = _search(path, root)
            found, ignored = found + inner, ignored + left
        elif _holds_rows(path.name) and (named is None or path.name in named) and path.name not in other:
            found.append(ChatFile(path, name))
        else:
            ignored.append(name)
    return found, ignored


def _holds_rows(name: str) -> bool:
    for suffix in COMPRESSED:
        name = name.removesuffix(suffix)
    return name.lower().endswith(TEXTS + TABLES) and name not in ABOUT_DATA


def _named_by_state(folder: Path) -> set[str] | None:
    """The files that ``save_to_disk`` named; None where it did not write this folder."""
    try:
        state = json.loads((folder / "state.json").read_text(encoding="utf-8"))
        return {Path(file["filename"]).name for file in state["_data_files"]}
    except (OSError, ValueError, LookupError, TypeError):
        return None


def _opened(path: Path, start: bytes) -> BinaryIO:
    opener = next((opener for magic, opener in _OPENERS.items() if start.startswith(magic)), None)
    return opener(path) if opener else path.open("rb")


def _json_rows(file: BinaryIO) -> Iterator[tuple[int, Any]]:
    lines = ((number, text) for number, text in enumerate(file, start=1) if text.removeprefix(BYTE_ORDER_MARK).strip())
    first, second = next(lines, None), next(lines, None)
    if first is None:
        return
    if second is None or (not _is_whole(first[1]) and not _is_whole(second[1])):
        yield from _whole_rows([one for one in (first, second) if one is not None], lines)
    else:
        rows = ((number, _parsed(text)) for number, text in chain((first, second), lines))
        yield from sessions(rows) if begins_session(_parsed(first[1])) else rows


def _is_whole(text: bytes) -> bool:
    """True for a line that is an object or an array of its own."""
    return isinstance(_parsed(text), (dict, list))


def _whole_rows(first: list[tuple[int, bytes]], lines: Iterator[tuple[int, bytes]]) -> Iterator[tuple[int, Any]]:
    """The rows of a file whose lines are no JSON of their own: one JSON text over several lines, or several of them.

    Args:
        first: the lines that were looked at, with their numbers.
        lines: those after them.
    """
    numbered = [*first, *lines]
    try:
        text = b"\n".join(line.rstrip(b"\r\n") for _, line in numbered).decode("utf-8-sig")
        values = list(_values(text))
    except (UnicodeDecodeError, BadLine, RecursionError):
        yield from ((number, _parsed(line)) for number, line in numbered)
        return
    except json.JSONDecodeError as error:
        if len(numbered) > 1:  # all that follows the error is lost with it
            yield numbered[min(error.lineno, len(numbered)) - 1][0], BadLine(_not_json(error))
        else:
            yield numbered[0][0], _parsed(numbered[0][1])
        return
    held = values[0] if len(values) == 1 else values
    if isinstance(held, list) and held and begins_session(held[0]):
        yield from sessions(enumerate(map(_row, held), start=1))
    else:
        yield from enumerate(map(_row, _rows_within(held)), start=1)


def _values(text: str) -> Iterator[Any]:
    """The JSON values that follow one another in a text."""
    decoder, place = json.JSONDecoder(), 0
    while rest := text[place:].lstrip():
        place = len(text) - len(rest)
        try:
            _, end = decoder.raw_decode(text, place)
        except json.JSONDecodeError:
            raise
        except ValueError as error:
            raise BadLine(str(error)) from None
        yield parse_json(text[place:end])
        place = end


def _rows_within(value: Any) -> list[Any]:
    """The rows of a file that holds one JSON value: an array of rows, the one list under `WHOLE_KEYS`, or a single row. What
    stands beside such a list is said of each of its rows."""
    if isinstance(value, list):
        return [value] if _are_turns(value) else value
    keys = Keys(value if isinstance(value, dict) else {})
    for key in keys.find((*WHOLE_KEYS, *WHOLE_IF_TURNS)):
        rows = keys.left[key]
        alone = len(keys.left) == 1 and plain(key) in WHOLE_KEYS
        if isinstance(rows, list) and rows and (all(map(_holds_turns, rows)) or (alone and all(map(_is_row, rows)))):
            about = {f"{ABOUT_FILE}.{name}": held for name, held in keys.left.items() if name != key}
            return [{**about, **row} if about else row for row in rows]
    return [value]


def _is_row(value: Any) -> bool:
    return isinstance(value, (dict, list))


def _holds_turns(row: Any) -> bool:
    """True for an object with a list of turns, perhaps inside another object."""
    held = list(row.values()) if isinstance(row, dict) else []
    inner = [one for value in held if isinstance(value, dict) for one in value.values()]
    return any(isinstance(one, list) and one and _are_turns(one) for one in held + inner)


def _are_turns(values: list[Any]) -> bool:
    """True where the entries of an array are not conversations, but the turns of one."""
    if not all(
        isinstance(one, dict) and not any(isinstance(held, list) and _are_turns(held) for held in one.values())
        for one in values
    ):
        return False
    said = [one[key] for one in values for key in Keys(one).find((*ROLE_KEYS, "type"))[:1]]
    return len(said) == len(values) and any(role_of(name, {}) for name in said)


def _parsed(text: bytes) -> Any:
    """The value of a line, or a `BadLine`."""
    try:
        value = parse_json(text.decode("utf-8-sig"))
    except BadLine as error:
        return error
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        return BadLine(_not_json(error))
    return _row(value)


def _row(value: Any) -> Any:
    """A JSON value that may be a row, or a `BadLine`."""
    if _is_row(value):
        return value
    return BadLine(f"expected a JSON object, found {type(value).__name__} ({in_few_words(value)})")


def _not_json(error: Exception) -> str:
    if isinstance(error, UnicodeDecodeError):
        return f"expected UTF-8, found other bytes ({_first_line(error)}); convert the file, as with `iconv -f LATIN1 -t UTF-8`"
    if not isinstance(error, json.JSONDecodeError):
        return f"expected a JSON object, found what is not JSON ({_first_line(error)})"
    before, after = error.doc[: error.pos].rstrip(), error.doc[error.pos : error.pos + 1]
    advice = next((said for found, said in SLIPS if before.endswith(found[0]) and after in found[1]), "")
    return f"expected a JSON object, found what is not JSON ({error.msg}, column {error.colno}){advice}"


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
