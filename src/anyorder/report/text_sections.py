"""The parts of the page of a run on conversations, each as HTML."""

from __future__ import annotations

from html import escape

from anyorder.report.figures import robustness_figures
from anyorder.report.sections import curves, facts, folded, learned_from, plots
from anyorder.report.text_run import TextRun
from anyorder.report.text_turns import hidden_conversations, played_episodes


def text_parts(run: TextRun, salt: str, num_shown: int) -> list[tuple[str, str]]:
    """Title and content of each section. Their first words name the sections in links, so they must differ.

    Raises:
        AnyOrderError: when the data set is damaged.
    """
    return [
        ("What it learned from", learned_from(run)),
        ("Results", _headlines(run)),
        ("Conversations, hidden and rebuilt", hidden_conversations(run, num_shown)),
        ("Episodes of its agent", played_episodes(run, num_shown)),
        ("Training", curves(run, salt)),
        ("Findings in detail", _details(run, salt)),
    ]


def _headlines(run: TextRun) -> str:
    """What most readers look for; the tables below have the rest."""
    found, pairs = run.findings, []
    if found is None:
        return ""
    for one in found.played:
        where = f"{one.task}, {one.split}" if len(found.played) > 1 else one.split
        if one.success:
            pairs.append((f"success, {where}", *_apart(f"{one.success}")))
        if one.score:
            pairs.append((f"score, {where}", *_apart(one.score.words("{:.2f}".format))))
    for choice in found.choices:
        pairs.append(("demonstrated actions chosen", *_apart(str(choice.agent))))
    for way, scores in found.scores.items():
        pairs += [(f"tokens of {name} right, {way}", *_apart(str(scores[name].accuracy))) for name in _KINDS if name in scores]
    words = "In brackets: 95% intervals. Baselines are under “Findings in detail”."
    return facts(pairs) + f'<p class="note">{escape(words)}</p>' if pairs else ""


_KINDS = ("actions", "observations")


def _apart(words: str) -> tuple[str, str]:
    value, _, interval = words.partition(" ")
    return value, interval


def _details(run: TextRun, salt: str) -> str:
    """Every metric that was stored, beside its baselines and with its interval."""
    if run.findings is None:
        return ""
    tables = "".join(folded(table, shown=True) for table in run.findings.tables())
    return plots(robustness_figures(run.findings.robustness, salt)) + tables
