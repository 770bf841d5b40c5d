"""``anyorder import``: conversations in, a data set out; every bad input ends in one sentence."""

import json

import pytest

from anyorder.cli import main
from anyorder.data.text_storage import read_text_split

LINE = {"messages": [{"role": "user", "content": "task"}, {"role": "assistant", "content": "answer"}]}


def test_importing_two_files(tmp_path, capsys):
    for name in "ab":
        (tmp_path / f"{name}.jsonl").write_text(json.dumps(LINE) + "\n")
    (tmp_path / "b.jsonl").write_text("{}\n" + json.dumps(LINE) + "\n")
    files, folder = f"[{tmp_path}/a.jsonl, {tmp_path}/b.jsonl]", tmp_path / "data"
    command = ["import", "--input", files, "--output_dir", str(folder), "--validation", "0", "--test", "0"]
    with pytest.raises(SystemExit) as stopped:
        main(command)
    assert stopped.value.code == 2
    said = capsys.readouterr().err
    assert "anyorder: b.jsonl, line 1: expected a list of turns as messages" in said and said.count("\n") == 1
    main([*command, "--skip_bad_lines", "true"])
    said = capsys.readouterr().out
    assert "2 trajectories" in said and "1 lines left out" in said
    assert [t.source for t in read_text_split(folder, "train")] == ["a.jsonl:1", "b.jsonl:2"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--output_dir", "x"], "input"),
        (["--input", "nothing.jsonl", "--output_dir", "x"], "could not read nothing.jsonl"),
        (["--input", "[]", "--output_dir", "x"], "at least one file"),
        (["--input", "a", "--output_dir", "x", "--format", "csv"], "the format must be one of auto"),
    ],
)
def test_bad_input_ends_in_one_sentence(tmp_path, monkeypatch, capsys, arguments, message):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as stopped:
        main(["import", *arguments])
    said = capsys.readouterr().err
    assert stopped.value.code == 2 and message in said and said.count("\n") == 1
    assert not (tmp_path / "x").exists()
