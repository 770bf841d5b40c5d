"""A run, or several, as one HTML file to look at and play with. It needs no network and no other file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape
from importlib.resources import files
from typing import Any

from anyorder.pages.atlas import atlas
from anyorder.pages.page import Page, asset
from anyorder.report.any_run import AnyRun
from anyorder.report.comparison import comparison, names_of
from anyorder.report.field_run import FieldRun
from anyorder.report.field_sections import field_parts
from anyorder.report.run import ReportedRun
from anyorder.report.sections import curves, films, findings, headlines, learned_from, num_film_parts, player, section
from anyorder.report.text_sections import text_parts

REPORT_ASSETS = files("anyorder.report") / "assets"


def num_parts(runs: Sequence[AnyRun]) -> int:
    """How often `report_page` calls ``on_part``."""
    return sum(num_film_parts(run) if isinstance(run, ReportedRun) else 1 for run in runs)


def report_page(runs: Sequence[AnyRun], num_shown: int, on_part: Callable[[], None] = lambda: None) -> str:
    """The page as HTML.

    Args:
        runs: at least one; several are compared.
        num_shown: films of each kind.
        on_part: called `num_parts` times, for progress bars.

    Raises:
        AnyOrderError: when an environment cannot be made, or a data set is damaged.
    """
    data: dict[str, Any] = {"atlas": atlas()}
    links, parts = [], []
    if len(runs) > 1:
        links.append(("compared", "Side by side"))
        parts.append(section("compared", "Side by side", comparison(runs)))
    for number, (run, name) in enumerate(zip(runs, names_of(runs))):
        salt = f" · {name}" if len(runs) > 1 else ""
        if not isinstance(run, ReportedRun):
            contents = field_parts(run, salt, num_shown) if isinstance(run, FieldRun) else text_parts(run, salt, num_shown)
            on_part()
        else:
            found = films(run, num_shown, on_part)
            data |= {f"{kind}-{number}": groups for kind, groups in found.items()}
            contents = _parts(run, salt, found, number)
        for title, content in contents:
            identity = f"{title.split()[0].lower()}-{number}"
            part = section(identity, title + salt, content)
            if part:
                links.append((identity, title + salt))
                parts.append(part)
    page = Page(
        title=f"anyorder: {', '.join(names_of(runs))}",
        body=_body(runs, links, parts),
        styles=[asset("style.css"), _report_asset("report.css")],
        scripts=[asset("theme.js"), asset("grid.js"), _report_asset("player.js"), _report_asset("report.js")],
        data=data,
    )
    return page.html()


def _parts(run: ReportedRun, salt: str, found: dict[str, Any], number: int) -> list[tuple[str, str]]:
    """Title and content of each section of a run. Their first words name the sections in links, so they must differ."""
    return [
        ("What it learned from", learned_from(run)),
        ("Results", headlines(run)),
        ("Trajectories, hidden and rebuilt", player(f"trajectories-{number}") if "trajectories" in found else ""),
        ("Episodes of its agent", player(f"episodes-{number}")),
        ("Training", curves(run, salt)),
        ("Findings in detail", findings(run, salt)),
    ]


def _body(runs: Sequence[AnyRun], links: Sequence[tuple[str, str]], parts: Sequence[str]) -> str:
    if len(runs) > 1:  # link to where each run begins
        links = [*links[:1], *((f"what-{number}", name) for number, name in enumerate(names_of(runs)))]
    navigation = "".join(f'<a href="#{identity}">{escape(title)}</a>' for identity, title in links)
    title = f"Run {runs[0].name}" if len(runs) == 1 else f"{len(runs)} runs"
    levels = " and ".join(dict.fromkeys(run.env_id for run in runs))
    return "\n".join(
        [
            '<header class="top"><strong>anyorder</strong>'
            f'<nav aria-label="sections">{navigation}</nav><button type="button" data-theme-toggle></button></header>',
            "<main>",
            f"<h1>{escape(title)}</h1>",
            f'<p class="lead">Trained any-order on {escape(levels)}: one model that acts, foresees and fills in.</p>',
            *parts,
            "</main>",
        ]
    )


def _report_asset(name: str) -> str:
    return (REPORT_ASSETS / name).read_text(encoding="utf-8")
