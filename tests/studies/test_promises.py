"""A promise is kept when the figure that was reached is no lower than it."""

from io import StringIO

import pytest
from rich.console import Console

from anyorder.errors import AnyOrderError
from anyorder.evaluation.statistics import Proportion
from anyorder.studies.promises import Promise, check_promises, lookup, read_promises

METRICS = {"task_success": {"success": Proportion(96, 100).to_json(), "mean_reward": 0.5}}


def check(*promises):
    table, kept = check_promises(promises, METRICS)
    console = Console(width=140, file=StringIO(), record=True)
    console.print(table)
    return console.export_text(), kept


def success(at_least, aim=None):
    return Promise("success", "task_success.success", at_least, aim)


def test_a_figure_that_is_just_reached_keeps_the_promise():
    shown, kept = check(success(0.96, aim=0.99))
    assert kept and "yes" in shown
    # The 95% Wilson interval of 96 in 100, z = 1.96: (0.96 + 0.0192 -+ 1.96 sqrt(0.000384 + 0.0000960)) / 1.0384.
    assert "96.0% [90.2%, 98.4%]" in shown and "99%" in shown


def test_one_broken_promise_breaks_all():
    shown, kept = check(success(0.9), success(0.97), success(0.5))
    assert not kept and shown.count("NO") == 1 and shown.count("yes") == 2


def test_what_was_not_measured_was_not_kept():
    shown, kept = check(Promise("cells", "smoothing.groups.cell.accuracy", 0.0))
    assert not kept and "not measured" in shown


def test_a_path_leads_to_its_proportion_or_nowhere():
    assert lookup(METRICS, "task_success.success")["successes"] == 96
    for path in ("task_success.failure", "task_success.mean_reward.rate", "nowhere"):
        assert lookup(METRICS, path) is None


def test_promises_are_read_with_and_without_an_aim(tmp_path):
    path = tmp_path / "promises.yaml"
    path.write_text("- {name: success, metric: task_success.success, at_least: 0.9}\n")
    assert read_promises(path) == [success(0.9)]


@pytest.mark.parametrize("yaml", ["", "- 3", "- {name: success}", "- {nam: x, metric: y, at_least: 0.5}", "{a: b}"])
def test_what_are_no_promises_is_refused(tmp_path, yaml):
    path = tmp_path / "promises.yaml"
    path.write_text(yaml)
    with pytest.raises(AnyOrderError, match="name, metric, at_least"):
        read_promises(path)
