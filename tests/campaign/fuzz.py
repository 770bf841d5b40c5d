"""Fuzzing for as long as one likes: ``python tests/campaign/fuzz.py 10000`` prints what became of so many inputs.

Every input is drawn from its number, so ``--first N 1`` repeats one. Nothing but a table is kept.
"""

import argparse
import resource
import signal
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from pathlib import Path
from random import Random

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "fuzz"))
from readers import READERS, refusal

SECONDS, GIB = 60, 2**30
"""The most that one input may take, and a GiB in bytes."""


class TookTooLong(BaseException):
    """Ends an input that takes longer than `SECONDS`."""


def campaign(first, number, memory_gib, kinds):
    """Read the inputs; returns a counter per outcome, and the tracebacks with the input that found them first."""
    resource.setrlimit(resource.RLIMIT_DATA, (memory_gib * GIB, memory_gib * GIB))
    signal.signal(signal.SIGALRM, _too_long)
    outcomes = {name: Counter() for name in ("inputs", "read", "refused", "tracebacks")}
    found, slowest = {}, (0.0, "", 0)
    for seed in range(first, first + number):
        kind = kinds[seed % len(kinds)]
        outcomes["inputs"][kind] += 1
        started = time.monotonic()
        signal.alarm(SECONDS)
        try:
            with tempfile.TemporaryDirectory() as folder:
                said = refusal(READERS[kind], Path(folder), Random(seed))
            outcomes["read" if said is None else "refused"][kind] += 1
        except (Exception, TookTooLong) as error:
            outcomes["tracebacks"][kind] += 1
            found.setdefault(_place(error), (kind, seed, f"{type(error).__name__}: {str(error)[:200]}"))
        finally:
            signal.alarm(0)
        slowest = max(slowest, (time.monotonic() - started, kind, seed))
    return outcomes, found, slowest


def _place(error):
    ours = [frame for frame in traceback.extract_tb(error.__traceback__) if "/anyorder/" in frame.filename]
    last = (ours or traceback.extract_tb(error.__traceback__))[-1]
    return f"{Path(last.filename).name}:{last.lineno} {type(error).__name__}"


def _too_long(number, frame):
    raise TookTooLong(f"an input took longer than {SECONDS} s")


def main():
    """Print the table; the status is 1 if there was a traceback."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("number", type=int, help="of inputs")
    options.add_argument("--first", type=int, default=0, help="number of the first input")
    options.add_argument("--memory_gib", type=int, default=3, help="most memory, beyond which Python raises a MemoryError")
    options.add_argument("--kind", choices=READERS, help="only these files")
    chosen = options.parse_args()
    warnings.filterwarnings("ignore")
    kinds = [chosen.kind] if chosen.kind else list(READERS)
    outcomes, found, slowest = campaign(chosen.first, chosen.number, chosen.memory_gib, kinds)
    print(f"{'':26}" + "".join(f"{name:>12}" for name in outcomes))
    for kind in kinds:
        print(f"{kind:26}" + "".join(f"{outcomes[name][kind]:12,}" for name in outcomes))
    print(f"{'all':26}" + "".join(f"{outcomes[name].total():12,}" for name in outcomes))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"slowest input {slowest[0]:.1f} s ({slowest[1]}, --first {slowest[2]}), most memory {peak:.1f} GiB")
    for place, (kind, seed, error) in found.items():
        print(f"{place}: {kind}, --first {seed}: {error}")
    sys.exit(bool(found))


if __name__ == "__main__":
    main()
