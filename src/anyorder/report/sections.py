"""The parts of a run's page, each as HTML: what it learned from, how it went, what was found, and films to play."""

from __future__ import annotations

from collections.abc import Callable
from html import escape
from typing import Any

import yaml
from rich.table import Table

from anyorder.data.storage import read_split
from anyorder.evaluation.findings import GridFindings
from anyorder.evaluation.statistics import Proportion
from anyorder.report.any_run import AnyRun
from anyorder.report.episodes import NUM_PARTS, episode_groups
from anyorder.report.field_run import FieldRun
from anyorder.report.figures import accuracy_figures, curve_figures, reliability_figures, robustness_figures
from anyorder.report.run import ReportedRun
from anyorder.report.tables import html_table
from anyorder.report.trajectories import asked_modes, trajectory_groups
from anyorder.studies.measures import SHARES
from anyorder.studies.promises import lookup

LEGEND = (
    '<p class="legend" aria-hidden="true"><span><i class="key-hidden"></i>hidden</span><span><i class="key-right"></i>'
    'rebuilt right</span><span><i class="key-wrong"></i>rebuilt wrong</span><span><i class="key-sure"></i>confidence</span>'
    "</p>"
)
FEW_ROWS = 8
KEYBOARD_NOTE = (
    '<p class="note">Keys: ← and → step, Home and End, space plays. In a view the arrow keys go from cell to cell.</p>'
)


def section(identity: str, title: str, *parts: str, level: int = 2) -> str:
    """A card with a heading as HTML; "" if all its parts are empty."""
    content = "\n".join(part for part in parts if part)
    if not content:
        return ""
    return (
        f'<section class="card" id="{identity}" aria-labelledby="{identity}-title">'
        f'<h{level} id="{identity}-title">{escape(title)}</h{level}>\n{content}\n</section>'
    )


def facts(pairs: list[tuple[str, str, str]]) -> str:
    """A list of facts as HTML; each is a name, a value and a remark (or "")."""
    items = (
        f"<div><dt>{escape(name)}</dt><dd>{escape(value)}" + (f"<small>{escape(more)}</small>" if more else "") + "</dd></div>"
        for name, value, more in pairs
    )
    return f'<dl class="facts">{"".join(items)}</dl>'


def learned_from(run: AnyRun) -> str:
    """What was trained, on what, and what is missing on the page."""
    training, masking = run.config["training"], run.config["masking"]
    mixture = ", ".join(f"{name} {_weight(share)}" for name, share in masking["mixture"].items())
    size = sum(parameter.numel() for parameter in run.model.parameters())
    pairs = [
        (run.PLACE, run.env_id, ""),
        *_data_facts(run),
        ("mixture of orders", mixture, f"hidden share asked for: {masking['mask_prob']}"),
        ("model", f"{size:,} parameters", _shape(run)),
        ("training", f"{run.num_updates:,} updates", f"{run.BATCH.format(**training)}, seed {training['seed']}"),
    ]
    warnings = "".join(f'<p class="warning">{_code(sentence)}</p>' for sentence in run.missing())
    text = yaml.safe_dump(run.config, sort_keys=False)
    return facts(pairs) + warnings + f"<details><summary>Whole configuration</summary><pre>{escape(text)}</pre></details>"


def _shape(run: AnyRun) -> str:
    """The size of a model, or where a language model comes from."""
    if isinstance(run, FieldRun):
        sizes = run.model.config
        return f"width {sizes.width}, {sizes.num_layers} layers; {len(run.model.spec.fields)} fields"
    language, model = run.config.get("language_model"), run.config["model"]
    if language is None:
        return f"width {model['width']}, {model['num_layers']} layers"
    name = language["checkpoint"] or language["architecture"]["model_type"]
    started = "" if language["checkpoint"] and language["pretrained"] else ", from random weights"
    return name + started + (", by an adapter" if language["adapter"] else "")


def _data_facts(run: AnyRun) -> list[tuple[str, str, str]]:
    if run.manifest is None:
        return []
    spec, splits = run.manifest.spec, run.manifest.splits
    failures = sum(len(split.failures) for split in splits.values())
    others = [f"{split.num_episodes:,} {name}" for name, split in splits.items() if name != "train"]
    used = []
    if train := splits.get("train"):
        count = run.config["data"]["num_demonstrations"] or train.num_episodes
        seeds = f"seeds {train.first_seed:,} to {train.last_seed:,}"
        used = [("demonstrations", f"{count:,} of {train.num_episodes:,}", f"{train.num_steps:,} steps; {seeds}")]
    return [
        *used,
        *further_sets(run.config),
        ("made by", str(spec.get("policy", "unknown")), f"{failures:,} of its episodes failed" if failures else ""),
        ("held out", ", ".join(others) or "nothing", "no environment seed is shared"),
    ]


def further_sets(config: dict[str, Any]) -> list[tuple[str, str, str]]:
    """The other data sets of a run: each with its share, its masking and the episodes that count."""
    data, found = config["data"], []
    for one in data.get("sets") or ():
        share = "as many as it has" if one["share"] is None else f"{one['share']:.0%} of the batches"
        number = "all" if one["num_demonstrations"] is None else f"{one['num_demonstrations']:,}"
        mixture = (one["masking"] or config["masking"])["mixture"]
        orders = ", ".join(f"{name} {_weight(weight)}" for name, weight in mixture.items())
        found.append(("beside it", one["path"], f"{share}; {number} of its {_EPISODES[one['episodes']]}; orders: {orders}"))
    return found


_EPISODES = {"all": "episodes", "successes": "successes", "failures": "failures"}


def _weight(share: Any) -> str:
    return str(share["weight"] if isinstance(share, dict) else share)


def _code(sentence: str) -> str:
    """Plain text, whose backticks mark code, as HTML."""
    parts = escape(sentence).split("`")
    return "".join(f"<code>{part}</code>" if number % 2 else part for number, part in enumerate(parts))


def curves(run: AnyRun, salt: str) -> str:
    """Loss and accuracies over the updates."""
    return plots(curve_figures({run.name: run.records}, salt)) if run.records else ""


def headlines(run: ReportedRun) -> str:
    """The shares that most readers look for, each with its interval; the tables below have the rest."""
    if run.findings is None:
        return ""
    found = {name: lookup(run.metrics, path) for name, path in SHARES.items()}
    pairs = [
        (name, *_rate_and_interval(Proportion(share["successes"], share["count"]))) for name, share in found.items() if share
    ]
    return facts(pairs) + f'<p class="note">{escape(_explained(run.findings))}</p>' if pairs else ""


def _explained(found: GridFindings) -> str:
    """What the shares in the headlines were counted on."""
    words = []
    if found.task_success:
        first, last = found.task_success.seeds
        words.append(f"Success is over episodes of {found.env_id}, seeds {first:,} to {last:,}.")
    if smoothing := found.modes.get("smoothing"):
        words.append(
            f"The rest is over {smoothing.num_trajectories:,} test demonstrations; a hidden cell is right if all that was"
            " hidden of it is, with past and future visible."
        )
        if any(group.knowable for group in smoothing.groups.values()):
            words.append("Knowable is a hidden object that stands visible, in the same state, in another frame.")
    return " ".join([*words, "In brackets: 95% Wilson intervals. Baselines are under “Findings in detail”."])


def _rate_and_interval(share: Proportion) -> tuple[str, str]:
    rate, _, interval = str(share).partition(" ")
    return rate, f"{interval} of {share.count:,}"


def findings(run: ReportedRun, salt: str) -> str:
    """Every metric that was stored, beside its baselines and with its interval."""
    if run.findings is None:
        return ""
    found = run.findings
    calibrations = {name: scores.calibration for name, scores in found.modes.items()}
    figures = accuracy_figures(found.modes, salt) + robustness_figures(found.robustness, salt)
    tables = found.tables(run.judged_by.metrics)
    return plots(figures + reliability_figures(calibrations, salt)) + "".join(
        folded(table, table is tables[0]) for table in tables
    )


def folded(table: Table, shown: bool) -> str:
    """A table as HTML; a long one is folded, and opens by itself only if it is ``shown``."""
    if len(table.rows) <= FEW_ROWS:
        return html_table(table)
    summary = f"<summary>{escape(str(table.title))}: {len(table.rows)} rows</summary>"
    return f"<details{' open' * shown}>{summary}{html_table(table)}</details>"


def plots(figures: list[str]) -> str:
    """Drawings side by side, as HTML."""
    return f'<div class="plots">{"".join(figures)}</div>' if figures else ""


def films(run: ReportedRun, num_shown: int, on_part: Callable[[], None] = lambda: None) -> dict[str, list[dict[str, Any]]]:
    """Groups of films to play: ``trajectories`` of the test split, if there is one, and ``episodes``.

    ``on_part`` is called `num_film_parts` times, for progress bars.

    Raises:
        AnyOrderError: when the environment cannot be made or the data set is damaged.
    """
    found: dict[str, list[dict[str, Any]]] = {}
    if run.has_test:
        test, asked = read_split(run.data, "test"), run.judged_by
        for trajectory in test:  # the folder may hold other data than in training
            run.model.check(trajectory.observations.shape[1:3], len(trajectory.mission.split()))
        shown = [trajectory for trajectory in test if run.can_show(len(trajectory))]
        found["trajectories"] = trajectory_groups(run.model, shown, num_shown, asked.cell_rate, asked.seed, on_part)
    found["episodes"] = episode_groups(run, num_shown, on_part)
    return found


def num_film_parts(run: ReportedRun) -> int:
    """How often `films` calls ``on_part``."""
    return NUM_PARTS + (len(asked_modes(run.judged_by.cell_rate)) if run.has_test else 0)


def player(name: str) -> str:
    """The place where ``assets/report.js`` puts a player, for the films of this name."""
    return f'{LEGEND}<div data-films="{name}"></div>{KEYBOARD_NOTE}'
