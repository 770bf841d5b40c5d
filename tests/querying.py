"""What `anyorder query` answers, and how it refuses."""

import json

import pytest
from said import without_notes

from anyorder.cli import main


def query_answer(checkpoint, folder, capsys, *options):
    """What is written, and what is printed."""
    path = folder / "answer.json"
    main(["query", "--checkpoint", str(checkpoint), "--output", str(path), *map(str, options)])
    return json.loads(path.read_text()), capsys.readouterr().out


def query_complaint(checkpoint, capsys, *options):
    """The one line of a refusal."""
    with pytest.raises(SystemExit) as ending:
        main(["query", "--checkpoint", str(checkpoint), *map(str, options)])
    said = without_notes(capsys.readouterr().err)
    assert ending.value.code == 2 and said.count("\n") == 1 and said.startswith("anyorder: ")
    return said
