"""``anyorder import`` and ``anyorder export`` of recorded episodes; a grid model trains on what Minari recorded."""

import json
import sys
import zipfile
from pathlib import Path

import pytest

from anyorder.cli import main
from anyorder.data.manifest import read_manifest

RECORDINGS = Path(__file__).parents[1] / "data" / "recordings"
TINY = """
data: {{path: {data}}}
masking: {{mixture: {{cell: 0.5, next_action: 0.5}}}}
model: {{width: 16, num_layers: 1, num_heads: 2}}
training: {{num_epochs: 1, num_processes: 1, num_threads: 1}}
"""

pytest.importorskip("minari", reason="Minari needs Python 3.11; `pip install 'anyorder[minari]'`")


@pytest.fixture(autouse=True)
def recordings(tmp_path, monkeypatch):
    """Two recordings of Minari's collector in its local folder."""
    root = tmp_path / "minari"
    for name in ("babyai_text", "arm_hdf5"):
        with zipfile.ZipFile(RECORDINGS / f"{name}.zip") as archive:
            archive.extractall(root / "recorded" / f"{name}-v0")
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(root))
    monkeypatch.chdir(tmp_path)


def complaint(capsys, *arguments):
    capsys.readouterr()
    with pytest.raises(SystemExit) as stopped:
        main(list(arguments))
    said = capsys.readouterr().err
    assert stopped.value.code == 2 and said.count("\n") == 1
    return said


def test_a_grid_model_trains_on_what_minari_recorded(tmp_path, capsys):
    main(
        ["import", "--input", "minari:recorded/babyai_text-v0", "--output_dir", "data", "--validation", "0.2", "--test", "0.2"]
    )
    said = capsys.readouterr()
    assert "BabyAI-GoToRedBall-v0 in data" in said.out and said.err == ""
    assert {"train", "validation", "test"} == set(read_manifest(tmp_path / "data").splits)
    (tmp_path / "tiny.yaml").write_text(TINY.format(data="data"))
    main(["train", "--config", "tiny.yaml", "--output_dir", "run"])
    capsys.readouterr()
    checkpoint = next((tmp_path / "run" / "checkpoints").glob("best*"))
    main(["evaluate", "--checkpoint", str(checkpoint), "--metric", "world_model_nll", "--output_dir", "found"])
    (result,) = [json.loads(path.read_text()) for path in (tmp_path / "found").glob("*.json")]
    num_tested = read_manifest(tmp_path / "data").splits["test"].num_episodes
    assert result["forward"]["num_trajectories"] == num_tested > 0 and result["env_id"] == "BabyAI-GoToRedBall-v0"


def test_fields_go_in_out_and_in(tmp_path, capsys):
    leave_out = ["--data.fields.leave_out", '["camera"]', "--data.fields.observation_bins", "8"]
    main(["import", "--input", "minari:recorded/arm_hdf5-v0", "--output_dir", "data", "--test", "0.3", *leave_out])
    said = capsys.readouterr()
    assert "fields: mission, arm/0/0" in said.out and "left out: camera (as asked for)" in said.out
    main(["export", "--data", "data", "--format", "minari", "--name", "again/arm-v0"])
    assert "again/arm-v0 in " in capsys.readouterr().out
    main(["import", "--input", "minari/again/arm-v0", "--output_dir", "back", *leave_out])
    assert "note: the episodes stay in the splits that they were exported from" in capsys.readouterr().err
    before, after = read_manifest(tmp_path / "data"), read_manifest(tmp_path / "back")
    assert after.splits == before.splits and after.fields == before.fields and after.spaces == before.spaces
    assert len(before.fields.of_kind("observation")[0].values) == 8


def test_bad_input_ends_in_one_sentence(tmp_path, capsys):
    to = ("--output_dir", "data")
    (tmp_path / "empty").mkdir()
    assert "no data set of Minari named a/b-v0" in complaint(capsys, "import", "--input", "minari:a/b-v0", *to)
    assert "the folder empty must hold conversations in files of" in complaint(capsys, "import", "--input", "empty", *to)
    assert "there is no file" in complaint(capsys, "import", "--input", "lerobot:empty", *to)
    arm = ("import", "--input", "minari:recorded/arm_hdf5-v0", *to)
    assert "camera must be exact" in complaint(capsys, *arm)
    assert "--task_key is for conversations" in complaint(capsys, *arm, "--task_key", "id")
    assert "shares with a sum below 1" in complaint(capsys, *arm, "--test", "1")
    both = "[minari:recorded/arm_hdf5-v0, other.jsonl]"
    assert "must name one data set of recorded episodes; found 2" in complaint(capsys, "import", "--input", both, *to)
    assert "no data set in nowhere" in complaint(capsys, "export", "--data", "nowhere", "--name", "aa/b-v0")
    assert "format" in complaint(capsys, "export", "--data", "nowhere", "--name", "aa/b-v0", "--format", "csv")
    assert not (tmp_path / "data").exists()


def test_a_missing_package_is_named(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "h5py", None)
    said = complaint(capsys, "import", "--input", "minari:recorded/arm_hdf5-v0", "--output_dir", "data")
    assert "install them with `pip install 'anyorder[minari]'`" in said


def test_conversations_are_not_exported(tmp_path, capsys):
    turns = [{"role": "user", "content": "task"}, {"role": "assistant", "content": "answer"}]
    (tmp_path / "a.jsonl").write_text(json.dumps({"messages": turns}))
    main(["import", "--input", "a.jsonl", "--output_dir", "chats", "--validation", "0", "--test", "0"])
    assert "must be one of grid; found one of text" in complaint(capsys, "export", "--data", "chats", "--name", "aa/b-v0")
