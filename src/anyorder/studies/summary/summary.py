"""RESULTS_SUMMARY.md of a study: its results.json as tables, every number with a link to the file it is stored in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from anyorder.files import replacing
from anyorder.pictures.names import in_markdown
from anyorder.studies.study import Study, size_name
from anyorder.studies.summary.efficiency_plot import write_efficiency_plot
from anyorder.studies.summary.verdict_section import verdict_section

SUMMARY_FILE = "RESULTS_SUMMARY.md"
HOW_SUMMARIES = """\
Rates are pooled over the seeds, with 95% Wilson intervals; these take episodes and elements as independent, so they
are too narrow for elements of one trajectory. Reward, score and length have bootstrap intervals over seeds and episodes, NLL
(nats per element) Student's over the seeds. Differences are paired: success, reward, score and length by training seed and
episode, with bootstrap intervals over both; everything else by training seed, with Student's interval, and without one
for a single seed. Rates differ in percentage points. An arm is better or worse than the reference if the 95% interval of
the difference leaves out 0; of twenty such verdicts on equal arms one is expected to be wrong."""

EFFICIENCY = """How many demonstrations an arm needs until its runs succeed in 99% of episodes on average, with a 95% credible
interval: a logistic curve of their logarithm, with an irreducible rest, and runs that differ, fitted to all sizes and
seeds (`anyorder.studies.efficiency`). What lies outside of the measured sizes is only said to lie there. BabyAI's
figures are those of its version 1.0 with a bot's demonstrations (Chevalier-Boisvert et al., 2019), where each run counts
with its best success while training."""


def write_summary(
    path: Path, study: Study, results: Mapping[str, Any], results_file: Path, command: str, minutes: float
) -> None:
    """Write the summary, and its plots beside the results file.

    Args:
        path: of the summary; links are relative to its folder.
        study: what was run.
        results: see `anyorder.studies.results.results`.
        results_file: where they are stored.
        command: what repeats the study.
        minutes: how long it took this time.
    """
    link = results_file.relative_to(path.parent).as_posix()
    failed = [in_markdown(f"- {entry['run']}: {entry['error']}") for entry in results["failed"]]
    parts = [
        f"# Results of {path.parent.name}",
        f"```bash\n{command}\n```",
        f"It took {minutes:.1f} minutes; finished runs are not repeated. Training seeds {_listed(study.every_seed())};"
        f" {_listed(sorted({arm.evaluation.num_episodes for arm in study.arms}))} episodes per run, the same for all.",
        *verdict_section(results["experiments"], results_file.parent, path.parent, link),
        "## Everything that was measured",
        HOW_SUMMARIES,
        *(part for table in results["tables"] for part in _table(table, link)),
        *_filled(results["filled"]),
        *_efficiency(results["efficiency"], results_file.parent, path.parent, link),
        "## Failed runs\n\n" + ("\n".join(failed) or "None."),
    ]
    with replacing(path) as temporary:
        temporary.write_text("\n\n".join(parts) + "\n")


def _listed(numbers: Iterable[int]) -> str:
    return ", ".join(map(str, numbers))


def _table(table: Mapping[str, Any], link: str) -> list[str]:
    rows = table["rows"]
    columns = list(dict.fromkeys(name for row in rows for name in row["scores"]))
    scores = [
        [in_markdown(row["arm"]), *(_cell(row["scores"].get(name), link) for name in columns), _runs(row)] for row in rows
    ]
    return [
        f"## {in_markdown(table['level'])}, {size_name(table['size'])}",
        _markdown(["arm", *columns, "seeds"], scores),
        *(_comparison(comparison, link) for comparison in table["comparisons"]),
        "### What the arms learned from, means over the seeds",
        _effort(rows, link),
    ]


def _filled(entries: Sequence[Mapping[str, Any]]) -> list[str]:
    """The part on what arms filled in; none if nothing was."""
    rows = [
        [
            in_markdown(entry["level"]),
            in_markdown(entry["arm"]),
            f"[{entry['seed']}]({entry['file']})",
            in_markdown(entry["set"]),
            *_part(part, entry),
        ]
        for entry in entries
        for part in entry["parts"]
    ]
    return ["## What was filled in", _markdown(["level", "by", "seed", "data", "part", *FILLED], rows)] if rows else []


FILLED = ("filled", "still absent", "expected accuracy", "true accuracy", "calibration error")


def _part(part: Mapping[str, Any], entry: Mapping[str, Any]) -> list[str]:
    right, error = part["right"], part["calibration_error"]
    cells = [
        f"{part['num_filled']:,}",
        f"{part['num_absent']:,}",
        "none" if part["expected_accuracy"] is None else f"{part['expected_accuracy']:.1%}",
        "unknown" if right is None else f"{right['rate']:.1%} [{100 * right['low']:.1f}, {100 * right['high']:.1f}]",
        "unknown" if error is None else f"{error:.1%}",
    ]
    return [part["part"], *(f"[{cell}]({entry['file']})" for cell in cells)]


def _efficiency(entries: Sequence[Mapping[str, Any]], folder: Path, parent: Path, link: str) -> list[str]:
    """The parts on sample efficiency, whose plots are written into ``folder``; none if no arm was judged at two sizes."""
    if not entries:
        return []
    plot, _ = (file.relative_to(parent).as_posix() for file in write_efficiency_plot(folder, entries))
    rows = [
        [in_markdown(entry["level"]), in_markdown(entry["arm"]), _cell(entry["needed"], link), _babyai(entry, link)]
        for entry in entries
    ]
    return [
        "## Demonstrations needed for 99% success",
        EFFICIENCY,
        _markdown(["level", "arm", "needed", "BabyAI"], rows),
        f"![Success against demonstrations, with the fitted curves]({plot})",
    ]


def _babyai(entry: Mapping[str, Any], link: str) -> str:
    if entry["babyai"] is None:
        return "not published"
    low, high = entry["babyai"]
    return f"[{low:,} to {high:,}]({link})"


def _comparison(comparison: Mapping[str, Any], link: str) -> str:
    rows = comparison["rows"]
    columns = list(dict.fromkeys(name for row in rows for name in row["differences"]))
    cells = [
        [in_markdown(row["arm"]), *(_cell(row["differences"].get(name), link) for name in columns), _listed(row["seeds"])]
        for row in rows
    ]
    title = in_markdown(f"{comparison['title']}: differences to {comparison['reference']}")
    return f"### {title}\n\n" + _markdown(["arm", *columns, "seeds"], cells)


def _cell(number: Mapping[str, Any] | None, link: str) -> str:
    if number is None:
        return "not measured"
    verdict = f"<br>{_emphasised(number['verdict'])}" if "verdict" in number else ""
    return f"[{number['text']}]({link}){verdict}"


def _emphasised(verdict: str) -> str:
    return verdict if verdict.startswith("not") else f"**{verdict}**"


def _runs(row: Mapping[str, Any]) -> str:
    """Each seed as a link to its metrics."""
    return ", ".join(f"[{run['seed']}]({run['files'][0]})" for run in row["runs"]) or "none"


EFFORT = {
    "updates": "{updates:,.0f}",
    "trajectories": "{trajectories:,.0f}",
    "frames": "{frames:,.0f}",
    "tokens": "{tokens:,.0f}",
    "elements per update": "{elements_per_update:,.0f}",
    "targets per update": "{targets_per_update:,.0f}",
    "minutes of training": "{training_minutes:.1f}",
    "minutes of judging": "{judging_minutes:.1f}",
}
"""Column -> format of its cells. Trajectories are long in frames or in tokens, never in both."""


def _effort(rows: Sequence[Mapping[str, Any]], link: str) -> str:
    """The table of what each arm learned from."""
    known = {key for row in rows for key in row["effort"]}
    columns = {name: form for name, form in EFFORT.items() if name not in ("frames", "tokens") or name in known}
    return _markdown(["arm", *columns], [[in_markdown(row["arm"]), *_efforts(row["effort"], columns, link)] for row in rows])


def _efforts(effort: Mapping[str, float], columns: Mapping[str, str], link: str) -> list[str]:
    if not effort:
        return ["no result"] * len(columns)
    minutes = {f"{name}_minutes": effort[f"{name}_seconds"] / 60 for name in ("training", "judging")}
    return [f"[{form.format(**effort, **minutes)}]({link})" for form in columns.values()]


def _markdown(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
