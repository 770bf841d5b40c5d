"""Tables of an evaluation (rich ones, made in one place) as Markdown and as HTML."""

from __future__ import annotations

import re
from html import escape

from rich.table import Table

INTERVAL = re.compile(r"(\[[^\]]*\])")
SECTION = ' class="section"'


def markdown(table: Table) -> str:
    """A rich table as Markdown, under its title."""
    lines = [
        "| " + " | ".join(str(column.header) for column in table.columns) + " |",
        "|" + "---|" * len(table.columns),
        *("| " + " | ".join(row) + " |" for row in _rows(table)),
    ]
    return f"## {table.title}\n\n" + "\n".join(lines)


def html_table(table: Table) -> str:
    """A rich table as HTML: its title as caption, right-justified columns as numbers, a line where a section begins."""
    kinds = [' class="number"' if column.justify == "right" else "" for column in table.columns]
    header = "".join(f'<th scope="col"{kind}>{escape(str(c.header))}</th>' for kind, c in zip(kinds, table.columns))
    begins = [False, *(row.end_section for row in table.rows)]
    body = "".join(
        f"<tr{SECTION if begin else ''}>"
        + "".join(f"<td{kind}>{cell_html(cell)}</td>" for kind, cell in zip(kinds, row))
        + "</tr>\n"
        for begin, row in zip(begins, _rows(table))
    )
    title = escape(str(table.title))
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{title}"><table><caption>{title}</caption>'
        f"<thead><tr>{header}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def cell_html(text: str) -> str:
    """Plain text as HTML, with its intervals in small type."""
    return INTERVAL.sub(r'<small class="quiet">\1</small>', escape(text))


def _rows(table: Table) -> list[tuple[str, ...]]:
    return list(zip(*([str(cell) for cell in column.cells] for column in table.columns)))
