"""How plots look in print: legible at column width, told apart without color, text that stays text.

Colors are those of Okabe and Ito (2008), which people with any color vision tell apart; each goes with a line style and a
marker of its own, so that a copy in black and white can be read too.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from anyorder.files import replacing

PRINT_COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
LINES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (8, 2)), (0, (1, 2)))
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
HATCHES = ("", "///", "...", "\\\\\\", "xxx", "+++", "ooo")
PANEL_INCHES = (3.4, 2.6)
HANDLE_INCHES, CHARACTER_INCHES = 0.8, 0.075
"""Widths in a legend: of a line with the space around it, and of a letter."""
PRINT_FONTS: dict[Any, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "axes.titlesize": 9.5,
    "axes.labelsize": 9,
    "legend.fontsize": 8.5,
    "xtick.labelsize": 8.5,
    "ytick.labelsize": 8.5,
    "svg.fonttype": "none",
    "text.parse_math": False,
    "hatch.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
}


def line(number: int) -> dict[str, Any]:
    """Color, line style and marker of the arm with this number, as arguments of a plot."""
    shown = {"color": PRINT_COLORS, "linestyle": LINES, "marker": MARKERS}
    return {name: values[number % len(values)] for name, values in shown.items()} | {"linewidth": 1.4, "markersize": 4.5}


def bar(number: int) -> dict[str, Any]:
    """Fill and hatching of the arm with this number, as arguments of a bar."""
    return {
        "facecolor": PRINT_COLORS[number % len(PRINT_COLORS)],
        "hatch": HATCHES[number % len(HATCHES)],
        "edgecolor": "white",
    }


def panels(columns: int, rows: int = 1) -> tuple[Figure, list[Axes]]:
    """A figure and its panels, row by row. Call this, and draw, inside of `printed`."""
    figure = Figure(figsize=(columns * PANEL_INCHES[0], rows * PANEL_INCHES[1] + 0.5), layout="constrained")
    axes = [figure.add_subplot(rows, columns, number + 1) for number in range(rows * columns)]
    for panel in axes:
        panel.grid(alpha=0.3, linewidth=0.6)
        panel.set_axisbelow(True)
    return figure, axes


def legend_below(figure: Figure, first: Sequence[str]) -> None:
    """One legend for all panels, under them, in as many columns as fit; the labels in
    ``first`` come first, in that order."""
    found = [panel.get_legend_handles_labels() for panel in figure.axes]
    known = {label: handle for panel in found for handle, label in zip(*panel)}
    if not known:
        return
    handles = {label: known[label] for label in dict.fromkeys([*first, *known]) if label in known}
    inches = HANDLE_INCHES + CHARACTER_INCHES * max(map(len, handles))
    columns = max(1, min(len(handles), int(figure.get_figwidth() / inches)))
    figure.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=columns, frameon=False, handlelength=3.2)


def printed() -> Any:
    """The context in which figures are made and written."""
    return rc_context(PRINT_FONTS)


def write_both(figure: Figure, folder: Path, name: str) -> Path:
    """Write ``NAME.png`` (at 200 dots per inch) and ``NAME.svg`` into ``folder``, the same bytes for the same figure; return
    the path of the PNG."""
    png, svg = folder / f"{name}.png", folder / f"{name}.svg"
    with rc_context({"svg.hashsalt": name}):
        with replacing(png) as temporary:
            figure.savefig(temporary, format="png", dpi=200)
        with replacing(svg) as temporary:
            figure.savefig(temporary, format="svg", metadata={"Date": None})
    return png
