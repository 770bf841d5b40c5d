"""The Python of docs/data.md runs and prints what the page prints; a model trains on what it wrote."""

import re
from pathlib import Path

from anyorder.cli import main
from anyorder.data.arrays import EPISODE_KEYS
from anyorder.envs.recording import SUCCESS_KEYS

PAGE = (Path(__file__).parent.parent / "docs" / "data.md").read_text()


def test_the_page_runs_and_a_model_trains(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (block,) = re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL)
    (printed,) = re.findall(r"```\n(mission goal.*?)```", PAGE, flags=re.DOTALL)
    exec(compile(block, "data.md", "exec"), {})
    assert capsys.readouterr().out == printed
    small = ["--model.width", "16", "--model.num_layers", "1", "--model.num_heads", "2", "--training.num_epochs", "1"]
    one = ["--training.num_processes", "1", "--training.num_threads", "1"]
    main(["train", "--data.path", "data/thermostat", "--output_dir", "run", *small, *one])
    assert list((tmp_path / "run" / "checkpoints").glob("best*"))


def test_the_page_names_what_there_is():
    for name in (*EPISODE_KEYS[3:], *SUCCESS_KEYS):
        assert f"`{name}`" in PAGE
