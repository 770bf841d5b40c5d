"""A run made by the commands themselves: a tiny model, trained for a moment and evaluated."""

import pytest

from anyorder.cli import main

SMALL = ["--model.width", "16", "--model.num_layers", "1", "--model.num_heads", "2", "--training.num_processes", "1"]


@pytest.fixture(scope="session")
def run_folder(tmp_path_factory):
    """The folder of a run, evaluated on six episodes."""
    folder = tmp_path_factory.mktemp("report")
    data, run = str(folder / "data"), folder / "a run"
    main(
        [
            "collect",
            "--num_episodes",
            "8",
            "--num_validation",
            "3",
            "--num_test",
            "3",
            "--num_processes",
            "1",
            "--output_dir",
            data,
        ]
    )
    main(
        [
            "train",
            "--data.path",
            data,
            "--training.num_updates",
            "12",
            "--training.num_validations",
            "1",
            *SMALL,
            "--output_dir",
            str(run),
        ]
    )
    main(
        [
            "evaluate",
            "--checkpoint",
            str(run / "checkpoints" / "best.safetensors"),
            "--num_episodes",
            "6",
            "--pictures",
            "false",
            "--robustness",
            "{occlusion: [0.3]}",
        ]
    )
    return run


@pytest.fixture(scope="session")
def report(run_folder):
    """The page's file, written by the command."""
    main(["report", str(run_folder), "--num_shown", "2"])
    return run_folder / "report" / "report.html"
