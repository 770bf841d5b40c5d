"""A language model that is divided among two processes (FSDP2) is trained as in one, whole or by an adapter, and what one
number of processes has saved another goes on with."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from tiny_architectures import LLADA2

from anyorder.cli import main
from anyorder.data.collect import CollectSpec, collect
from anyorder.training.journal import read_metrics


def command(data, folder, num_updates, *more):
    return [
        "train",
        "--data.path",
        str(data),
        "--output_dir",
        str(folder),
        "--training.num_updates",
        str(num_updates),
        "--training.frames_per_batch",
        "24",
        "--training.learning_rate",
        "3e-3",
        "--training.num_validations",
        "2",
        "--training.num_processes",
        "1",
        "--training.num_threads",
        "1",
        "--language_model.max_frames",
        "4",
        *more,
    ]


def in_two_processes(arguments, loads_once):
    """Divided as Accelerate's launcher says in the environment."""
    asked = {"ACCELERATE_USE_FSDP": "true", "FSDP_VERSION": "2", "FSDP_CPU_RAM_EFFICIENT_LOADING": str(loads_once).lower()}
    script = str(Path(__file__).parent / "parallel_training.py")
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", script]
    done = subprocess.run(
        [*torchrun, *arguments], env=os.environ | asked | {"OMP_NUM_THREADS": "1"}, capture_output=True, text=True, timeout=100
    )
    assert done.returncode == 0, done.stderr[-4000:]


def losses(folder):
    return torch.tensor([line["loss"] for line in read_metrics(folder) if line["section"] in ("train", "validation")])


@pytest.mark.slow  # two processes, each with libraries to import
@pytest.mark.parametrize("loads_once", [False, True], ids=["each loads", "one loads"])
@pytest.mark.parametrize("kind", ["whole", "adapter"])
def test_divided_is_as_in_one(kind, loads_once, make_trajectory, tmp_path):
    make = lambda seeds: (make_trajectory(2 + seed % 6, seed=seed) for seed in seeds)  # noqa: E731
    collect(tmp_path / "data", CollectSpec("toy", "toy", 8, 2, 2), source=make)
    model = [f"--language_model.architecture={json.dumps(LLADA2)}"]
    if kind == "adapter":
        main(command(tmp_path / "data", tmp_path / "base", 10, *model))
        base = tmp_path / "base" / "checkpoints" / "best"
        model = [f"--language_model.checkpoint={base}", '--language_model.adapter={"rank": 2}']
    main(command(tmp_path / "data", tmp_path / "one", 20, *model))
    in_two_processes(command(tmp_path / "data", tmp_path / "two", 20, *model), loads_once)
    torch.testing.assert_close(losses(tmp_path / "two"), losses(tmp_path / "one"), atol=2e-4, rtol=0)
    file = "adapter_model.safetensors" if kind == "adapter" else "model.safetensors"
    one, two = (load_file(tmp_path / run / "checkpoints" / "last" / file) for run in ("one", "two"))
    assert one.keys() == two.keys()
    # AdamW divides by the size of a gradient, so where that is near nothing, rounding shows.
    assert all((one[name] - two[name]).abs().mean() < 1e-4 for name in one)
    assert len(list((tmp_path / "two" / "checkpoints" / "state").glob("*.safetensors"))) == 2

    state = tmp_path / "two" / "checkpoints" / "state" / "progress.json"
    assert json.loads(state.read_text())["update"] == 20
    main(command(tmp_path / "data", tmp_path / "two", 20, "--resume", *model))
    again = load_file(tmp_path / "two" / "checkpoints" / "last" / file)
    assert all(torch.equal(again[name], two[name]) for name in two)
