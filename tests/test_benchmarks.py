"""Benchmarks run; what they print here are no figures, since there is little of it and other tests run beside them."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).resolve().parents[1] / "benchmarks"


@pytest.mark.parametrize(
    ("command", "rows"),
    [
        (["train.py", "--little"], ["default", "cell", "next_step", "next_action"]),
        (["collect.py", "--little"], ["GoToRedBall", "BossLevel", "collect, 2 processes"]),
        (["orders.py", "--little"], ["mixture", "next_step"]),
    ],
    ids=lambda value: value[0].removesuffix(".py") if ".py" in value[0] else "",
)
def test_a_benchmark_prints_its_table(command, rows):
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, BENCHMARKS / command[0], *command[1:]], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    printed = {line[: len(row)]: line for line in done.stdout.splitlines() for row in rows if line.startswith(row)}
    assert sorted(printed) == sorted(rows)
    assert all(any(character.isdigit() for character in line) for line in printed.values())
