"""The experiments of a study as Markdown: per comparison the verdict, a table, and plots."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from anyorder.evaluation.statistics import Proportion
from anyorder.pictures.names import in_markdown
from anyorder.studies.summary.experiment_plots import write_experiment_plots

HOW_VERDICTS = """\
Per comparison: the verdict, then the arms beside each other. The winner has the highest score, and the 95% interval of
its paired lead (by training seed and episode) over every other arm leaves out 0; otherwise the arms are not distinguishable.
The best arm is chosen by the same episodes, and the intervals are not widened for that: of k equal arms, one wins in up to
k times 2.5% of such comparisons. Comparisons across levels are decided on levels that none of the models was trained on.
Plots are also there as SVG."""

HOW_EQUAL = """\
Success on episodes of the validation split, at the last validation within the seconds that the quickest arm takes for all of
its updates (means over the seeds; the updates of an arm count as equally long). It is wall time: what else ran is in it."""


def verdict_section(experiments: Sequence[Mapping[str, Any]], folder: Path, parent: Path, link: str) -> list[str]:
    """Parts of a page; plots are written into ``folder``.

    Args:
        experiments: see `anyorder.studies.verdicts.experiments`.
        folder: where plots are written.
        parent: folder of the page; links are relative to it.
        link: path of the file with the numbers, for links.
    """
    if not experiments:
        return []
    parts = ["## Verdicts", HOW_VERDICTS, *(f"- **{_title(one)}.** {in_markdown(one['verdict'])}" for one in experiments)]
    bullets = "\n".join(parts[2:])
    return [*parts[:2], bullets, *(part for one in experiments for part in _experiment(one, folder, parent, link))]


def _title(experiment: Mapping[str, Any]) -> str:
    where = f" ({experiment['where']})" if experiment["where"] else ""
    return in_markdown(experiment["title"] + where)


def _experiment(experiment: Mapping[str, Any], folder: Path, parent: Path, link: str) -> list[str]:
    plots = write_experiment_plots(folder, experiment)
    pictures = [
        f"![{in_markdown(caption)}]({png.relative_to(parent).as_posix()})\n\n*{in_markdown(caption)}.*"
        for caption, png in plots.items()
    ]
    table, in_time = _table(experiment, link), _equal_seconds(experiment["equal_seconds"], link)
    return [f"## {_title(experiment)}", in_markdown(experiment["verdict"]), table, *in_time, *pictures]


def _equal_seconds(found: Mapping[str, Any] | None, link: str) -> list[str]:
    """The arms after equal seconds; nothing if that is not known."""
    if found is None:
        return []
    rows = [
        [
            in_markdown(row["label"]),
            f"{row['seconds']:,.0f}",
            f"{row['updates']:,.0f}",
            f"[{Proportion(row['success']['successes'], row['success']['count'])}]({link})",
            ", ".join(f"{point['rate']:.1%}" for point in row["by_seed"]),
        ]
        for row in found["rows"]
    ]
    header = ["arm", "seconds of its whole training", "updates in time", "success then", "by seed"]
    lines = "\n".join("| " + " | ".join(line) + " |" for line in [header, ["---"] * len(header), *rows])
    return [f"### After {found['seconds']:,.0f} seconds of training each", HOW_EQUAL, lines]


def _table(experiment: Mapping[str, Any], link: str) -> str:
    rows, deciding = experiment["rows"], experiment["measure"]
    columns = list(dict.fromkeys([deciding, *(name for row in rows for name in row["scores"])]))
    header = ["arm", columns[0], f"lead of {in_markdown(experiment['best'] or 'the best')}", *columns[1:], "seeds"]
    lines = [header, ["---"] * len(header)]
    for row in rows:
        scores = [_linked(row["scores"].get(name), link) for name in columns]
        label = in_markdown(row["label"])
        name = f"**{label}**" if row["label"] == experiment["winner"] else label
        lead = "" if row["label"] == experiment["best"] else _linked(row["lead"], link)
        lines.append([name, scores[0], lead, *scores[1:], ", ".join(map(str, row["seeds"])) or "none"])
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _linked(number: Mapping[str, Any] | None, link: str) -> str:
    return "not measured" if number is None else f"[{number['text']}]({link})"
