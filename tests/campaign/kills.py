"""Kills for as long as one likes: ``python tests/campaign/kills.py 100`` kills so many commands and prints what it cost.

Who is killed, with which signal and when is drawn from the number of the kill, so ``--first N 1`` repeats one.
"""

import argparse
import shutil
import sys
import tempfile
from collections import Counter, defaultdict
from pathlib import Path
from random import Random

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from killing import CASES, kill, materials, uninterrupted

BEFORE = 0.15
"""Share of the kills before a command begins to write."""


def main():
    """Print the table; the status is 1 if anything was wrong."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("number", type=int, help="of kills")
    options.add_argument("--first", type=int, default=0, help="number of the first kill")
    options.add_argument("--case", choices=CASES, help="only this command")
    chosen = options.parse_args()
    names = [chosen.case] if chosen.case else list(CASES)
    rows, faults = defaultdict(Counter), []
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as home:
        places, whole = materials(Path(home), "run", "chats"), {}
        for number in range(chosen.first, chosen.first + chosen.number):
            name, random = names[number % len(names)], Random(number)
            case, folder = CASES[name], Path(home) / "kill"
            if name not in whole:
                whole[name] = uninterrupted(case, places, _emptied(folder))
            expected, before, during = whole[name]
            seconds = -random.uniform(0.1, 1) * before if random.random() < BEFORE else 0.8 * random.random() * during
            target = case.targets[number // len(names) % len(case.targets)]
            found = kill(case, target, places, _emptied(folder), expected, seconds, random)
            rows[name, str(target)].update(["kills"] + ["too late"] * found.too_late + ["faulty"] * bool(found.faults))
            faults += [f"--first {number} ({name}, {target}, {seconds:.1f} s): {fault}" for fault in found.faults]
            print(f"{number}: {name}, {target}, {seconds:.1f} s: {found.status}", *found.faults, file=sys.stderr, flush=True)
    print(f"{'':42}{'kills':>10}{'too late':>10}{'faulty':>10}")
    for (name, target), counts in sorted(rows.items()):
        print(f"{name:24}{target:18}" + "".join(f"{counts[column]:10}" for column in ("kills", "too late", "faulty")))
    total = sum(rows.values(), Counter())
    print(f"{'all':42}" + "".join(f"{total[column]:10}" for column in ("kills", "too late", "faulty")))
    print(*faults, sep="\n")
    sys.exit(bool(faults))


def _emptied(folder):
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    return folder


if __name__ == "__main__":
    main()
