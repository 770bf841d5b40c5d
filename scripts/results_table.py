"""Print stored results as a Markdown table.

    python scripts/results_table.py docs/results/*.json

Each file is the ``metrics.json`` of one evaluation; the README's table is this program's output.
"""

import sys
from pathlib import Path

from anyorder.evaluation.statistics import Proportion
from anyorder.files import read_result
from anyorder.studies.measures import SHARES
from anyorder.studies.promises import lookup


def table(paths: list[Path]) -> str:
    """One row per file, in the order given; each share with its 95% interval. Columns that no file has are left out."""
    runs = {path.stem.replace("_", " "): read_result(path) for path in paths}
    shown = {name: place for name, place in SHARES.items() if any(lookup(metrics, place) for metrics in runs.values())}
    lines = ["| run | " + " | ".join(shown) + " |", "|---" * (len(shown) + 1) + "|"]
    for name, metrics in runs.items():
        found = [lookup(metrics, place) for place in shown.values()]
        shares = [str(Proportion(share["successes"], share["count"])) if share else "" for share in found]
        lines.append(f"| {name} | " + " | ".join(shares) + " |")
    return "\n".join(lines)


if __name__ == "__main__":
    print(table([Path(name) for name in sys.argv[1:]]))
