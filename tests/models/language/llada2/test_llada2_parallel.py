"""Two processes over gloo are one process: transformers' plans for tensors, experts, shards and layers, and
Accelerate's FSDP2."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from parallel_llada2 import LAYOUTS
from toy_llada2 import checkpoint

HERE = Path(__file__).parent


@pytest.mark.slow  # two processes, each with libraries to import
@pytest.mark.parametrize("kind", [*LAYOUTS, "layers", "full", "lora", "full bfloat16", "lora bfloat16"])
def test_two_processes_are_one(tmp_path, kind):
    folder = checkpoint(tmp_path / "base", "a")
    script = [str(HERE / "parallel_llada2.py"), str(folder), kind]
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", *script]
    done = subprocess.run(command, env=os.environ | {"OMP_NUM_THREADS": "1"}, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-4000:]
