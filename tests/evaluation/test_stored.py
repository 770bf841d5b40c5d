"""What an evaluation wrote is read back as it was."""

import json
from contextlib import suppress

import pytest

from anyorder.errors import AnyOrderError
from anyorder.evaluation.evaluate import Evaluation, EvaluationConfig
from anyorder.evaluation.outcomes import read_outcomes
from anyorder.evaluation.stored import findings_from, read_findings

pytestmark = pytest.mark.usefixtures("short_episodes")


@pytest.fixture(scope="module")
def written(make_model, vocabulary, encoded, tmp_path_factory):
    """The findings, and the file that they were written to."""
    config = EvaluationConfig("all", num_episodes=2, num_gif_episodes=0, robustness={"occlusion": [0.2]})
    folder = tmp_path_factory.mktemp("stored")
    evaluation = Evaluation(make_model((7, 7), vocabulary), encoded, encoded, "MiniGrid-Empty-5x5-v0", config)
    return evaluation.run(folder), folder / "metrics.json"


def test_every_number_comes_back(written):
    findings, path = written
    stored, config = read_findings(path)
    assert stored == findings and stored.to_json() == findings.to_json()
    assert config.num_episodes == 2 and config.robustness == {"occlusion": [0.2]}
    rows = lambda found: [[list(c.cells) for c in t.columns] for t in found.tables(config.metrics)]  # noqa: E731
    assert rows(stored) == rows(findings)


def test_what_was_not_asked_is_none():
    found = findings_from({"config": {}, "env_id": "somewhere"})
    assert (found.modes, found.task_success, found.robustness, found.goals) == ({}, None, [], None)


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: content["forward"].pop("groups"),
        lambda content: content["task_success"].update(success="often"),
        lambda content: content["task_success"]["success"].update(successes=3),  # of 2
        lambda content: content["task_success"].update(seeds=[1]),
        lambda content: content["smoothing"].update(hidden_fraction="half"),
        lambda content: content["config"].update(frob=1),
        lambda content: content.pop("env_id"),
    ],
)
def test_damage_is_one_sentence(written, tmp_path, damage):
    content = json.loads(written[1].read_text())
    content.pop("sha256")  # anyone can compute it
    damage(content)
    path = tmp_path / "metrics.json"
    path.write_text(json.dumps(content))
    with pytest.raises(AnyOrderError, match=r"metrics\.json is damaged or of another version .* `anyorder evaluate`"):
        read_findings(path)


def test_a_list_is_no_findings(tmp_path):
    (tmp_path / "metrics.json").write_text("[1, 2]")
    with pytest.raises(AnyOrderError, match="damaged"):
        read_findings(tmp_path / "metrics.json")


@pytest.mark.parametrize(("name", "read"), [("metrics.json", read_findings), ("episodes.json", read_outcomes)])
def test_a_changed_bit_is_noticed(written, tmp_path, name, read):
    """Of every byte of the digest and of the numbers, of which some are the same number when spelled otherwise."""
    content, path = written[1].with_name(name).read_bytes(), tmp_path / name
    as_it_was = json.loads(content)
    path.write_bytes(content)
    read(path)
    key = content.index(b"sha256")  # without which it is a result of before
    digits = [at for at, byte in enumerate(content) if chr(byte).isdigit() and not key < at < key + 6]
    for at in digits[:: len(digits) // 100 + 1]:
        path.write_bytes(content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])
        with suppress(ValueError):  # a number must not begin with zeros
            if json.loads(path.read_bytes()) == as_it_was:
                continue
        with pytest.raises(AnyOrderError, match=f"{name} is (damaged or changed|not valid JSON)"):
            read(path)


def test_results_of_before_have_no_digest(written, tmp_path):
    content = json.loads(written[1].read_text())
    content.pop("sha256")
    (tmp_path / "metrics.json").write_text(json.dumps(content))
    assert read_findings(tmp_path / "metrics.json")[0] == written[0]
