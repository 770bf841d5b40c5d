"""From a checkpoint and a data set with gaps to one in which the model has filled them in."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from anyorder.build.checkpoints import is_of_conversations, load_model
from anyorder.build.elements import check_fields, holds_fields, load_element_checkpoint
from anyorder.build.evidence import mission_evidence
from anyorder.build.headers import training_data
from anyorder.build.splits import say
from anyorder.data.field_storage import read_field_split
from anyorder.data.manifest import MANIFEST, read_manifest
from anyorder.data.rewriting import rewrite
from anyorder.data.storage import read_split
from anyorder.elements.grid_fields import fields_of_grid
from anyorder.errors import AnyOrderError
from anyorder.evaluation.filling_scores import FillScore, fill_scores, mission_fill_score
from anyorder.files import sha256, write_result
from anyorder.inference.calibrating import Correction, filled_in, fitted_corrections
from anyorder.inference.field_gaps import FieldTable, GridInFields
from anyorder.inference.filling import Table
from anyorder.inference.grid_gaps import GridTable
from anyorder.inference.lost_missions import MissionFiller
from anyorder.types import FILLED_MISSION, FieldTrajectory, Trajectory, as_recorded

FILL_FILE = "fill.json"
FILLED_AT_ONCE = 100
"""Between two steps of the progress bar."""


@dataclass(frozen=True)
class FillOptions:
    """What is filled in, and by whom.

    Attributes:
        checkpoint: of the model, such as outputs/run/checkpoints/best.pt.
        data: folder of the data set in which something is absent.
        output_dir: folder of the completed data set; if it holds an interrupted one, that is continued.
        threshold: what the model gives a lower probability stays absent.
        truth: folder of a data set of the same episodes in which nothing is missing; the table then says how often the model
            was right.
        calibrate_on: folder of the data set whose validation split makes the probabilities true; null: the one that the
            checkpoint was trained on.
        num_calibration: how many episodes of that split are used, at most; 0 leaves the probabilities as they are.
    """

    checkpoint: str
    data: str
    output_dir: str
    threshold: float = 0.5
    truth: str | None = None
    calibrate_on: str | None = None
    num_calibration: int = 200

    def __post_init__(self) -> None:
        if not 0 <= self.threshold <= 1:
            raise AnyOrderError(f"threshold is a probability, between 0 and 1; found {self.threshold}")
        if self.num_calibration < 0:
            raise AnyOrderError(f"num_calibration must be at least 0; found {self.num_calibration}")


def fill(options: FillOptions) -> list[FillScore]:
    """Complete a data set; returns what became of each attribute or field. `FILL_FILE` in the new folder has the same, and the
    corrections of the calibration.

    Raises:
        AnyOrderError: when the checkpoint, a data set or an option does not fit, or nothing is missing.
        KeyboardInterrupt: when the user interrupts; its message says what is kept and how to continue.
    """
    checkpoint, source, folder = Path(options.checkpoint), Path(options.data), Path(options.output_dir)
    manifest = read_manifest(source)
    table, header = _table(checkpoint, manifest.content, source)
    splits = [name for name, split in manifest.splits.items() if split.num_episodes]
    trained_on = training_data(header, str(checkpoint)).path
    filler = _mission_filler(options, table, source, splits, header)
    gaps = _gaps(table, source, splits, filler)
    corrections = _corrections(options, table, gaps, trained_on)
    truth = {} if options.truth is None else _truth(Path(options.truth), splits)

    def change(name: str, episodes: Sequence[Any], advance: Callable[[int], None]) -> list[Any]:
        found: list[Any] = []
        for first in range(0, len(episodes), FILLED_AT_ONCE):
            some = episodes[first : first + FILLED_AT_ONCE]
            completed = filled_in(table, some, corrections, options.threshold)
            found += completed if filler is None else [filler(one, options.threshold) for one in completed]
            advance(len(some))
        return found

    fitted = {table.names[number]: one for number, one in corrections.items()}
    fitted |= {} if filler is None else {FILLED_MISSION: Correction(filler.temperature)}
    by_name = {name: asdict(one) for name, one in fitted.items()}
    record = {"checkpoint": sha256(checkpoint), "threshold": options.threshold, "corrections": by_name}
    rewrite(source, folder, {"filled": record}, change, "filling in")
    scores = fill_scores(table, _pairs(folder, splits, truth))
    scores += [] if filler is None else [mission_fill_score(_pairs(folder, splits, truth))]
    write_result(folder / FILL_FILE, {"corrections": by_name, "parts": [score.to_json() for score in scores]})
    return scores


def _table(checkpoint: Path, content: str, source: Path) -> tuple[Table[Any], dict[str, Any]]:
    """The reader of the data set's trajectories for the checkpoint's model, and the checkpoint's header."""
    if content == "text" or is_of_conversations(checkpoint):
        raise AnyOrderError("fill completes grids and fields; conversations have no missing values; choose another data set")
    if holds_fields(checkpoint):
        saved = load_element_checkpoint(checkpoint)
        episodes: list[Any] = _read(source, next(iter(read_manifest(source).splits)))[:1]
        check_fields(saved, [fields_of_grid(one) if isinstance(one, Trajectory) else one for one in episodes], source)
        fields = FieldTable(saved.model, saved.observation_space, saved.action_space)
        return GridInFields(fields) if content == "grid" else fields, saved.header
    if content != "grid":
        raise AnyOrderError(
            f"{checkpoint} is a model of grids; found a data set of fields in {source}; choose one of the general model"
        )
    if checkpoint.is_dir():
        raise AnyOrderError(f"a language model fills nothing in; found {checkpoint}; choose a checkpoint of the grid model")
    model, header = load_model(checkpoint)
    return GridTable(model), header


def _read(folder: Path, split: str) -> list[Any]:
    manifest = read_manifest(folder)
    return read_split(folder, split) if manifest.content == "grid" else read_field_split(folder, split)


def _mission_filler(
    options: FillOptions, table: Table[Any], source: Path, splits: Sequence[str], header: Mapping[str, Any]
) -> MissionFiller | None:
    """What fills missions in; None where none is missing, the model is not one that ranks missions, or there are none to choose
    among."""
    if not isinstance(table, GridTable) or all(one.mission for split in splits for one in _read(source, split)):
        return None
    trained_on = training_data(header, options.checkpoint).path
    if not (Path(trained_on) / MANIFEST).exists():
        say(f"missions stay absent: {trained_on}, whose missions there are to choose among, is not there any more")
        return None
    told = [one.mission for one in _read(Path(trained_on), "train") if one.mission]
    if not told:
        return None
    filler = MissionFiller(table.model, sorted(set(told)), evidence=mission_evidence(header, told))
    known = _validation(options, trained_on)
    return filler.calibrated(known[: options.num_calibration])


def _gaps(table: Table[Any], source: Path, splits: Sequence[str], filler: MissionFiller | None) -> list[np.ndarray]:
    """What is missing of each trajectory of which something is.

    Raises:
        AnyOrderError: when nothing is missing that a model can fill in.
    """
    found, silent = [], 0
    for split in splits:
        for one in _read(source, split):
            silent += not one.mission
            missing = table.missing(one)
            found += [missing] if missing.any() else []
    if silent and filler is None:
        say(f"{silent:,} episodes have no mission and stay without: this model cannot tell missions")
    if not found and filler is None:
        raise AnyOrderError(f"{source} must have absent actions or observations to fill in; found none; nothing is to be done")
    return found


def _corrections(options: FillOptions, table: Table[Any], gaps: list[np.ndarray], trained_on: str) -> dict[int, Correction]:
    if options.num_calibration == 0 or not gaps:
        return {}
    episodes = _validation(options, trained_on)[: options.num_calibration]
    return fitted_corrections(table, episodes, gaps) if episodes else {}


def _validation(options: FillOptions, trained_on: str) -> list[Any]:
    """The recorded episodes that make probabilities true; none where there are none, which a line on stderr says."""
    folder = Path(options.calibrate_on or trained_on)
    if (folder / MANIFEST).exists() and "validation" in read_manifest(folder).splits:
        return [as_recorded(one) for one in _read(folder, "validation")]
    if options.calibrate_on is not None:
        raise AnyOrderError(f"calibrate_on must be a data set with a validation split; found none in {folder}")
    say(f"{folder} has no validation split, so the probabilities stay as the model gives them; name one with --calibrate_on")
    return []


def _truth(folder: Path, splits: Sequence[str]) -> dict[tuple[str, int], Any]:
    """Split and seed -> trajectory."""
    there = read_manifest(folder).splits
    return {(split, one.seed): one for split in splits if split in there for one in _read(folder, split)}


def _pairs(
    folder: Path, splits: Sequence[str], truth: dict[tuple[str, int], Any]
) -> Iterator[tuple[Any, Trajectory | FieldTrajectory | None]]:
    for split in splits:
        for one in _read(folder, split):
            true = truth.get((split, one.seed))
            if true is not None and len(true) != len(one):
                raise AnyOrderError(
                    f"the truth must have the same episodes; found {len(true)} actions of seed {one.seed}, where"
                    f" {folder} has {len(one)}; name the data set that was damaged"
                )
            yield one, true
