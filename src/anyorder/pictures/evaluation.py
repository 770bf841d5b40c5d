"""The pictures of an evaluation: a reconstruction, a reliability plot, a film."""

from __future__ import annotations

from pathlib import Path

from anyorder.acting.corruptions import Occlusion
from anyorder.acting.rollout import finished, roll_out
from anyorder.evaluation.evaluate import Evaluation
from anyorder.evaluation.findings import GridFindings
from anyorder.files import replacing
from anyorder.pictures.films import episode_film
from anyorder.pictures.more_shown_plot import write_more_shown
from anyorder.pictures.reconstruction import reconstruction_picture
from anyorder.pictures.reliability_plot import write_reliability
from anyorder.seeding import stream

PICTURED_FRAMES = 8


def write_pictures(evaluation: Evaluation, findings: GridFindings, folder: Path) -> None:
    """Draw what was found: ``reliability.png`` and ``.svg`` of what was scored, ``reconstruction.png`` of hidden cells,
    ``more_shown.png`` and ``.svg`` of the same questions from more and more context, and
    ``episodes.gif`` and ``.mp4`` where episodes were played.

    Raises:
        AnyOrderError: when the folder cannot be written.
    """
    if findings.modes:
        write_reliability(folder, {name: scores.calibration for name, scores in findings.modes.items()})
    if findings.more_shown:
        write_more_shown(folder, findings.more_shown)
    if "smoothing" in findings.modes:
        _write_reconstruction(evaluation, folder / "reconstruction.png")
    if evaluation.config.plays and evaluation.config.num_gif_episodes:
        _write_film(evaluation, folder)


def _write_reconstruction(evaluation: Evaluation, path: Path) -> None:
    """Draw the test trajectory whose length is closest to `PICTURED_FRAMES`."""
    lengths = evaluation.test.lengths
    chosen = min(range(len(lengths)), key=lambda i: abs(lengths[i] - PICTURED_FRAMES))
    batch = evaluation.test.batch([chosen])
    order = evaluation.cells()(batch.layout, stream(evaluation.config.seed, "picture"))
    with replacing(path) as temporary:
        reconstruction_picture(evaluation.model, batch, order, PICTURED_FRAMES).save(temporary, "PNG")


def _write_film(evaluation: Evaluation, folder: Path) -> None:
    """Film the first episodes, played with holes that the agent is told about."""
    first, holes = evaluation.config.first_seed, Occlusion(evaluation.config.cell_rate)
    seeds = range(first, first + evaluation.config.num_gif_episodes)
    played = finished(roll_out(evaluation.policy(), evaluation.env_id, seeds, holes))
    if played:
        episode_film(evaluation.model, played, holes).write(folder, "episodes")
