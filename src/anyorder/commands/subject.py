"""What every trajectory that ``anyorder query`` asks about has, and how a user names one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from rich.table import Table

from anyorder.elements.batch import Batch
from anyorder.errors import AnyOrderError
from anyorder.inference.decoding import Decoded
from anyorder.inference.futures import RankedSample
from anyorder.inference.missions import RankedMission
from anyorder.masking.order import Order


class AskedTrajectory(Protocol):
    """One trajectory, the model that is asked about it, and how its answers are shown."""

    @property
    def model(self) -> Any: ...

    @property
    def batch(self) -> Batch[Any]:
        """Of this trajectory alone."""

    @property
    def title(self) -> str:
        """A line about the trajectory."""

    @property
    def about(self) -> Mapping[str, Any]:
        """The same as plain values."""

    def read(self, order: Order, decoded: Decoded) -> Any:
        """The answer in words, with ``to_json``."""

    def tables(self, answer: Any) -> Iterator[Table]: ...

    def samples_table(self, samples: Sequence[RankedSample[Any]], truth: float | None) -> Table: ...

    def draw(self, order: Order, decoded: Decoded, path: Path) -> None:
        """Write a PNG file."""

    def missions(self) -> list[RankedMission]:
        """The missions of the training split, the most probable first.

        Raises:
            AnyOrderError: where there are none to tell apart.
        """


@dataclass(frozen=True)
class Subject:
    """What a user asks about.

    Attributes:
        checkpoint: of a model.
        data: data set folder; None: the one it was trained on.
        split: of the data set.
        episode: number of the trajectory in the split.
        part: of a trajectory that is longer than the model reads, see `anyorder.elements.fields.cut_fields`.
    """

    checkpoint: Path
    data: str | None
    split: str
    episode: int
    part: int

    def pick(self, split: Sequence[Any]) -> Any:
        """The trajectory."""
        if not 0 <= self.episode < len(split):
            allowed = f"between 0 and {len(split) - 1} in the split {self.split}"
            raise AnyOrderError(f"--episode must lie {allowed}; found {self.episode}")
        return split[self.episode]

    def check_part(self, num_parts: int) -> None:
        """Raise an AnyOrderError if the trajectory has no such part."""
        if not 0 <= self.part < num_parts:
            raise AnyOrderError(f"--part must lie between 0 and {num_parts - 1} in this trajectory; found {self.part}")
