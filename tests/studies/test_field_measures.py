"""Columns of studies of any environment: what their runs' files hold, with the intervals of those files or over seeds."""

import pytest
from outcomes import make_study, runs_of

from anyorder.studies.field_measures import FIELD_FIGURES
from anyorder.studies.measures import measures
from anyorder.studies.runner import OWN_LEVEL, Outcome

(ERROR,) = [one for one in FIELD_FIGURES if one.name == "inverse dynamics, error in deviations"]
(RIGHT,) = [one for one in FIELD_FIGURES if one.name == "hidden actions, categories right"]


def measured(value):
    return {"value": value, "low": value - 0.1, "high": value + 0.1}


def outcome(run, error):
    """Two numbers as actions, and one category among the actions that are hidden."""
    numbers = {"root_mean_square": {"model": measured(error), "copy": measured(9.0)}, "near": {}}
    fields = {
        "action/0": {"numbers": None},
        "action/1": {"numbers": None},
        "all actions": {"numbers": numbers, "categories": None},
    }
    hidden = {"light": {"categories": None}, "action": {"categories": {"accuracy": {"model": measured(0.5)}}}}
    return Outcome(run, {}, {OWN_LEVEL: {"inverse_dynamics": {"fields": fields}, "smoothing": {"fields": hidden}}})


@pytest.fixture
def runs(tmp_path):
    return runs_of(make_study(tmp_path), "Red", "middle")


def test_one_seed_has_its_own_interval_and_several_have_students(runs):
    one = ERROR.score([outcome(runs[0], 0.4)])
    assert (one["value"], one["low"], one["high"], one["text"]) == (0.4, pytest.approx(0.3), 0.5, "0.400 [0.300, 0.500]")
    both = ERROR.score([outcome(runs[0], 0.4), outcome(runs[1], 0.6)])
    assert both["value"] == pytest.approx(0.5) and both["high"] - both["low"] > 2
    assert ERROR.score([outcome(runs[0], 0.4), Outcome(runs[1], {}, {OWN_LEVEL: {}})]) is None


def test_differences_are_paired_and_lower_errors_are_better(runs):
    ours, theirs = ([outcome(run, error) for run, error in zip(runs, errors)] for errors in ((0.4, 0.6), (0.5, 0.7)))
    assert ERROR.difference(ours, theirs).value == pytest.approx(-0.1)
    assert ERROR.show(ERROR.difference(ours, theirs)).startswith("-0.100 [")
    assert ERROR.show(ERROR.difference(ours[:1], theirs[:1])) == "-0.100"
    assert not ERROR.higher_is_better and RIGHT.higher_is_better


def test_the_only_field_of_a_kind_stands_for_all(runs):
    assert RIGHT.score([outcome(runs[0], 0.4)])["value"] == 0.5
    shown = [
        one.name for one in measures([outcome(runs[0], 0.4)]) if one in FIELD_FIGURES and one.score([outcome(runs[0], 0.4)])
    ]
    assert shown == ["hidden actions, categories right", "inverse dynamics, error in deviations"]
