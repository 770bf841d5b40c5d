"""Nothing that is read from a file runs code that the user has not vouched for."""

import sys

import pytest

from anyorder.cli import main
from anyorder.errors import AnyOrderError
from anyorder.trust import check_trust, give_trust, trusting, trusts_code

MODULE = """
from pathlib import Path
Path({ran!r}).touch()
class Thing: ...
"""


@pytest.fixture
def theirs(tmp_path, monkeypatch):
    """A folder with a module ``of_somebody`` that can be imported; importing it leaves the file ``ran``."""
    (tmp_path / "of_somebody.py").write_text(MODULE.format(ran=str(tmp_path / "ran")))
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "of_somebody", raising=False)
    return tmp_path


def test_trust_ends_with_the_block():
    with trusting():
        assert trusts_code()
        with trusting(False):
            give_trust(True)
        assert trusts_code()
        check_trust(trusts_code(), "nothing")
    with pytest.raises(AnyOrderError, match="--trust_remote_code"):
        check_trust(trusts_code(), "the checkpoint brings code")


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
    path = theirs / "settings.yaml"
    levels = "levels: {a: {env: Nothing-v0, data: x}}\nseeds: [0]\ncomparisons: {}\n"
    path.write_text(f"{levels}arms: {{a: {{{config}}}}}\n" if study else config)
    named = ["study", "--study", str(path)] if study else ["train", "--config", str(path), "--data.path", str(theirs / "none")]
    with pytest.raises(SystemExit):
        main(named)
    assert not (theirs / "ran").exists() and "Traceback" not in capsys.readouterr().err
