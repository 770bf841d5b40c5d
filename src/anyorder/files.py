"""Reading and writing files. A file is written whole or not at all: under a temporary name first, which is then renamed."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

from anyorder.errors import AnyOrderError
from anyorder.parsing import Unreadable, from_json, from_yaml

ParsedT = TypeVar("ParsedT")


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path; on success it becomes ``path``, on any error it is removed and ``path`` is untouched.

    Raises:
        AnyOrderError: when the disk is full or the folder cannot be written.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        os.replace(temporary, path)
    except OSError as error:
        raise AnyOrderError(
            f"could not write {path}: {error.strerror or error}; free some space or choose another folder"
            " (what was there before is untouched)"
        ) from error
    finally:
        with suppress(OSError):  # a parent that is a file, a disk gone read-only: the error above tells the user
            temporary.unlink(missing_ok=True)


def write_json(path: Path, content: Any) -> None:
    """Write ``content`` as indented JSON, atomically."""
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(content, indent=2) + "\n")


def read_json(path: Path) -> Any:
    """The content of a JSON file; a missing or damaged file raises an AnyOrderError that names it."""
    return parsed(from_json, read_text(path), f"{path} is not valid JSON", "restore the file or make it again")


def read_yaml(path: Path) -> Any:
    """The content of a YAML file; a missing or damaged file raises an AnyOrderError that names it."""
    return parsed(from_yaml, read_text(path), f"{path} is not valid YAML", "correct it")


def read_text(path: Path) -> str:
    """The text in a file; a missing file, or one that is not UTF-8, raises an AnyOrderError that names it."""
    try:
        return Path(path).read_text(encoding="utf-8")
    except FileNotFoundError:
        raise AnyOrderError(f"there is no file {path}") from None
    except OSError as error:
        raise AnyOrderError(f"could not read {path}: {error.strerror or error}") from None
    except UnicodeDecodeError as error:
        raise AnyOrderError(f"{path} must be text in UTF-8; found other bytes ({error}); restore or convert the file") from None
    except ValueError as error:  # a path that no file can have
        raise AnyOrderError(f"could not read {str(path)!r}: {error}; check how the path is spelled") from None


def parsed(parse: Callable[[str], ParsedT], text: str, problem: str, advice: str) -> ParsedT:
    """What a function of `anyorder.parsing` finds in a text; if it finds nothing, an AnyOrderError says the problem, the
    reason and the advice."""
    try:
        return parse(text)
    except Unreadable as reason:
        raise AnyOrderError(f"{problem} ({reason}); {advice}") from None


def sha256(path: Path) -> str:
    """Hexadecimal SHA-256 of a file's bytes."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() if hasattr(hashlib, "file_digest") else _digest(file)


def _digest(file: Any) -> str:  # Python 3.10 has no hashlib.file_digest
    digest = hashlib.sha256()
    while block := file.read(1 << 20):
        digest.update(block)
    return digest.hexdigest()
