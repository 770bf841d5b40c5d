"""Prints how fast two versions of the package train, side by side: ``python benchmarks/compare.py COMMIT [COMMIT]``.

The second version is the working tree unless it is named. Both run the command ``anyorder train`` on the same data, one thread
each, in turns, so that a busy machine disturbs both alike; the ratio is the median over the rounds. Starting is not counted.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parents[1]


def run(source: Path, *arguments: str) -> None:
    """``anyorder`` of the version in this folder."""
    found = {**os.environ, "PYTHONPATH": str(source / "src"), "OMP_NUM_THREADS": "1"}
    subprocess.run([sys.executable, "-m", "anyorder", *arguments], env=found, check=True, stdout=subprocess.DEVNULL)


def frames_per_second(source: Path, data: Path, folder: Path, settings: list[str]) -> float:
    """Of a short training."""
    run(source, "train", "--data.path", str(data), "--output_dir", str(folder), *settings)
    records = map(json.loads, (folder / "metrics.jsonl").read_text().splitlines())
    return [record["frames_per_second"] for record in records if record["section"] == "train"][-1]


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("commits", nargs="+", help="the first is compared with the second, or with the working tree")
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--updates", type=int, default=80, help="of each training")
    options.add_argument("--train", default="", help="further options of anyorder train that both versions know")
    chosen = options.parse_args()
    fixed = ["--training.num_processes", "1", "--training.num_threads", "1", "--training.num_validations", "1"]
    settings = [*fixed, "--training.num_updates", str(chosen.updates), *chosen.train.split()]
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        versions = [HERE] if len(chosen.commits) < 2 else []
        for number, commit in enumerate(chosen.commits):
            source = folder / f"source_{number}"
            source.mkdir()
            archive = subprocess.run(["git", "archive", commit, "src"], cwd=HERE, check=True, capture_output=True).stdout
            subprocess.run(["tar", "-x"], cwd=source, input=archive, check=True)
            versions.insert(number, source)
        # By the first version: later ones read the data sets of earlier ones.
        sizes = ["--num_episodes", "400", "--num_validation", "5", "--num_test", "1"]
        run(versions[0], "collect", *sizes, "--output_dir", str(folder / "data"))
        rates: list[list[float]] = []
        print("frames/s of the first and of the second version, and how much faster the second one is")
        for number in range(chosen.rounds):
            pair = [
                frames_per_second(v, folder / "data", folder / f"run_{number}_{side}", settings)
                for side, v in enumerate(versions)
            ]
            rates.append(pair)
            print(f"{pair[0]:10,.0f}{pair[1]:10,.0f}{pair[1] / pair[0]:8.2f}", flush=True)
        first, second = (statistics.median(of_one) for of_one in zip(*rates))
        print(f"{first:10,.0f}{second:10,.0f}{statistics.median(b / a for a, b in rates):8.2f}   medians")


if __name__ == "__main__":
    main()
