"""Nothing that is read from a file runs code that the user has not vouched for."""

import sys

import pytest

from anyorder.cli import main
from anyorder.envs.minigrid import make_env
from anyorder.errors import AnyOrderError
from anyorder.trust import Carried, Trust, check_code, give_trust, given_trust, trusting

ENVIRONMENT = """
from pathlib import Path
from gymnasium import register
Path({ran!r}).touch()
register("OfSomebody-v0", entry_point="minigrid.envs:EmptyEnv")
"""


@pytest.fixture
def theirs(tmp_path, monkeypatch):
    """A module ``of_somebody`` that can be imported; importing it leaves the file ``ran``."""
    (tmp_path / "of_somebody.py").write_text(ENVIRONMENT.format(ran=str(tmp_path / "ran")))
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "of_somebody", raising=False)
    return tmp_path


def test_an_environment_imports_no_module_that_the_user_has_not_named(theirs):
    with pytest.raises(AnyOrderError, match=r"would import the module of_somebody.*give --trust_remote_code"):
        make_env("of_somebody:OfSomebody-v0")
    assert not (theirs / "ran").exists()
    with trusting(Trust(modules=frozenset({"of_somebody"}))):
        make_env("of_somebody:OfSomebody-v0")
    make_env("of_somebody:OfSomebody-v0")  # imported before, so nothing new runs


def test_trust_ends_with_the_block_and_goes_along_to_other_processes():
    with trusting(Trust(code=True)):
        carried = Carried(given_trust)
    assert not given_trust().code and carried().code and not given_trust().code
    with trusting(Trust()):
        give_trust(True, "one:A-v0+B-v0+two.three:C-v0")
        assert given_trust() == Trust(True, frozenset({"one", "two.three"}))
        check_code("nothing")
    with pytest.raises(AnyOrderError, match="--trust_remote_code"):
        check_code("the checkpoint brings code")


@pytest.mark.parametrize(
    "config",
    [
        "model: of_somebody.Thing",
        "model: {class_path: of_somebody.Thing}",
        "data: {class_path: of_somebody.Thing}",
        "language_model: {class_path: of_somebody.Thing}",
        "language_model: {architecture: {model_type: bert, more: {class_path: of_somebody.Thing}}}",
        "masking: {mixture: {one: {weight: 1, strategy: {class_path: of_somebody.Thing}}}}",
        "masking: {mixture: {one: {weight: 1, strategy: {class_path: of_somebody.Thing, init_args: {a: 1}}}}}",
        "masking: {mixture: {cell: 1}, attribute_probs: {class_path: of_somebody.Thing}}",
        "training: {class_path: of_somebody.Thing}",
        "training: !!python/object/apply:of_somebody.Thing []",
    ],
)
@pytest.mark.parametrize("study", [False, True], ids=["train", "study"])
def test_a_configuration_imports_no_class(config, study, theirs, capsys):
    with (theirs / "of_somebody.py").open("a") as module:
        module.write("class Thing: ...\n")
    path = theirs / "settings.yaml"
    levels = "levels: {a: {env: Nothing-v0, data: x}}\nseeds: [0]\ncomparisons: {}\n"
    path.write_text(f"{levels}arms: {{a: {{{config}}}}}\n" if study else config)
    named = ["study", "--study", str(path)] if study else ["train", "--config", str(path), "--data.path", str(theirs / "none")]
    with pytest.raises(SystemExit):
        main(named)
    assert not (theirs / "ran").exists() and "Traceback" not in capsys.readouterr().err
