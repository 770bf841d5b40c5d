"""Parts of a trajectory that also show what comes much later, so that a short part may have a goal far away."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch

from anyorder.elements.fields import EncodedFields, cut_fields
from anyorder.elements.layout import part_slices


def far_frames(number: int, seed: int) -> Callable[[EncodedFields, int | None], list[EncodedFields]]:
    """A function that cuts trajectories as `cut_fields` does, and adds later frames to each part, at their own time.

    How many steps a frame lies after the part is drawn independently for each, from 1 to the trajectory's end: uniformly or
    log-uniformly, as a fair coin says; equal draws are one frame. So near goals are learned as well as far ones.

    Args:
        number: frames that are added at most; 0 adds none.
        seed: of the draws, which go on from trajectory to trajectory.
    """
    if not number:
        return cut_fields
    generator = np.random.default_rng([seed, number])

    def cut(encoded: EncodedFields, max_frames: int | None) -> list[EncodedFields]:
        length, found = len(encoded.frames), []
        for own in part_slices(length, max_frames):
            steps = np.arange(own.start, min(own.stop, length))
            if (left := length - 1 - int(steps[-1])) > 0:
                near = np.exp(generator.uniform(0, np.log(left + 1), number)).astype(np.int64).clip(1, left)
                distances = np.where(generator.random(number) < 0.5, near, generator.integers(1, left + 1, number))
                steps = np.concatenate([steps, steps[-1] + np.unique(distances)])
            found.append(_chosen(encoded, torch.from_numpy(steps)))
        return found

    return cut


def _chosen(encoded: EncodedFields, steps: torch.Tensor) -> EncodedFields:
    """The frames of these steps, int64, rising, of a trajectory."""
    filled = None if encoded.filled is None else encoded.filled[steps]
    return replace(
        encoded,
        frames=encoded.frames[steps],
        frame_numbers=encoded.frame_numbers[steps],
        num_actions=len(steps) - 1,
        filled=filled,
        steps=steps - steps[0],
    )
