"""Names in plots and in Markdown: there, too, a name is text, whatever it looks like."""

from __future__ import annotations

from anyorder.terminal import shown


def in_plot(name: str) -> str:
    """A name as matplotlib shows it unchanged: a dollar would begin a formula, and a name that begins with _ would be left out
    of the legend."""
    return shown(name).replace("$", r"\$").lstrip("_")


def in_markdown(name: str) -> str:
    """A name as a page in Markdown shows it unchanged, also within a table: it is no tag, no link and no end of a cell."""
    text = shown(name).replace("&", "&amp;").replace("<", "&lt;").replace("|", r"\|").replace("](", r"]\(")
    return " ".join(text.split())
