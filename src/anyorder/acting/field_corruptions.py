"""What can go wrong between any environment and an agent: fields are lost, sensors are noisy.

What is the mission (`anyorder.elements.spec.Field`) is never corrupted. As in `anyorder.acting.corruptions`, the number of
draws does not depend on the strength, so episodes of equal seeds get equal draws.

Legend: P elements of a frame.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch

from anyorder.acting.field_rollout import Perceive, Perceived
from anyorder.elements.fields import frame_columns
from anyorder.elements.layout import Kind
from anyorder.elements.spec import Bins, Field, Spec


@dataclass(frozen=True)
class LostFields:
    """Each value of an observation is lost with a probability, independently; the agent is told which, so they are hidden.

    Attributes:
        spec: the fields.
        rate: the probability.
    """

    spec: Spec
    rate: float

    def __call__(self, record: Mapping[str, np.ndarray], generator: np.random.Generator) -> Perceived:
        kinds = frame_columns(self.spec).kind
        lost = torch.from_numpy(generator.random(len(kinds)) < self.rate)
        return record, lost & (kinds == Kind.OBSERVATION)


@dataclass(frozen=True)
class SensorNoise:
    """Every real number of an observation is off by a normally distributed error; the agent is not told.

    Attributes:
        spec: the fields.
        deviations: standard deviation of the error, in standard deviations of the field in the training data.
    """

    spec: Spec
    deviations: float

    def __call__(self, record: Mapping[str, np.ndarray], generator: np.random.Generator) -> Perceived:
        noisy = dict(record)
        for field in self.spec.of_kind("observation"):
            if isinstance(field.values, Bins) and field.source in noisy:
                error = generator.normal(0, self.deviations * field.values.deviation, field.num_cells)
                noisy[field.source] = _added(noisy[field.source], field, error)
        return noisy, None


def _added(array: np.ndarray, field: Field, error: np.ndarray) -> np.ndarray:
    """The array with the error added to the field's entries, as far as its dtype holds the sum."""
    flat = array.astype(np.float64).reshape(-1)
    flat[field.start : field.start + field.stride * (field.num_cells - 1) + 1 : field.stride] += error
    if array.dtype.kind in "iu":
        limits = np.iinfo(array.dtype)
        flat = flat.round().clip(limits.min, limits.max)
    return flat.astype(array.dtype).reshape(array.shape)


@dataclass(frozen=True)
class FieldCorruption:
    """A kind of corruption.

    Attributes:
        form: what the agent is told about it, one of `anyorder.evaluation.robustness.FORMS`.
        make: from the fields and a strength to what changes observations.
    """

    form: str
    make: Callable[[Spec, float], Perceive]


FIELD_CORRUPTIONS: Mapping[str, FieldCorruption] = {
    "occlusion": FieldCorruption("told", LostFields),
    "sensor_noise": FieldCorruption("untold", SensorNoise),
}
"""Name -> corruption. The strength of ``occlusion`` is a probability, that of ``sensor_noise`` in standard deviations."""
