"""Whatever is wrong with what was asked or given, the user reads one sentence: what, where, and what to do."""

import errno
import os
import shutil
from dataclasses import replace

import pytest

from anyorder.cli import main
from anyorder.envs import minigrid
from anyorder.files import write_json

from minigrid.wrappers import ViewSizeWrapper  # isort: skip  (after envs.minigrid, which silences what it prints)


@pytest.fixture
def complaint(capsys):
    """``complaint("train", "--config", ...)``: the one line that the command ends in, without its beginning."""

    def run(*arguments):
        capsys.readouterr()
        with pytest.raises(SystemExit) as ending:
            main([str(argument) for argument in arguments])
        assert ending.value.code == 2
        return sentence(capsys.readouterr().err)

    return run


def sentence(stderr):
    """What follows "anyorder: " in the last line; whatever stands before it is progress."""
    assert "Traceback" not in stderr and stderr.count("anyorder: ") == 1
    last = stderr.rstrip("\n").split("\n")[-1]
    assert last.startswith("anyorder: ")
    return last.removeprefix("anyorder: ")


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (["colect"], ["no command 'colect'", "collect, environments, import, export, fill, train, evaluate, study, ablate"]),
        (["collect", "--env", "BabyAI-GoToRedBal-v0"], ["no environment", "did you mean BabyAI-GoToRedBall-v0"]),
        (["collect", "--policy", "oracle"], ["no policy 'oracle'", "bot, noisy_bot, random"]),
        (["collect", "--policy", "checkpoint"], ["--checkpoint FILE"]),
        (["collect", "--num-episodes", "3"], ["unknown option num-episodes; did you mean num_episodes? allowed: env"]),
        (["collect", "--episodes", "3"], ["unknown option episodes", "num_episodes", "output_dir"]),
        (["collect", "--num_episodes", "many"], ["num_episodes", "int", "many"]),
        (["train", "--config", "nowhere.yaml"], ["config", "nowhere.yaml"]),
        (["train", "--frob"], ["unknown option frob", "config", "resume", "training"]),
        (["train", "--training.epochs", "3"], ["training.epochs", "num_epochs"]),
        (["train", "--data.path", "nowhere"], ["no data set in nowhere", "anyorder collect --output_dir nowhere"]),
        (["evaluate"], ["required", "checkpoint"]),
        (["evaluate", "--checkpoint", "nowhere/best.pt"], ["no checkpoint nowhere/best.pt", "anyorder train"]),
        (["report"], ["runs"]),
        (["report", "nowhere"], ["no run in nowhere", "anyorder train"]),
        (["report", "nowhere", "--num_shown", "0"], ["num_shown must be at least 1", "found 0"]),
        (["ablate", "--study", "nowhere.yaml"], ["no file nowhere.yaml"]),
        (["ablate", "--frob", "1"], ["unknown option frob", "study", "quick"]),
    ],
)
def test_wrong_arguments(complaint, tmp_path, monkeypatch, arguments, parts):
    monkeypatch.chdir(tmp_path)
    said = complaint(*arguments)
    assert [part for part in parts if part not in said] == [], said
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("yaml", "parts"),
    [
        ("training: {num_epoch: 3}", ["training.num_epoch;", "num_epochs"]),
        ("trainin: {num_epochs: 3}", ["trainin.num_epochs;", "data, masking, model, language_model, training"]),
        ("training: {num_epochs: three}", ["training.num_epochs", "int", "three"]),
        ("training: {balance: kinds}", ["training.balance", "kind", "target", "rate"]),
        ("training: [1,\n  {2", ["line 2"]),
        ("just a sentence", ["just a sentence"]),
        ("masking: {mixture: {cel: 1}}", ["masking.mixture", "cell, token, unit", "found cel"]),
        ("masking: {mixture: {}}", ["masking.mixture", "at least one"]),
        ("masking: {mixture: {cell: -1}}", ["masking.mixture"]),
        ("masking: {mask_prob: 1.5}", ["masking.mask_prob", "between 0 and 1", "1.5"]),
        ("masking: {mask_prob: {uniform: [0.5, 0.1]}}", ["masking.mask_prob", "0.5 > 0.1"]),
        ("masking: {attribute_probs: {shade: 0.1}}", ["masking.attribute_probs", "object, color, state", "found shade"]),
        ("model: {num_heads: 5}", ["num_heads must divide width", "5 heads"]),
        ("data: {num_demonstrations: 31}", ["num_demonstrations", "between 1 and the 30", "31"]),
    ],
)
def test_wrong_configurations(complaint, tmp_path, data_folder, yaml, parts):
    path = tmp_path / "wrong.yaml"
    path.write_text(yaml)
    options = ["--data.path", data_folder, "--training.num_processes", 1, "--output_dir", tmp_path / "run"]
    said = complaint("train", "--config", path, *options)
    assert [part for part in parts if part not in said] == [], said


@pytest.mark.parametrize("yaml", ["training: {num_epoch: 3}", "training: {num_epochs: three}", "a: [1,\n  {2"])
def test_the_file_that_is_wrong_is_named(complaint, tmp_path, yaml):
    path = tmp_path / "wrong.yaml"
    path.write_text(yaml)
    assert complaint("train", "--config", path).startswith(f"{path}: ")


@pytest.mark.parametrize("yaml", ["a: [1,\n  {2", "just a sentence", "{seeds: [0]}"])
def test_a_study_or_promises_that_are_none(complaint, tmp_path, finished_run, yaml):
    path = tmp_path / "wrong.yaml"
    path.write_text(yaml)
    assert str(path) in complaint("ablate", "--study", path)
    best = finished_run / "checkpoints" / "best.pt"
    assert str(path) in complaint("evaluate", "--checkpoint", best, "--promises", path)


def shard_of(folder):
    return next(folder.glob("train-*.parquet"))


@pytest.mark.parametrize(
    ("harm", "part"),
    [
        (lambda folder: shard_of(folder).unlink(), "is missing"),
        (lambda folder: shard_of(folder).write_bytes(b"something else"), "is damaged"),
        (lambda folder: os.truncate(shard_of(folder), 1000), "is damaged"),
        (lambda folder: os.truncate(folder / "manifest.json", 100), "not valid JSON"),
        (lambda folder: write_json(folder / "manifest.json", {"format_version": 9}), "format version 9"),
    ],
)
def test_a_damaged_data_set(complaint, data_folder, tmp_path, harm, part):
    folder = tmp_path / "data"
    shutil.copytree(data_folder, folder)
    harm(folder)
    said = complaint("train", "--data.path", folder, "--training.num_processes", 1, "--output_dir", tmp_path / "run")
    assert part in said and str(folder) in said


def test_what_is_no_checkpoint(complaint, finished_run, tmp_path):
    text, whole = tmp_path / "best.pt", finished_run / "checkpoints" / "best.safetensors"
    text.write_text("I am a model")
    assert "not a whole safetensors file" in complaint("evaluate", "--checkpoint", text)
    text.write_bytes(whole.read_bytes()[:-100])
    assert "not a whole safetensors file" in complaint("evaluate", "--checkpoint", text)
    state = whole.with_name("state.safetensors")
    assert "training state, not a model; use best.safetensors" in complaint("evaluate", "--checkpoint", state)
    absent = whole.with_name("absent.pt")
    assert str(whole) in complaint("evaluate", "--checkpoint", absent)


def test_an_environment_or_data_that_the_model_cannot_read(complaint, finished_run, tmp_path, monkeypatch):
    best, make_env, read_view = finished_run / "checkpoints" / "best.pt", minigrid.make_env, minigrid.read_view
    play = ("evaluate", "--checkpoint", best, "--metric", "task_success", "--num_episodes", 1, "--output_dir", tmp_path)
    assert "did you mean" in complaint(*play, "--env", "BabyAI-GoToRedBal-v0")
    with monkeypatch.context() as patch:
        patch.setattr(minigrid, "make_env", lambda env_id: ViewSizeWrapper(make_env(env_id), 5))
        assert "must have 7x7 cells, since this model was made for those; found 5x5" in complaint(*play)
    with monkeypatch.context() as patch:
        patch.setattr(minigrid, "read_view", lambda observation: replace(read_view(observation), mission="go " * 65))
        assert "at most 64 words for this model; found 65" in complaint(*play)


def test_missions_longer_than_the_model_reads(complaint, tiny_yaml, tmp_path):
    said = complaint("train", "--config", tiny_yaml, "--model.max_words", 3, "--output_dir", tmp_path / "run")
    assert "at most 3 words for this model; found 5" in said and "model.max_words" in said


def contents(folder):
    return {path: path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_a_folder_that_holds_a_run_or_other_data_is_left_alone(complaint, finished_run, tiny_yaml, data_folder):
    before = contents(finished_run) | contents(data_folder)
    assert "already holds a run" in complaint("train", "--config", tiny_yaml, "--output_dir", finished_run)
    options = ("--output_dir", finished_run, "--resume", "--model.width", 32)
    assert "differs from the configuration given (model.width: 16 there, 32 here)" in complaint(
        "train", "--config", tiny_yaml, *options
    )
    assert "another data set" in complaint("collect", "--num_episodes", 31, "--output_dir", data_folder)
    assert contents(finished_run) | contents(data_folder) == before


def test_a_file_where_a_folder_should_be(complaint, tmp_path, tiny_yaml):
    file = tmp_path / "file"
    file.write_text("something")
    counts = ("--num_episodes", 1, "--num_validation", 0, "--num_test", 0, "--num_processes", 1)
    assert "could not write" in complaint("collect", *counts, "--output_dir", file / "data")
    assert "could not write" in complaint("train", "--config", tiny_yaml, "--output_dir", file / "run")
    assert file.read_text() == "something"


def full(*_, **__):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize("writer", ["os.replace", "anyorder.training.checkpoint.save_file"])
def test_a_full_disk_leaves_what_was_there(complaint, monkeypatch, finished_run, tmp_path, writer):
    """A run that is continued from its end writes its last weights once more."""
    folder = tmp_path / "run"
    shutil.copytree(finished_run, folder, symlinks=True)
    before = contents(folder / "checkpoints")
    with monkeypatch.context() as patch:
        patch.setattr(writer, full)
        said = complaint("train", "--config", folder / "config.yaml", "--output_dir", folder, "--resume")
    assert "No space left on device" in said and "untouched" in said
    assert contents(folder / "checkpoints") == before
    assert not list(folder.rglob("*.tmp"))


def test_ctrl_c_while_collecting_keeps_what_is_done(interrupt, capsys, tmp_path):
    counts = ["--num_episodes", "1500", "--num_validation", "1", "--num_test", "1", "--num_processes", "1"]
    command = ["collect", *counts, "--output_dir", str(tmp_path)]
    status, said = interrupt(command, lambda: (tmp_path / "manifest.json").exists())
    assert status == 130 and "run the same again to continue" in sentence(said)
    (shard,) = tmp_path.glob("train-*.parquet")
    written = shard.stat().st_mtime_ns
    main(command)
    assert "1,500 episodes" in capsys.readouterr().out
    assert shard.stat().st_mtime_ns == written, "whole shards are not played again"


@pytest.mark.parametrize("num_processes", [1, 2])
def test_ctrl_c_while_training_keeps_what_is_done(interrupt, capsys, tiny_yaml, tmp_path, num_processes):
    folder = tmp_path / "run"
    options = ["--training.num_epochs=30", f"--training.num_processes={num_processes}", "--output_dir", str(folder)]
    command = ["train", "--config", str(tiny_yaml), *options]
    status, said = interrupt(command, lambda: (folder / "metrics.jsonl").exists())
    assert status == 130 and "nothing is lost" in said and "--resume" in sentence(said)
    assert not (folder / "checkpoints" / "last.pt").exists()
    main([*command, "--resume"])
    assert (folder / "checkpoints" / "last.pt").exists()


def test_ctrl_c_before_the_first_update_is_heard_too(interrupt, tiny_yaml, tmp_path):
    folder = tmp_path / "run"
    command = ["train", "--config", tiny_yaml, "--training.num_processes=2", "--output_dir", folder]
    status, said = interrupt(command, lambda: (folder / "config.yaml").exists())
    assert status == 130 and "--resume" in sentence(said)


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        ("--model.num_heads", -2, "model.num_heads must be at least 1; found -2"),
        ("--model.width", 2**50, "choose other sizes"),
        ("--masking.mask_prob", 1e-300, "the rate is too low for its length, raise it"),
    ],
)
def test_sizes_and_rates_that_cannot_be_meant_are_refused(complaint, tiny_yaml, tmp_path, option, value, said):
    assert said in complaint("train", "--config", tiny_yaml, option, value, "--output_dir", tmp_path / "run")
