"""Strategies by name, of this package and of others that are installed."""

import sys

import pytest

from anyorder.masking.strategies import STRATEGIES, Cell, strategy_class


@pytest.fixture
def install(tmp_path, monkeypatch):
    """``install(name, target)``: a package whose metadata names a strategy, as an installer leaves it."""

    def write(name, target="far_away:Sideways"):
        folder = tmp_path / f"far_away_{name}-1.0.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: far_away_{name}\nVersion: 1.0\n")
        (folder / "entry_points.txt").write_text(f"[anyorder.strategies]\n{name} = {target}\n")
        (tmp_path / "far_away.py").write_text("class Sideways:\n    pass\n")

    monkeypatch.syspath_prepend(str(tmp_path))
    yield write
    sys.modules.pop("far_away", None)


def test_a_name_of_the_table_gives_its_class():
    assert strategy_class("cell") is Cell
    assert all(strategy_class(name) is cls for name, cls in STRATEGIES.items())


def test_an_unknown_name_is_refused_with_those_known(install):
    install("sideways")
    with pytest.raises(ValueError, match=r"must be one of cell, token, .*blocks, mixture, .*at_once, sideways; found cel$"):
        strategy_class("cel")


def test_another_package_adds_a_strategy_which_is_loaded_when_asked_for(install):
    install("sideways")
    install("broken", "no_such_module:Nothing")
    assert strategy_class("cell") is Cell and "far_away" not in sys.modules
    assert strategy_class("sideways").__name__ == "Sideways"


@pytest.mark.parametrize("name", ["cell", "mixture", "window"])
def test_a_name_is_taken_once(install, name):
    install(name)
    with pytest.raises(ValueError, match=f"found {name} more than once.*far_away:Sideways"):
        strategy_class(name)
    assert strategy_class("token").__name__ == "Token", "other names still work"
