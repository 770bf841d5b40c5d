"""From nothing to a judged agent with the commands, and with the scripts of old."""

import json
import runpy
import sys
from pathlib import Path

import pytest
import torch
import yaml
from PIL import Image

from anyorder.acting.rollout import FIRST_SEED
from anyorder.cli import main
from anyorder.data.storage import read_split
from anyorder.training import checkpoint

ROOT = Path(__file__).parents[2]
FEW = ["--num_episodes", "2", "--num_gif_episodes", "1", "--robustness", "{occlusion: [0.3]}"]


@pytest.fixture(scope="module")
def judged(finished_run):
    main(["evaluate", "--checkpoint", str(finished_run / "checkpoints" / "best.pt"), "--metric", "all", *FEW])
    return finished_run / "report"


def test_a_run_keeps_its_configuration_its_metrics_and_its_weights(finished_run, data_folder):
    config = yaml.safe_load((finished_run / "config.yaml").read_text())
    assert config["data"]["path"] == str(data_folder) and config["training"]["num_epochs"] == 2
    assert config["training"]["learning_rate"] == 2e-3, "what was not set is written down too"
    lines = [json.loads(line) for line in (finished_run / "metrics.jsonl").read_text().splitlines()]
    assert {line["section"] for line in lines} == {"train", "validation"}
    assert {path.name for path in (finished_run / "checkpoints").iterdir()} == {
        "best.pt",
        "best.safetensors",
        "last.pt",
        "last.safetensors",
        "state.safetensors",
    }
    assert list((finished_run / "tensorboard").iterdir())


def test_every_figure_has_its_counts_and_seeds(judged):
    metrics = json.loads((judged / "metrics.json").read_text())
    assert metrics["env_id"] == "BabyAI-GoToRedBall-v0"
    assert {"cell", "object_cell", "changed_cell"} <= set(metrics["smoothing"]["groups"])
    assert list(metrics["next_action"]["groups"]) == ["action"]
    task = metrics["task_success"]
    assert task["seeds"] == [FIRST_SEED, FIRST_SEED + 1] and task["success"]["count"] == 2
    assert 0 <= task["success"]["low"] <= task["success"]["rate"] <= task["success"]["high"] <= 1
    assert len(metrics["robustness"]) == 2


def test_the_report_shows_every_picture(judged):
    text = (judged / "report.md").read_text()
    for name in ("curves.png", "reconstruction.png", "episodes.gif"):
        assert f"({name})" in text and min(Image.open(judged / name).size) > 100
    assert Image.open(judged / "episodes.gif").n_frames > 1


@pytest.mark.parametrize(("at_least", "status"), [(0.0, 0), (1.0, 1)])
def test_promises_decide_the_exit_status(finished_run, tmp_path, capsys, at_least, status):
    promises = tmp_path / "promises.yaml"
    promises.write_text(f"- {{name: next action, metric: next_action.groups.action.accuracy, at_least: {at_least}}}\n")
    ended_in = 0
    try:
        main(
            [
                "evaluate",
                "--checkpoint",
                str(finished_run / "checkpoints" / "best.pt"),
                "--metric",
                "accuracy",
                "--output_dir",
                str(tmp_path),
                "--promises",
                str(promises),
            ]
        )
    except SystemExit as ending:
        ended_in = ending.code
    assert ended_in == status and "Promised and reached" in capsys.readouterr().out


def test_a_trained_agent_collects_too(finished_run, tmp_path):
    main(
        [
            "collect",
            "--policy",
            "checkpoint",
            "--checkpoint",
            str(finished_run / "checkpoints" / "best.pt"),
            "--num_episodes",
            "2",
            "--num_validation",
            "0",
            "--num_test",
            "0",
            "--output_dir",
            str(tmp_path),
        ]
    )
    assert [trajectory.seed for trajectory in read_split(tmp_path, "train")] == [0, 1]
    assert json.loads((tmp_path / "manifest.json").read_text())["spec"]["policy"].startswith("checkpoint ")


def test_a_run_may_start_from_another(finished_run, tiny_yaml, tmp_path):
    best = finished_run / "checkpoints" / "best.pt"
    main(
        [
            "train",
            "--config",
            str(tiny_yaml),
            "--training.init_from",
            str(best),
            "--training.num_updates",
            "1",
            "--training.learning_rate",
            "1e-9",
            "--training.weight_decay",
            "0",
            "--output_dir",
            str(tmp_path),
        ]
    )
    started, earlier = (checkpoint.load_checkpoint(path) for path in (tmp_path / "checkpoints" / "best.pt", best))
    assert started.header["config"]["training"]["init_from"] == str(best)
    assert all(torch.allclose(started.tensors[name], tensor, atol=1e-6) for name, tensor in earlier.tensors.items())


def test_the_original_commands_do_the_same(tmp_path, monkeypatch):
    def script(name, *arguments):
        path = str(ROOT / "scripts" / name)
        monkeypatch.setattr(sys, "argv", [path, *map(str, arguments)])
        runpy.run_path(path, run_name="__main__")

    data, run, results = tmp_path / "data", tmp_path / "run", tmp_path / "results"
    script(
        "generate_trajectories.py",
        "--env",
        "BabyAI-GoToRedBall-v0",
        "--num_episodes",
        20,
        "--num_validation",
        4,
        "--num_test",
        4,
        "--output_dir",
        data,
    )
    script(
        "train.py",
        "--config",
        ROOT / "configs" / "experiments" / "attribute_masking.yaml",
        "--masking.mask_prob",
        0.15,
        "--training.num_epochs",
        3,
        "--data.path",
        data,
        "--output_dir",
        run,
        "--model.width",
        16,
        "--model.num_layers",
        1,
        "--training.num_processes",
        1,
    )
    config = yaml.safe_load((run / "config.yaml").read_text())
    assert config["masking"] == {"mixture": {"attribute": 0.4, "next_step": 0.6}, "mask_prob": 0.15, "attribute_probs": {}}
    assert config["training"]["num_epochs"] == 3
    script(
        "evaluate.py", "--checkpoint", run / "checkpoints" / "best.pt", "--metric", "world_model_nll", "--output_dir", results
    )
    assert json.loads((results / "metrics.json").read_text())["smoothing"]["groups"]["cell"]["nll_per_element"] > 0
