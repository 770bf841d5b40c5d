"""The parts of the page of a run on data of any environment, each as HTML."""

from __future__ import annotations

from html import escape

from anyorder.build.elements import read_fields
from anyorder.config import DataConfig
from anyorder.masking.schedules import Rate
from anyorder.masking.strategies import Cell
from anyorder.report.field_figures import error_figures, quantile_figures, return_figures, trajectory_figures
from anyorder.report.field_run import FieldRun
from anyorder.report.figures import reliability_figures
from anyorder.report.sections import curves, facts, folded, learned_from, plots
from anyorder.report.trajectories import spread

SERIES_LEGEND = (
    '<p class="legend"><span><i class="key-truth"></i>truth</span><span><i class="key-ground"></i>hidden</span><span>'
    '<i class="key-answer"></i>the model’s median and 90% interval, or its category</span><span><i class="key-cross"></i>'
    "wrong category</span></p>"
)


def field_parts(run: FieldRun, salt: str, num_shown: int) -> list[tuple[str, str]]:
    """Title and content of each section. Their first words name the sections in links, so they must differ."""
    return [
        ("What it learned from", learned_from(run)),
        ("Results", field_headlines(run)),
        ("Trajectories, hidden and rebuilt", _trajectories(run, salt, num_shown)),
        ("Training", curves(run, salt)),
        ("Findings in detail", _details(run, salt)),
    ]


def field_headlines(run: FieldRun) -> str:
    """What most readers look for; the tables below have the rest."""
    found, pairs = run.findings, []
    if found is None:
        return ""
    if played := found.task_success:
        pairs.append(("return", *_apart(played.mean_return.words("{:,.1f}".format))))
        if played.normalised:
            pairs.append(("normalised return", *_apart(played.normalised.words("{:.1f}".format))))
        if played.success:
            pairs.append(("success", *_apart(str(played.success))))
        if found.demonstrations:
            pairs.append(("return of demonstrations", *_apart(found.demonstrations.mean_return.words("{:,.1f}".format))))
    for mode, name in (("next_action", "actions"), ("forward", "observations"), ("smoothing", "observations")):
        pairs += _scores_of(run, mode, name)
    words = "In brackets: 95% intervals over episodes. Baselines are under “Findings in detail”."
    return facts(pairs) + f'<p class="note">{escape(words)}</p>' if pairs else ""


def _scores_of(run: FieldRun, mode: str, kind: str) -> list[tuple[str, str, str]]:
    assert run.findings is not None
    scores = run.findings.modes.get(mode)
    if scores is None:
        return []
    # All of the kind, or its only field or group.
    kinds = {field.name: field.kind for field in run.model.spec.fields} | {g[0].group: g[0].kind for g in run.model.spec.groups}
    names = [name for name in scores.fields if f"{kinds.get(name, '')}s" == kind]
    chosen = f"all {kind}" if f"all {kind}" in scores.fields else (names[-1] if names else "")
    if not chosen:
        return []
    score, pairs = scores.fields[chosen], []
    if score.categories:
        right = score.categories.accuracy["model"].words("{:.1%}".format)
        pairs.append((f"{kind} right, {mode.replace('_', ' ')}", *_apart(right)))
    if score.numbers:
        error = score.numbers.root_mean_square["model"].words("{:.2f}".format)
        pairs.append((f"error of {kind} in deviations, {mode.replace('_', ' ')}", *_apart(error)))
    return pairs


def _apart(words: str) -> tuple[str, str]:
    value, _, interval = words.partition(" ")
    return value, interval


def _trajectories(run: FieldRun, salt: str, num_shown: int) -> str:
    if not run.has_test:
        return ""
    test, asked = read_fields(DataConfig(str(run.data)), "test"), run.judged_by
    shown = [test[number] for number in spread([len(one) for one in test], num_shown)]
    strategy = Cell(Rate(asked.cell_rate, asked.cell_rate))
    figures = trajectory_figures(run.model, shown, strategy, asked.seed, f" · smoothing{salt}")
    words = (
        f"{asked.cell_rate:.0%} of the cells (groups of fields, actions) are hidden; the model sees the rest, past and future."
    )
    return f'<p class="note">{words}</p>{SERIES_LEGEND}<div class="wide-plots">{"".join(figures)}</div>' if figures else ""


def _details(run: FieldRun, salt: str) -> str:
    """Every metric that was stored, beside its baselines and with its interval."""
    if run.findings is None:
        return ""
    found = run.findings
    calibrations = {name: scores.calibration for name, scores in found.modes.items() if scores.calibration}
    figures = error_figures(found.modes, salt) + quantile_figures(found.modes, salt) + return_figures(found.robustness, salt)
    tables = found.tables(run.judged_by.metrics)
    shown = "".join(folded(table, table is tables[0]) for table in tables)
    return plots(figures + reliability_figures(calibrations, salt)) + shown
