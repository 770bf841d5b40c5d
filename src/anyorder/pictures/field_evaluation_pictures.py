"""The pictures of an evaluation of any environment: a test trajectory, what was hidden of it, what was rebuilt."""

from __future__ import annotations

from pathlib import Path

from matplotlib import rc_context

from anyorder.elements.fields import EncodedFieldData
from anyorder.evaluation.field_evaluation import FieldEvaluation
from anyorder.evaluation.field_findings import FieldFindings
from anyorder.files import replacing
from anyorder.masking.strategies import answerable
from anyorder.pictures.field_plot import series_figure
from anyorder.pictures.field_series import field_series
from anyorder.pictures.more_shown_plot import write_more_shown
from anyorder.seeding import stream


def write_field_pictures(evaluation: FieldEvaluation, findings: FieldFindings, folder: Path) -> None:
    """Write ``reconstruction.png``, and ``more_shown.png`` and ``.svg`` where that was asked for.

    Raises:
        AnyOrderError: when the folder cannot be written.
    """
    write_field_picture(evaluation, folder)
    if findings.more_shown:
        write_more_shown(folder, findings.more_shown)


def write_field_picture(evaluation: FieldEvaluation, folder: Path) -> None:
    """Write ``reconstruction.png``, of the first test trajectory; nothing where it has nothing to hide.

    Raises:
        AnyOrderError: when the folder cannot be written.
    """
    model, strategy = evaluation.model, evaluation.cells()
    batch = EncodedFieldData(evaluation.test[:1], model.spec, model.max_frames).batch([0])
    if not answerable(strategy, batch.layout).all():
        return
    order = strategy(batch.layout, stream(evaluation.config.seed, "picture"))
    with rc_context({"font.size": 8}), replacing(folder / "reconstruction.png") as temporary:
        series_figure(field_series(model, batch, order)).savefig(temporary, format="png", dpi=150)
