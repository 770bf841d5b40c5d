"""What the operating system says is followed by what helps."""

import errno
import os

import pytest

from anyorder.errors import AnyOrderError
from anyorder.files import differences, explained, replacing


@pytest.mark.parametrize(
    ("number", "advice"),
    [
        (errno.ENOSPC, "free some space"),
        (errno.EDQUOT, "free some space"),
        (errno.EACCES, "permissions"),
        (errno.EROFS, "choose a folder that you may write to"),
        (errno.ENOTDIR, "a part of that path is a file"),
        (errno.EISDIR, "name a file"),
        (errno.EMFILE, "ulimit"),
    ],
)
def test_the_advice_fits_the_error(tmp_path, number, advice):
    error = OSError(number, os.strerror(number), "some/file")
    assert advice in explained(error) and "some/file" in explained(error)
    assert ("free some space" in explained(error)) == (number in (errno.ENOSPC, errno.EDQUOT))
    with pytest.raises(AnyOrderError, match=advice), replacing(tmp_path / "file"):
        raise error


def test_libraries_that_put_the_number_into_their_text_are_understood():
    assert "free some space" in explained(OSError("Error: I/O error: No space left on device (os error 28)"))


def test_differences_are_named_down_to_the_key():
    there, here = {"a": {"b": 1, "c": [2]}, "d": 3}, {"a": {"b": 2, "c": [2]}, "e": "x" * 1000}
    found = differences(there, here)
    assert found[:2] == ["a.b: 1 there, 2 here", "d: 3 there, None here"]
    assert found[2].startswith("e: None there, xxx") and len(found[2]) < 120
    assert differences(there, there) == []
