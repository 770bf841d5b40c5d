"""Writing plots."""

from __future__ import annotations

from pathlib import Path

from matplotlib.figure import Figure

from anyorder.files import replacing


def write_plot(figure: Figure, folder: Path, name: str) -> None:
    """Write ``NAME.png`` and ``NAME.svg``, each replaced at once; equal figures give equal files."""
    with replacing(folder / f"{name}.png") as temporary:
        figure.savefig(temporary, format="png", dpi=200)
    with replacing(folder / f"{name}.svg") as temporary:
        figure.savefig(temporary, format="svg", metadata={"Date": None})
