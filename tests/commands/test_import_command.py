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


def test_a_folder_with_its_own_speakers_and_keys(tmp_path, capsys):
    folder = tmp_path / "chats"
    folder.mkdir()
    line = {"messages": [{"role": "user", "content": "task"}, {"role": "expert", "content": "answer", "mood": 1}], "site": "x"}
    (folder / "a.jsonl").write_text(json.dumps(line))
    (folder / "README.md").write_text("Chats.")
    command = ["import", "--input", str(folder), "--output_dir", str(tmp_path / "data"), "--validation", "0", "--test", "0"]
    with pytest.raises(SystemExit):
        main(command)
    assert "--roles '{expert: assistant}'" in capsys.readouterr().err
    main([*command, "--roles", "{expert: assistant}"])
    out, err = capsys.readouterr()
    table = [[cell.strip() for cell in row.split("\u2502")[1:-1]] for row in out.splitlines() if row.startswith("\u2502")]
    assert table == [["site", "line", "1"], ["mood", "turn", "1"]] and "rename it to loss" in out
    assert "README.md" in err


def test_empty_splits_are_said(tmp_path, capsys):
    (tmp_path / "a.jsonl").write_text((json.dumps(LINE) + "\n") * 3)
    main(["import", "--input", str(tmp_path / "a.jsonl"), "--output_dir", str(tmp_path / "data")])
    assert "all 3 conversations have one task" in capsys.readouterr().err
