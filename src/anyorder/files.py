"""Reading and writing files. A file is written whole or not at all: under a temporary name first, which is then renamed."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

from anyorder.errors import AnyOrderError
from anyorder.parsing import Unreadable, from_json, from_yaml

ParsedT = TypeVar("ParsedT")

LEFT_BEHIND = re.compile(r"\.(?P<name>.+)\.(?P<what>\d+|new|old)\.tmp")
"""Temporary names: of a file that a process writes, of a folder that is being filled, of a folder that makes room."""
ADVICE = {
    "free some space or choose another folder": (errno.ENOSPC, errno.EDQUOT, errno.EFBIG),
    "choose a folder that you may write to, or change its permissions": (errno.EACCES, errno.EPERM, errno.EROFS),
    "a part of that path is a file; choose another path": (errno.ENOTDIR, errno.EEXIST),
    "that is a folder; name a file": (errno.EISDIR,),
    "check how the path is spelled": (errno.ENOENT, errno.ELOOP, errno.EINVAL),
    "choose a shorter name": (errno.ENAMETOOLONG,),
    "raise the number of files that may be open (ulimit -n)": (errno.EMFILE, errno.ENFILE),
}
"""What to do about what an operating system says."""
DIGEST = "sha256"
"""The key of digests, in results, in the metadata of a file and in a header. Files of before have none."""


def explained(error: OSError) -> str:
    """What happened to which file, and what to do about it."""
    where = f": {error.filename}" if error.filename else ""
    return f"{_reason(error)}{where}; {_advice(error)}"


def _reason(error: OSError) -> str:
    return " ".join((error.strerror or str(error) or type(error).__name__).split())


def _advice(error: OSError) -> str:
    number = error.errno
    if number is None and (found := re.search(r"os error (\d+)", str(error))):  # as libraries in Rust say it
        number = int(found[1])
    return next((advice for advice, numbers in ADVICE.items() if number in numbers), "choose another path")


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
            f"could not write {path}: {_reason(error)}; {_advice(error)} (what was there before is untouched)"
        ) from error
    finally:
        with suppress(OSError):  # a parent that is a file, a disk gone read-only: the error above tells the user
            temporary.unlink(missing_ok=True)


def new_folder(target: Path) -> Path:
    """A folder to fill, beside the one that it will replace; nothing is in it. `replace_folder` puts it in place."""
    new = target.with_name(f".{target.name}.new.tmp")
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir(parents=True)
    return new


def replace_folder(new: Path, target: Path) -> None:
    """Put a folder in the place of another. If the process dies meanwhile, `finish_replacing` brings one of them back."""
    finish_replacing(target)
    if target.exists():
        target.rename(_old(target))
    new.rename(target)
    shutil.rmtree(_old(target), ignore_errors=True)


def finish_replacing(target: Path) -> None:
    """Bring the old folder back if a process died after it had made room and before the new one took its place; else remove
    what is left of the old one."""
    if not target.exists() and _old(target).exists():
        _old(target).rename(target)
    shutil.rmtree(_old(target), ignore_errors=True)


def _old(target: Path) -> Path:
    return target.with_name(f".{target.name}.old.tmp")


def sweep(folder: Path) -> None:
    """Remove what processes that were killed left half written in a folder. Only who holds its lock may call this."""
    for path in Path(folder).glob(".*.tmp"):
        found = LEFT_BEHIND.fullmatch(path.name)
        if found and found["what"] == "old":
            finish_replacing(path.with_name(found["name"]))
        elif found and found["what"] == "new":
            shutil.rmtree(path, ignore_errors=True)
        elif found and not _is_alive(int(found["what"])):
            with suppress(OSError):
                path.unlink()


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True


def differences(there: Any, here: Any, key: str = "") -> list[str]:
    """In which keys two nested dictionaries differ, each with both values: ``training.seed: 0 there, 1 here``."""
    if isinstance(there, dict) and isinstance(here, dict):
        names = [str(name) for name in dict.fromkeys([*there, *here])]
        return [found for name in names for found in differences(there.get(name), here.get(name), f"{key}.{name}".lstrip("."))]
    return [] if there == here else [f"{key}: {_brief(there)} there, {_brief(here)} here"]


def _brief(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


def write_json(path: Path, content: Any) -> None:
    """Write ``content`` as indented JSON, atomically."""
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(content, indent=2) + "\n")


def read_json(path: Path) -> Any:
    """The content of a JSON file; a missing or damaged file raises an AnyOrderError that names it."""
    return parsed(from_json, read_text(path), f"{path} is not valid JSON", "restore the file or make it again")


def write_result(path: Path, content: Mapping[str, Any]) -> None:
    """Write what was measured as indented JSON, atomically, with a digest by which `read_result` knows it again."""
    write_json(path, {**content, DIGEST: json_digest(dict(content))})


def read_result(path: Path) -> dict[str, Any]:
    """What `write_result` wrote; earlier results, which have no digest, are returned as they are.

    Raises:
        AnyOrderError: when the file is missing, damaged or changed.
    """
    content = read_json(path)
    if not isinstance(content, dict):
        raise AnyOrderError(f"{path} is damaged: it must hold a mapping; found {type(content).__name__}; make it anew")
    expected = content.pop(DIGEST, None)
    if expected is not None and expected != json_digest(content):
        raise AnyOrderError(
            f"{path} is damaged or changed (its SHA-256 is not the one it was written with); restore it or make it anew"
        )
    return content


def json_digest(content: Any) -> str:
    """Hexadecimal SHA-256 of JSON values, however a file spells them."""
    as_read = from_json(json.dumps(content))
    return hashlib.sha256(json.dumps(as_read, sort_keys=True).encode()).hexdigest()


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
        raise AnyOrderError(f"could not read {path}: {_reason(error)}; {_advice(error)}") from None
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
