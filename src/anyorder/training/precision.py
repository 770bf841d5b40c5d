"""Whether bf16 is worth it here: measured before training, on the model and a batch of its own.

On a processor made for it, products of large matrices are several times as fast in bf16; on others they are far slower, and
small matrices gain nothing anywhere. So only a measurement on the machine can tell.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

import torch
from accelerate import PartialState
from accelerate.utils import broadcast_object_list, parse_flag_from_env

TIMED_ROUNDS = 2
PRODUCT_SIZE = 512
"""Of the square matrices whose product is tried first: a whole pass could take minutes where bf16 is only imitated."""
WORTH = 0.9
"""bf16 is taken if it needs at most this share of the time."""


def worthwhile_precision(learn: Callable[[], object]) -> str:
    """``bf16`` if it is faster than fp32, else ``no``; all processes of a run get the same answer, and the first one says it on
    stderr.

    Args:
        learn: one pass forward and backward, on the CPU. Where the run is on a CPU, the first process calls it a few times, in
            fp32 and in bf16; on a GPU nobody does.
    """
    # As `Accelerator` does: without being told so, Accelerate joins no processes on a CPU.
    state, found = PartialState(cpu=parse_flag_from_env("ACCELERATE_USE_CPU")), ""
    if state.is_main_process:
        found, why = _chosen(state.device.type, learn)
        print(f"training.mixed_precision auto: {found} ({why})", file=sys.stderr)
    [found] = broadcast_object_list([found])
    return found


def _chosen(device: str, learn: Callable[[], object]) -> tuple[str, str]:
    """The precision for a kind of device, and why."""
    if device != "cpu":
        able = device == "cuda" and torch.cuda.is_bf16_supported()
        return ("bf16" if able else "no"), f"{device} {'computes' if able else 'does not compute'} in bf16"
    matrix = torch.ones(PRODUCT_SIZE, PRODUCT_SIZE)
    if (ratio := _ratio(lambda: matrix @ matrix)) <= WORTH:
        with torch.random.fork_rng(devices=[]):
            ratio = _ratio(learn)
    return ("bf16" if ratio <= WORTH else "no"), f"bf16 takes {ratio:.2f} of the time of fp32 here"


def _ratio(work: Callable[[], object]) -> float:
    """The time that work takes in bf16, divided by that in fp32; each has its first time for itself."""
    best = {True: float("inf"), False: float("inf")}
    for _ in range(1 + TIMED_ROUNDS):
        for lowered in best:
            start = time.perf_counter()
            with torch.autocast("cpu", torch.bfloat16, enabled=lowered):
                work()
            best[lowered] = min(best[lowered], time.perf_counter() - start)
    return best[True] / best[False]
