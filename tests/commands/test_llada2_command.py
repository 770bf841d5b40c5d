"""``anyorder llada2``: memory, check, merge, split; every bad input ends in one sentence."""

import json
import shutil
from pathlib import Path

import pytest

from anyorder.cli import main

REFERENCE = Path(__file__).parents[1] / "models" / "language" / "llada2" / "reference"
MINI = str(Path(__file__).parents[2] / "configs" / "models" / "llada2_mini.yaml")


@pytest.fixture
def model(tmp_path):
    folder = tmp_path / "model"
    folder.mkdir()
    shutil.copy(REFERENCE / "b_config.json", folder / "config.json")
    shutil.copy(REFERENCE / "b_weights.safetensors", folder / "model.safetensors")
    return folder


def test_the_memory_of_a_model(model, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "150")
    main(["llada2", "memory", MINI, "--gpus", "4"])
    said = capsys.readouterr().out
    assert "16.3B parameters, 1.43B at work" in said and "each of 4 GPUs" in said
    rows = [line.split()[1] for line in said.splitlines() if line.startswith("│")]
    assert rows == ["full", "full,", "lora", "inference"]
    main(["llada2", "memory", str(model)])
    assert "each of 8 GPUs" in capsys.readouterr().out


def test_checking_merging_and_splitting(model, capsys):
    main(["llada2", "check", str(model)])
    main(["llada2", "merge", str(model), str(model.parent / "merged")])
    main(["llada2", "split", str(model.parent / "merged"), str(model.parent / "again")])
    main(["llada2", "check", str(model.parent / "again")])
    said = capsys.readouterr().out.splitlines()
    assert said[0].endswith("asks for") and said[0].split(" ", 1)[1] == said[3].split(" ", 1)[1]
    assert said[1:3] == [f"wrote {model.parent / 'merged'}", f"wrote {model.parent / 'again'}"]


BAD = {
    "no action": (["paint", "MODEL"], "must be one of memory, check, merge, split; found paint"),
    "no target": (["merge", "MODEL"], "must be given a new folder"),
    "a target too many": (["check", "MODEL", "MODEL"], "must be given a new folder"),
    "nothing there": (["check", "MODEL/nowhere"], "there is no file"),
    "target exists": (["merge", "MODEL", "MODEL"], "exists already"),
    "not merged": (["split", "MODEL", "MODEL/new"], "lacks the tensor"),
    "no GPUs": (["memory", "MODEL", "--gpus", "0"], "at least 1"),
    "unknown option": (["memory", "MODEL", "--colour", "red"], "unknown option colour"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_ends_in_one_sentence(model, capsys, case):
    arguments, complaint = BAD[case]
    with pytest.raises(SystemExit) as stopped:
        main(["llada2", *(word.replace("MODEL", str(model)) for word in arguments)])
    said = capsys.readouterr().err.strip().splitlines()[-1]
    assert stopped.value.code == 2 and complaint in said


def test_a_configuration_that_cannot_be_honoured(model, capsys):
    settings = json.loads((model / "config.json").read_text()) | {"score_function": "softmax"}
    (model / "config.json").write_text(json.dumps(settings))
    with pytest.raises(SystemExit):
        main(["llada2", "check", str(model)])
    assert "score_function is 'softmax'" in capsys.readouterr().err
