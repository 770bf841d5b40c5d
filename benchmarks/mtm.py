"""Compares the general model with Masked Trajectory Models (MTM, Wu et al. 2023): time of an update, held-out errors.

``git clone https://github.com/facebookresearch/mtm`` fetches the published code; then run ``python benchmarks/mtm.py --data
FOLDER --mtm mtm``, where FOLDER holds a data set of any environment whose fields are real numbers. Without ``--mtm`` our model
is measured alone; ``--little`` takes seconds. All models train in turns in one process on one thread: same windows, same
statistics, same batches, about as many parameters, same schedule of the learning rate.

MTM reads the observation of a step as one token, the action as another, and what never changes in an episode (the goal) as a
third that is always visible; masks and losses are its own (``AUTO_MASK`` of its config.yaml), so are its dropout and its weight
decay. Its rate of 1e-4 is made for 140,000 updates, so larger ones are tried, too.

Legend: B rows, E elements, K targets.
"""

from __future__ import annotations

import argparse
import math
import statistics
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from mtm_sides import MIXTURE, Ours, Side, Theirs, num_parameters, published
from torch import Tensor

from anyorder.build.elements import read_fields
from anyorder.config import DataConfig, ElementModelConfig, SpecConfig, TrainingConfig
from anyorder.data.field_storage import spaces_of
from anyorder.data.manifest import Manifest, read_manifest
from anyorder.elements.batch import Budget
from anyorder.elements.fields import EncodedFieldData, FieldLayout, frame_columns
from anyorder.elements.fitting import fit_spec
from anyorder.elements.layout import Kind
from anyorder.elements.spec import ABSENT, Bins, Spec
from anyorder.errors import AnyOrderError
from anyorder.evaluation.neighbours import FieldQuestions
from anyorder.evaluation.statistics import ItemSums, Measured
from anyorder.files import write_json
from anyorder.masking.order import Order, imitate, reconstruct
from anyorder.seeding import stream
from anyorder.training.plan import learning_rate_factor, plan_updates

HIDDEN = 0.3
"""How often an observation, and an action, of the held-out windows is hidden."""
WINDOWS_PER_PASS = 32
"""Held-out windows that are asked the same."""
HARMONICS = 4
"""Of numbers, as when docs/results/mtm.md was measured; they have become an option since."""
WARM_UP = 5
"""First updates, which are not timed."""


@dataclass(frozen=True)
class Variant:
    """One way of ours.

    Attributes:
        name: in the table.
        bins: of a number in an observation.
        head: see `anyorder.config.ElementModelConfig`.
        together: True puts all of an observation into one cell, which makes as many tokens as MTM has; else it has the cells
            that the data set's own settings give it.
    """

    name: str
    bins: int = 64
    head: Literal["bins", "normal"] = "bins"
    together: bool = False


VARIANTS = (
    Variant("ours"),
    Variant("ours, 256 bins", bins=256),
    Variant("ours, one cell", together=True),
    Variant("ours, normal", head="normal"),
    Variant("ours, normal, one cell", head="normal", together=True),
)


class WholeWindows(EncodedFieldData):
    """The windows of a split that have all their frames and values; MTM has no padding."""

    def __init__(self, path: Path, split: str, spec: Spec, num_frames: int) -> None:
        super().__init__(read_fields(DataConfig(str(path)), split), spec, num_frames)
        observed = frame_columns(spec).kind == Kind.OBSERVATION
        frames = [one.frames for one in self._encoded]
        there = [bool((one[:-1] != ABSENT).all() and (one[-1, observed] != ABSENT).all()) for one in frames]
        whole = [number for number, length in enumerate(self.lengths) if length == num_frames and there[number]]
        if not whole:
            raise AnyOrderError(f"some episode must have {num_frames} frames; found none in {path}, {split}; lower --frames")
        self._encoded, self.origins = [self._encoded[i] for i in whole], [self.origins[i] for i in whole]
        self.lengths = [num_frames] * len(whole)


def spec_of(manifest: Manifest, path: Path, variant: Variant) -> Spec:
    """The spec of a data set."""
    train = read_fields(DataConfig(str(path)), "train")
    settings = replace(manifest.field_settings or SpecConfig(), observation_bins=variant.bins)
    spec = fit_spec(*spaces_of(manifest, path), train, settings)
    others = [one.name for one in spec.fields if not isinstance(one.values, Bins) or one.num_cells > 1]
    if others or not spec.of_kind("action"):
        raise AnyOrderError(f"the fields must be real numbers in one cell each; found {others} in {path}; choose other data")
    if not variant.together:
        return spec
    groups = {"one cell": [one.name for one in spec.of_kind("observation")]}
    return fit_spec(*spaces_of(manifest, path), train, replace(settings, groups=groups))


@dataclass
class Record:
    """Seconds and losses of a side's updates."""

    seconds: list[float] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)


def train(sides: Sequence[Side], batches: Sequence[list[int]], warmup_updates: int) -> dict[str, Record]:
    """Train all in turns; who comes first changes at every update."""
    records = {side.name: Record() for side in sides}
    for number, index in enumerate(batches):
        factor, first = learning_rate_factor(number, len(batches), warmup_updates), number % len(sides)
        for side in (*sides[first:], *sides[:first]):
            side.model.train()
            start = time.perf_counter()
            loss = side.loss(index, number)
            side.step(factor)
            records[side.name].seconds.append(time.perf_counter() - start)
            records[side.name].losses.append(float(loss))
        if (number + 1) % 50 == 0:
            recent = ", ".join(f"{name} {statistics.mean(one.losses[-50:]):.3f}" for name, one in records.items())
            print(f"update {number + 1}: {recent}", file=sys.stderr, flush=True)
    return records


def questions(layout: FieldLayout, generator: torch.Generator) -> Iterator[tuple[str, Order]]:
    """What is asked about a batch of held-out windows: whole observations and actions that are hidden, the same in all rows;
    and next actions from the past alone."""
    drawn = torch.rand(layout.num_units, generator=generator) < HIDDEN
    hidden = drawn[layout.unit] & (layout.of_kind(Kind.OBSERVATION) | layout.of_kind(Kind.ACTION))
    if hidden.any():
        yield "hidden", reconstruct(layout, hidden)
    yield "next", imitate(layout)


class Errors:
    """Sums of errors: float64 ``[episodes, guessers, 2]``, squares and absolutes, for each thing asked and each field."""

    def __init__(self, guessers: list[str], num_episodes: int) -> None:
        self.guessers, self.num_episodes = guessers, num_episodes
        self.sums: dict[tuple[str, str], Tensor] = {}

    def add(self, what: str, spec: Spec, asked: FieldQuestions, episode: Tensor, guesses: list[tuple[Tensor, Tensor]]) -> None:
        """The answers to a batch's questions, ``guesses`` by guesser as of `Side.rebuilt`; ``episode`` is int64 ``[K]``."""
        squares = torch.stack([(guess - asked.number).square() for guess, _ in guesses], dim=1)
        absolutes = torch.stack([(guess - asked.number).abs() for _, guess in guesses], dim=1)
        ones = torch.ones(len(asked), len(guesses), dtype=torch.float64)
        columns = torch.stack([squares, absolutes, ones], dim=2)
        for number in asked.field.unique().tolist():
            chosen, one = asked.field == number, spec.fields[number]
            for name in (one.name, f"all {one.kind}s"):
                empty = torch.zeros(self.num_episodes, len(guesses), 3, dtype=torch.float64)
                sums = self.sums.setdefault((f"{what} {one.kind}s", name), empty)
                sums.index_add_(0, episode[chosen], columns[chosen])

    def to_json(self) -> dict[str, Any]:
        """What is asked -> field -> figure -> guesser -> value and bounds of its 95% interval over episodes; ``times`` is a
        guesser's figure over the first one's."""
        found: dict[str, Any] = {}
        items = ItemSums(self.num_episodes, np.random.default_rng(0))
        for (what, name), sums in self.sums.items():
            figures: dict[str, Any] = {"count": int(sums[:, 0, 2].sum())}
            for column, (figure, unsquared) in enumerate((("root mean square", math.sqrt), ("absolute", float))):
                errors, counts = sums[..., column].numpy(), sums[:, 0, 2].numpy()
                for key, over in ((figure, counts), (f"times {figure}", errors[:, 0])):
                    ratios = [items.ratio(errors[:, i], over).map(unsquared) for i in range(len(self.guessers))]
                    figures[key] = {guesser: _rounded(one) for guesser, one in zip(self.guessers, ratios)}
            found.setdefault(what, {})[name] = figures
        return found


def _rounded(measured: Measured) -> list[float | None]:
    """The value, and the bounds of its interval."""
    bounds = measured.value, measured.low, measured.high
    return [None if one is None else round(one, 5) for one in bounds]


def held_out_errors(sides: Sequence[Side], batch_size: int) -> Errors:
    """Errors of the sides, of a copy of the nearest visible number, and of a line through the visible ones; all are asked the
    same."""
    first = sides[0].held_out
    origins = torch.tensor(first.origins)
    errors = Errors([*(side.name for side in sides), "copy", "line"], int(origins.max()) + 1)
    for side in sides:
        side.model.eval()
    for start in range(0, len(first), batch_size):
        index = list(range(start, min(start + batch_size, len(first))))
        batches = [side.held_out.batch(index) for side in sides]
        for what, order in questions(batches[0].layout, stream(0, "evaluation", start)):
            asked = FieldQuestions.of(batches[0], order)
            guesses = [side.rebuilt(batch, order) for side, batch in zip(sides, batches)]
            guesses += [(asked.copy_number, asked.copy_number), (asked.line_number, asked.line_number)]
            errors.add(what, first.spec, asked, origins[index][asked.row], guesses)
    return errors


def results(sides: Sequence[Side], records: dict[str, Record], errors: Errors) -> dict[str, Any]:
    """All figures, as plain numbers. Ratios of time are medians over the updates, paired with those of the first side."""
    base = records[sides[0].name].seconds[WARM_UP:]
    found = {}
    for side in sides:
        seconds = records[side.name].seconds[WARM_UP:]
        found[side.name] = {
            "parameters": num_parameters(side.model),
            "width": side.width,
            "learning rate": side.rate,
            "seconds per update": statistics.median(seconds),
            "times": statistics.median(own / first for own, first in zip(seconds, base)),
        }
    return {"sides": found, "errors": errors.to_json()}


def table(found: dict[str, Any], figures: tuple[str, str] = ("root mean square", "absolute")) -> str:
    """The figures as a table of Markdown; errors are root mean square / absolute, in standard deviations."""
    asked = [(what, f"all {what.split()[1]}") for what in found["errors"]]
    lines = [["", "parameters", "ms/update", "times", *(what for what, _ in asked)]]
    lines.append(["---"] * len(lines[0]))
    for guesser in found["errors"][asked[0][0]][asked[0][1]][figures[0]]:
        row = [guesser, "", "", ""]
        if side := found["sides"].get(guesser):
            row[1:] = [f"{side['parameters']:,}", f"{1000 * side['seconds per update']:.1f}", f"{side['times']:.2f}"]
        for what, name in asked:
            values = [found["errors"][what][name][figure][guesser][0] for figure in figures]
            row.append(" / ".join(f"{value:.3f}" for value in values))
        lines.append(row)
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--data", type=Path, required=True, help="folder of a data set")
    options.add_argument("--mtm", type=Path, help="a checkout of MTM")
    options.add_argument("--split", default="test", help="what errors are measured on")
    options.add_argument("--frames", type=int, default=8, help="of a window")
    options.add_argument("--frames-per-batch", type=int, default=TrainingConfig().frames_per_batch)
    options.add_argument("--updates", type=int, default=400)
    options.add_argument("--rates", type=float, nargs="+", default=[1e-4, 1e-3], help="of MTM, one model each")
    options.add_argument("--output", type=Path, help="JSON file that gets all figures")
    options.add_argument("--little", action="store_true", help="a few updates only")
    chosen = options.parse_args()
    torch.set_num_threads(1)
    try:
        found = compare(chosen)
    except AnyOrderError as error:
        raise SystemExit(f"error: {error}") from None
    print(table(found))
    if chosen.output:
        write_json(chosen.output, found)


def compare(chosen: argparse.Namespace) -> dict[str, Any]:
    """Train and judge all that the options name."""
    config = TrainingConfig(num_updates=WARM_UP + 3 if chosen.little else chosen.updates)
    if not all(rate > 0 for rate in chosen.rates):
        raise AnyOrderError(f"--rates must be above 0; found {chosen.rates}")
    sizes = ElementModelConfig(max_frames=chosen.frames, harmonics=HARMONICS)
    variants = [(variant, replace(sizes, head=variant.head)) for variant in VARIANTS]
    manifest = read_manifest(chosen.data)
    sides: list[Any] = []
    for variant, sizes in variants:
        spec = spec_of(manifest, chosen.data, variant)
        data = [WholeWindows(chosen.data, split, spec, chosen.frames) for split in ("train", chosen.split)]
        sides.append(Ours(variant.name, data[0], data[1], sizes))
    if chosen.mtm:
        code, masks = published(chosen.mtm)
        sides += [Theirs(code, masks, sides[0], rate) for rate in chosen.rates]
    updates = plan_updates(sides[0].data, Budget(chosen.frames_per_batch, "frames"), config)
    records = train(sides, [batch for update in updates for batch in update], config.warmup_updates)
    settings = {"data": manifest.env_id, "split": chosen.split, "frames": chosen.frames, "updates": len(updates)}
    settings |= {"frames per batch": chosen.frames_per_batch, "hidden": HIDDEN, "mixture": MIXTURE}
    return {"settings": settings, **results(sides, records, held_out_errors(sides, WINDOWS_PER_PASS))}


if __name__ == "__main__":
    main()
