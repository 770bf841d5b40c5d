"""Training and evaluation on conversations of any length: what cannot be asked or read is left out by name, and said once."""

import json

import pytest
import torch
from chat_files import spoken, write_chats
from safetensors.torch import load_file
from toy_conversations import byte_level

from anyorder.build.conversations import ConversationReader, told_of_sets
from anyorder.cli import main
from anyorder.config import DataConfig
from anyorder.data.text_storage import read_text_split
from anyorder.elements.text.codec import TextCodec
from anyorder.elements.text.form import PLAIN
from anyorder.training.journal import read_metrics

MODEL = {
    "model_type": "bert",
    "max_position_embeddings": 512,
    "vocab_size": 400,
    "hidden_size": 8,
    "num_hidden_layers": 1,
    "num_attention_heads": 1,
    "intermediate_size": 8,
}
SHORT = [n for n in range(40) if n % 4 == 0]
"""Numbers of the conversations that have one action and no observation."""

LONG = 0
"""Number of a conversation in the training split whose action is long."""


@pytest.fixture(scope="module")
def imported(tmp_path_factory):
    """A function from shares to a data set of long and short conversations."""
    folder = tmp_path_factory.mktemp("chats")
    lines = [spoken(f"task {n}", "open", *(() if n in SHORT else ("it is open", "go"))) for n in range(40)]
    lines[LONG]["messages"][1]["content"] = " ".join(map(str, range(100)))
    file = write_chats(folder / "a.jsonl", *lines)

    def of(validation, test):
        made = folder / f"{validation}-{test}"
        if not made.exists():
            shares = ["--validation", str(validation), "--test", str(test)]
            main(["import", "--input", str(file), "--output_dir", str(made), *shares])
        return made

    return of


def train(data, folder, mixture, *more, **architecture):
    main(
        [
            *("train", "--data.path", str(data), "--output_dir", str(folder)),
            *("--language_model.architecture", json.dumps(MODEL | architecture), "--masking.mixture", json.dumps(mixture)),
            *("--training.num_updates", "20", "--training.num_processes", "1", "--training.num_threads", "1", *more),
        ]
    )


ABOUT_LATER_OBSERVATIONS = ["forward_dynamics", "goal_conditioned", "waypoint", "observations_only"]


def test_a_conversation_with_one_action_is_asked_what_it_can_answer(imported, tmp_path, capsys):
    train(imported(0.2, 0.2), tmp_path / "run", dict.fromkeys([*ABOUT_LATER_OBSERVATIONS, "next_action"], 1.0))
    assert "left out" not in capsys.readouterr().err
    main(["evaluate", "--checkpoint", str(tmp_path / "run" / "checkpoints" / "best.pt")])
    assert "have nothing that forward asks for" in capsys.readouterr().err
    found = json.loads((tmp_path / "run" / "report" / "metrics.json").read_text())
    assert found["left_out"].keys() == {"forward", "filtering"}
    assert found["forward"].keys() == {"observations", "observations ends"}


@pytest.mark.parametrize("name", ABOUT_LATER_OBSERVATIONS)
def test_a_conversation_that_no_strategy_can_ask_about_is_left_out_by_name(imported, tmp_path, capsys, name):
    train(imported(0.2, 0.2), tmp_path / "run", {name: 1.0})
    said = [line for line in capsys.readouterr().err.splitlines() if "nothing that masking.mixture asks for" in line]
    assert len(said) == 2 and "a.jsonl:" in said[0], "once for each split"
    numbers = [int(part.split(" ")[0].strip(",)")) - 1 for line in said for part in line.split("a.jsonl:")[1:]]
    assert set(numbers) <= set(SHORT)


def test_a_conversation_that_nothing_can_be_asked_of_later_is_left_out_at_once(imported, tmp_path, capsys):
    stages = {"stages": {"first": "next_action", "then": "forward_dynamics", "at": 0.6}}
    train(imported(0.2, 0.2), tmp_path / "run", {"both": {"weight": 1.0, "strategy": stages}})
    assert "have nothing that masking.mixture asks for" in capsys.readouterr().err


def test_the_limit_that_binds_is_named(imported, tmp_path, capsys):
    data = imported(0.2, 0.2)
    for more, positions, remedy in (
        (["--language_model.max_tokens", "20"], 512, "raise language_model.max_tokens (this model reads up to 512)"),
        (["--language_model.max_tokens", "2000"], 20, "this model reads 20 tokens at most (its max_position_embeddings)"),
        ([], 20, "this model reads 20 tokens at most (its max_position_embeddings)"),
    ):
        with pytest.raises(SystemExit):
            train(data, tmp_path / "run", {"next_action": 1.0}, *more, max_position_embeddings=positions)
        said = capsys.readouterr().err.splitlines()[-1]
        assert "no conversation fits into 20 tokens" in said and remedy in said
    train(data, tmp_path / "run", {"next_action": 1.0}, max_position_embeddings=140)
    assert f"conversations (a.jsonl:{LONG + 1}) do not fit" in capsys.readouterr().err, "what is left out is named"


def test_a_validation_split_of_which_nothing_fits_is_done_without(imported, tmp_path, capsys):
    """Longer actions leave a conversation in its split."""
    sources = {trajectory.source for trajectory in read_text_split(imported(0.2, 0.2), "validation")}
    lines = [json.loads(line) for line in (imported(0.2, 0.2).parent / "a.jsonl").read_text().splitlines()]
    for number, line in enumerate(lines):
        if f"a.jsonl:{number + 1}" in sources:
            for message in line["messages"][1::2]:
                message["content"] = " ".join(map(str, range(100)))
    file = write_chats(tmp_path / "a.jsonl", *lines)
    main(["import", "--input", str(file), "--output_dir", str(tmp_path / "d"), "--validation", "0.2", "--test", "0.2"])
    train(tmp_path / "d", tmp_path / "run", {"next_action": 1.0}, max_position_embeddings=140)
    said = capsys.readouterr().err
    assert "no conversation fits into 140 tokens" in said and "there is nothing to validate on, so nothing chooses" in said
    assert {line["section"] for line in read_metrics(tmp_path / "run")} == {"train"}


def test_without_a_validation_split_the_last_checkpoint_is_the_best(imported, tmp_path, capsys):
    data = imported(0, 0.2)
    assert "there is no validation split" in capsys.readouterr().err
    train(data, tmp_path / "run", {"next_action": 1.0})
    assert capsys.readouterr().err.count("has no validation split") == 1
    best, last = (load_file(tmp_path / "run" / "checkpoints" / name / "model.safetensors") for name in ("best", "last"))
    assert all((best[key] == last[key]).all() for key in last)
    assert {line["section"] for line in read_metrics(tmp_path / "run")} == {"train"}


def test_copies_with_other_names_are_trained_on_and_make_the_tokenizer(imported, tmp_path):
    data, sizes, taught = imported(0.2, 0.2), [], []
    for copies in (0, 3):
        folder = tmp_path / str(copies)
        train(data, folder, {"next_action": 1.0}, "--data.renamed", str(copies))
        sizes.append(len(json.loads((folder / "checkpoints" / "best" / "tokenizer.json").read_text())["model"]["vocab"]))
        taught.append(load_file(folder / "checkpoints" / "last" / "model.safetensors"))
    assert sizes[0] < sizes[1] == MODEL["vocab_size"]
    assert any((taught[0][key] != taught[1][key]).any() for key in taught[0])


def test_only_what_asks_for_copies_reads_them(imported):
    path = str(imported(0.2, 0.2))
    reader = ConversationReader(TextCodec(byte_level(), mask_id=1, end_id=0), PLAIN, None, 512)
    recorded, told = (
        reader.of_sets(data, told_of_sets(data, seed=1), [()])
        for data in (DataConfig(path, renamed=copies) for copies in (0, 3))
    )
    assert told.sources == [source for source in recorded.sources for _ in range(4)]
    assert all(torch.equal(told.batch([4 * n]).values, recorded.batch([n]).values) for n in range(len(recorded)))
