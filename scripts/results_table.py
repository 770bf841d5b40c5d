"""Print stored results as a Markdown table.

    python scripts/results_table.py docs/results/*.json

Each file is the ``metrics.json`` of one evaluation; the README's table is this program's output.
"""

import sys
from pathlib import Path

from anyorder.evaluation.statistics import Proportion
from anyorder.experiments.promises import lookup
from anyorder.experiments.summary import COLUMNS
from anyorder.files import read_json


def table(paths: list[Path]) -> str:
    """One row per file, in the order given; each share with its 95% interval."""
    lines = ["| run | " + " | ".join(COLUMNS) + " |", "|---" * (len(COLUMNS) + 1) + "|"]
    for path in paths:
        metrics = read_json(path)
        found = [lookup(metrics, place) for place in COLUMNS.values()]
        shares = [str(Proportion(share["successes"], share["count"])) if share else "" for share in found]
        lines.append(f"| {path.stem.replace('_', ' ')} | " + " | ".join(shares) + " |")
    return "\n".join(lines)


if __name__ == "__main__":
    print(table([Path(name) for name in sys.argv[1:]]))
