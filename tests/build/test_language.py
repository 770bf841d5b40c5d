"""Language models through the same commands as the grid model: train, resume, evaluate; whole or by an adapter; on grids
and on conversations."""

import json
import logging
import os
import shutil
import signal
from contextlib import contextmanager

import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny_architectures import BERT, DREAM, LLADA, LLADA2, MODERN_BERT
from toy_conversations import conversation

from anyorder.build import pretrained
from anyorder.build.checkpoints import load_conversation_model, load_model
from anyorder.build.runs import training_job
from anyorder.cli import main
from anyorder.commands.train import train_parser
from anyorder.config import RunConfig
from anyorder.data.collect import CollectSpec, collect
from anyorder.data.storage import read_split
from anyorder.elements.batch import EncodedTrajectories
from anyorder.masking.strategies import NextAction
from anyorder.options import parse
from anyorder.report.run import read_run
from anyorder.report.sections import films, learned_from
from anyorder.training import trainer
from anyorder.training.journal import read_metrics
from anyorder.trust import trusting

ARCHITECTURES = {"bert": BERT, "modernbert": MODERN_BERT, "llada2": LLADA2, "llada": LLADA, "dream": DREAM}
FEW = ["--training.num_processes", "1", "--training.num_threads", "1", "--training.num_validations", "2"]


@pytest.fixture(scope="module")
def grids(make_trajectory, tmp_path_factory):
    """A data set of twelve toy trajectories of two to seven actions."""
    folder = tmp_path_factory.mktemp("grids")
    make = lambda seeds: (make_trajectory(2 + seed % 6, seed=seed) for seed in seeds)  # noqa: E731
    collect(folder, CollectSpec("toy", "toy", 8, 2, 2), source=make)
    return folder


@pytest.fixture(scope="module")
def chats(tmp_path_factory):
    """A data set of conversations."""
    folder = tmp_path_factory.mktemp("chats")
    names = {"mission": "human", "observation": "human", "action": "gpt"}
    lines = []
    for number in range(40):
        made = conversation(f"a door number {number}", "open it", "it is open", f"go through door {number}")
        turns = [{"from": names[turn.part], "value": turn.text} for turn in made.turns]
        turns[0]["value"] += f", task {number}"
        lines.append(json.dumps({"conversations": turns}))
    (folder / "chats.jsonl").write_text("\n".join(lines))
    main(
        [
            "import",
            "--input",
            str(folder / "chats.jsonl"),
            "--output_dir",
            str(folder / "data"),
            "--validation",
            "0.2",
            "--test",
            "0.2",
        ]
    )
    return folder / "data"


def options(data, folder, *more, **language_model):
    """Of ``anyorder train``."""
    settings = [f"--language_model.{name}={_written(value)}" for name, value in language_model.items()]
    return [
        "--data.path",
        str(data),
        "--output_dir",
        str(folder),
        *settings,
        "--training.num_updates",
        "20",
        "--training.frames_per_batch",
        "16",
        "--training.learning_rate",
        "1e-2",
        *FEW,
        *more,
    ]


def _written(value):
    return json.dumps(value) if isinstance(value, dict) else str(value)


def train(*arguments, **language_model):
    main(["train", *options(*arguments, **language_model)])


@pytest.fixture
def interrupted_after(monkeypatch):
    """``with interrupted_after(10): train(...)``: Ctrl-C while the tenth update is made."""

    @contextmanager
    def during(number):
        update = trainer._Run._update

        def interrupting(self, done):
            if done == number - 1:
                os.kill(os.getpid(), signal.SIGINT)
            return update(self, done)

        with monkeypatch.context() as patch:
            patch.setattr(trainer._Run, "_update", interrupting)
            yield

    return during


def losses(folder):
    return [line["loss"] for line in read_metrics(folder) if line["section"] == "train"]


@pytest.fixture(scope="module", params=ARCHITECTURES)
def finished(request, grids, tmp_path_factory):
    """A run on grids of each kind of model, and its architecture."""
    folder = tmp_path_factory.mktemp(request.param)
    train(grids, folder / "run", architecture=ARCHITECTURES[request.param], max_frames=4)
    return folder / "run", ARCHITECTURES[request.param]


def answers(model, grids):
    """Logits of the actions of the test split."""
    encoded = EncodedTrajectories(read_split(grids, "test"), model.vocabulary, model.max_frames)
    batch = encoded.batch(range(len(encoded)))
    with torch.no_grad():
        return model.eval()(batch.values, batch.layout, NextAction()(batch.layout, torch.Generator()))


def test_a_checkpoint_folder_is_the_model_that_was_trained(finished, grids):
    folder, architecture = finished
    config = parse(train_parser(), options(grids, folder, architecture=architecture, max_frames=4))
    run = RunConfig(config.data, config.masking, config.model, config.language_model, config.training)
    job = training_job(run, folder, resume=True)
    untrained = answers(job.model, grids)
    model, header = load_model(folder / "checkpoints" / "last.pt")
    assert header["content"] == "grid" and model.max_frames == 4
    found = answers(model, grids)
    assert not torch.allclose(found, untrained, atol=1e-3)
    inner = job.model.model.model
    saved = load_file(folder / "checkpoints" / "last" / "model.safetensors")
    assert type(model.model.model) is type(inner)
    again, _ = load_model(folder / "checkpoints" / "last")
    assert torch.equal(answers(again, grids), found)
    assert sum(tensor.numel() for tensor in saved.values()) == sum(p.numel() for p in inner.parameters()) + sum(
        buffer.numel() for name, buffer in inner.named_buffers() if name in inner.state_dict()
    )
    assert losses(folder)[-1] < losses(folder)[0]


def test_a_run_that_goes_on_ends_as_one_that_was_not_interrupted(finished, grids, tmp_path, interrupted_after):
    folder, architecture = finished
    with interrupted_after(10), pytest.raises(SystemExit):
        train(grids, tmp_path / "run", architecture=architecture, max_frames=4)
    assert not (tmp_path / "run" / "checkpoints" / "last").exists()
    train(grids, tmp_path / "run", "--resume", architecture=architecture, max_frames=4)
    for name in ("best", "last"):
        ours, theirs = (load_file(run / "checkpoints" / name / "model.safetensors") for run in (tmp_path / "run", folder))
        assert ours.keys() == theirs.keys() and all(torch.equal(ours[key], theirs[key]) for key in ours)
    assert losses(tmp_path / "run") == losses(folder)


def test_a_checkpoint_is_gone_on_from_and_needed_no_more(grids, tmp_path):
    train(grids, tmp_path / "first", architecture=BERT, max_frames=4)
    shutil.copytree(tmp_path / "first" / "checkpoints" / "last", tmp_path / "base")
    train(grids, tmp_path / "second", checkpoint=tmp_path / "base", max_frames=4)
    assert losses(tmp_path / "second")[0] < losses(tmp_path / "first")[0]
    shutil.rmtree(tmp_path / "base")
    model, _ = load_model(tmp_path / "second" / "checkpoints" / "best.pt")
    assert answers(model, grids).isfinite().any()


def test_a_state_that_was_being_replaced_is_not_lost(grids, tmp_path):
    """Killed between the old state's leaving and the new one's arrival."""
    train(grids, tmp_path / "run", architecture=BERT, max_frames=4)
    checkpoints = tmp_path / "run" / "checkpoints"
    before = (checkpoints / "last" / "model.safetensors").read_bytes()
    (checkpoints / "state").rename(checkpoints / ".state.old.tmp")
    train(grids, tmp_path / "run", "--resume", architecture=BERT, max_frames=4)
    assert (checkpoints / "state" / "progress.json").exists() and not (checkpoints / ".state.old.tmp").exists()
    assert len(losses(tmp_path / "run")) == 2, "it did not start over"
    assert (checkpoints / "last" / "model.safetensors").read_bytes() == before


@pytest.mark.parametrize("name", ["llada2", "llada", "dream"])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_an_adapter_learns_alone_and_is_saved_alone(name, dtype, grids, tmp_path):
    train(grids, tmp_path / "base", architecture=ARCHITECTURES[name], max_frames=4, dtype=dtype)
    base = tmp_path / "base" / "checkpoints" / "best"
    adapted = dict(checkpoint=base, adapter={"rank": 2, "alpha": 4}, max_frames=4, dtype=dtype)
    train(grids, tmp_path / "run", **adapted)
    saved = tmp_path / "run" / "checkpoints" / "best"
    assert not (saved / "model.safetensors").exists()
    names = load_file(saved / "adapter_model.safetensors")
    assert any("lora_A" in name for name in names) and any("lm_head" in name for name in names)
    model, _ = load_model(saved)
    plain, _ = load_model(base)
    weights = dict(plain.model.model.named_parameters())
    inner = dict(model.model.model.named_parameters())
    frozen = [name for name in inner if name in weights]
    assert frozen and all(torch.equal(inner[name], weights[name]) for name in frozen)
    assert not torch.allclose(answers(model, grids), answers(plain, grids), atol=1e-3)
    assert losses(tmp_path / "run")[-1] < losses(tmp_path / "base")[0]


def test_an_adapter_that_goes_on_ends_as_one_that_was_not_interrupted(grids, tmp_path, interrupted_after):
    train(grids, tmp_path / "base", architecture=LLADA2, max_frames=4)
    adapted = dict(checkpoint=tmp_path / "base" / "checkpoints" / "best", adapter={"rank": 2}, max_frames=4)
    train(grids, tmp_path / "whole", **adapted)
    with interrupted_after(10), pytest.raises(SystemExit):
        train(grids, tmp_path / "run", **adapted)
    train(grids, tmp_path / "run", "--resume", **adapted)
    ours, theirs = (
        load_file(tmp_path / run / "checkpoints" / "last" / "adapter_model.safetensors") for run in ("run", "whole")
    )
    assert ours.keys() == theirs.keys() and all(torch.equal(ours[key], theirs[key]) for key in ours)


def test_long_trajectories_are_learned_in_parts(make_trajectory, vocabulary):
    trajectories = [make_trajectory(length, seed=length) for length in (2, 7)]
    encoded = EncodedTrajectories(trajectories, vocabulary, max_frames=4)
    assert encoded.lengths == [3, 4, 4, 2]
    whole = EncodedTrajectories(trajectories, vocabulary).batch([1])
    shape = whole.layout.grid
    for number, first in ((1, 0), (2, 3), (3, 6)):
        part = encoded.batch([number])
        frames = part.layout.grid.frames(part.values)[0]
        there = part.layout.grid.frames(part.layout.present)[0]
        expected = shape.frames(whole.values)[0, first : first + len(frames)]
        assert torch.equal(frames[there], expected[there])
        assert there[:-1].all() and not there[-1, -2:].any()


@pytest.mark.parametrize("name", ["bert", "llada2"])
def test_conversations_are_learned_and_scored(name, chats, tmp_path, capsys):
    batches = ("--training.tokens_per_batch", "400", "--training.num_epochs", "2", "--masking.mixture", '{"unit": 1}')
    train(chats, tmp_path / "run", *batches, architecture=ARCHITECTURES[name], max_tokens=256)
    assert losses(tmp_path / "run")[-1] < losses(tmp_path / "run")[0]
    main(["evaluate", "--checkpoint", str(tmp_path / "run" / "checkpoints" / "best.pt")])
    assert "Hidden tokens of the test split" in capsys.readouterr().out
    found = json.loads((tmp_path / "run" / "report" / "metrics.json").read_text())
    for way in ("next action", "forward", "infilling"):
        for score in (found[way][kind] for kind in found[way]):
            assert 0 < score["nll_per_token"] < 10 and score["accuracy"]["count"] > 0
    assert set(found["next action"]) == {"actions", "actions ends"}
    assert "Hidden tokens" in (tmp_path / "run" / "report" / "report.md").read_text()


def test_code_that_comes_with_a_checkpoint_runs_only_if_it_is_trusted(grids, tmp_path, complaint):
    train(grids, tmp_path / "bert", architecture=BERT, max_frames=4)
    folder = tmp_path / "bert" / "checkpoints" / "last"
    config = json.loads((folder / "config.json").read_text())
    config |= {"model_type": "of_somebody", "auto_map": {"AutoConfig": "theirs.Config", "AutoModel": "theirs.Model"}}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "theirs.py").write_text(
        "from transformers import BertConfig, BertForMaskedLM\n\n\n"
        "class Config(BertConfig):\n    model_type = 'of_somebody'\n\n\n"
        "class Model(BertForMaskedLM):\n    config_class = Config\n"
    )
    said = complaint(grids, tmp_path / "refused", checkpoint=folder, max_frames=4)
    assert "trust_remote_code" in said and "Traceback" not in said
    train(grids, tmp_path / "run", checkpoint=folder, max_frames=4, trust_remote_code=True)
    assert losses(tmp_path / "run")[-1] < losses(tmp_path / "bert")[0]
    with trusting():
        model, _ = load_model(tmp_path / "run" / "checkpoints" / "best")
    assert type(model.model.model).__name__ == "Model"


def test_only_a_head_may_begin_anew(finished, grids, tmp_path, complaint, caplog):
    folder, architecture = finished
    logging.getLogger("transformers").addHandler(caplog.handler)
    checkpoint = tmp_path / "checkpoint"
    shutil.copytree(folder / "checkpoints" / "best", checkpoint)
    whole = load_file(checkpoint / "model.safetensors")
    heads = ("cls.", "decoder.", "head.", "lm_head.", "model.transformer.ff_out.")
    inner = {name: tensor for name, tensor in whole.items() if not name.startswith(heads)}
    assert inner.keys() < whole.keys()
    save_file(inner, checkpoint / "model.safetensors", {"format": "pt"})
    if architecture is LLADA2:  # and there, not even a head
        assert "lacks the tensor lm_head.weight" in complaint(grids, tmp_path / "run", checkpoint=checkpoint, max_frames=4)
        return
    train(grids, tmp_path / "run", checkpoint=checkpoint, max_frames=4)
    assert "corrupted" not in caplog.text
    del inner[next(name for name in inner if "norm" in name.lower())]
    save_file(inner, checkpoint / "model.safetensors", {"format": "pt"})
    assert ", which its config.json asks for" in complaint(grids, tmp_path / "other", checkpoint=checkpoint, max_frames=4)


@pytest.mark.parametrize("adapter", [None, {"rank": 2}], ids=["whole", "adapter"])
def test_a_model_without_weights_is_to_have_the_same(adapter, finished, grids, tmp_path, monkeypatch):
    """What `anyorder.training.divided` hands out must find its place: same names, shapes and types."""
    folder, architecture = finished
    if adapter and architecture in (BERT, MODERN_BERT):
        pytest.skip("they are trained whole")
    checkpoint = folder / "checkpoints" / "best"
    settings = dict(checkpoint=checkpoint, max_frames=4, dtype="bfloat16") | ({"adapter": adapter} if adapter else {})
    chosen = parse(train_parser(), options(grids, tmp_path / "run", **settings))
    config = RunConfig(chosen.data, chosen.masking, chosen.model, chosen.language_model, chosen.training)
    monkeypatch.setenv("ACCELERATE_USE_FSDP", "true")
    monkeypatch.setenv("FSDP_CPU_RAM_EFFICIENT_LOADING", "true")
    models = []
    for rank in "01":
        monkeypatch.setenv("RANK", rank)
        model = training_job(config, tmp_path / "run", resume=False).model
        models.append(dict((*model.named_parameters(), *model.named_buffers())))
    of = [{name: (tensor.shape, tensor.dtype) for name, tensor in model.items()} for model in models]
    assert of[0] == of[1]
    if adapter:
        assert {tensor.dtype for tensor in models[0].values() if tensor.requires_grad} == {torch.float32}
        assert torch.bfloat16 in {tensor.dtype for tensor in models[0].values()}
    assert not any(tensor.is_meta for tensor in models[0].values())
    assert all(tensor.is_meta for tensor in models[1].values())


@pytest.fixture
def complaint(capsys):
    """``complaint(data, folder, ...)``: what a training that cannot be says."""

    def complain(*arguments, **language_model):
        with pytest.raises(SystemExit):
            train(*arguments, **language_model)
        return capsys.readouterr().err

    return complain


def test_what_cannot_be_is_said(grids, chats, tmp_path, complaint, finished):
    folder, architecture = finished
    other = tmp_path / "run"
    assert "--config configs/models/minilm_chats.yaml" in complaint(chats, other, "--language_model=null")
    assert "a checkpoint, or an architecture" in complaint(grids, other, "--language_model.max_frames=3")
    assert "found nowhere; download a checkpoint" in complaint(grids, other, checkpoint="nowhere")
    assert "model_type" in complaint(grids, other, architecture={"vocab_size": 1000})
    assert "random weights" in complaint(grids, other, architecture=LLADA2, adapter={"rank": 2})
    saved = folder / "checkpoints" / "best"
    width = "d_model" if architecture is LLADA else "hidden_size"
    assert f"{width} 64" in complaint(grids, other, checkpoint=saved, architecture={width: 64})
    assert "must be a token" in complaint(grids, other, checkpoint=saved, mask_token="<nothing>")
    shutil.rmtree(other, ignore_errors=True)


@pytest.mark.parametrize(("max_frames", "positions", "most"), [(30, 256, 21), (None, 80, 6)])
def test_what_does_not_fit_is_refused_before_training(max_frames, positions, most, grids, tmp_path, complaint):
    """Views of nine cells, so twelve tokens a frame; the longest trajectory has eight frames."""
    architecture = BERT | {"max_position_embeddings": positions}
    said = complaint(grids, tmp_path / "run", architecture=architecture, **({"max_frames": max_frames} if max_frames else {}))
    assert f"set language_model.max_frames to at most {most}" in said and f"found {positions}" in said
    assert not (tmp_path / "run").exists()


def test_the_parts_of_divided_cells_are_counted(grids, tmp_path, complaint):
    """Where attributes are hidden one by one a cell may take three tokens, so a frame thirty."""
    mixture = ["--masking.mixture", '{"next_step": 0.5, "attribute": 0.5}', "--masking.attribute_probs", '{"color": 0.5}']
    said = complaint(grids, tmp_path / "run", *mixture, architecture=BERT, max_frames=12)
    assert "12 frames of 30 tokens" in said and "set language_model.max_frames to at most 8" in said


def test_a_report_plays_what_the_model_can_read(tmp_path):
    """On a real level, where it plays episodes."""
    main(
        [
            "collect",
            "--num_episodes",
            "8",
            "--num_validation",
            "2",
            "--num_test",
            "3",
            "--num_processes",
            "1",
            "--output_dir",
            str(tmp_path / "data"),
        ]
    )
    train(tmp_path / "data", tmp_path / "run", architecture=LLADA2 | {"max_position_embeddings": 1024}, max_frames=12)
    run = read_run(tmp_path / "run")
    lengths = sorted(len(trajectory) for trajectory in read_split(run.data, "test"))
    run.model.max_frames = lengths[-1]
    played = films(run, num_shown=4)
    for group in played["trajectories"]:
        assert [len(film["steps"]) - 1 for film in group["films"]] == [length for length in lengths if length < lengths[-1]]
    assert all(len(film["steps"]) <= lengths[-1] for group in played["episodes"] for film in group["films"])
    assert "llada2_moe, from random weights" in learned_from(run)
    assert f"reads {lengths[-1]} views at once" in " ".join(run.missing())


def test_imported_conversations_have_a_page_and_can_be_asked(chats, tmp_path, capsys):
    train(chats, tmp_path / "run", architecture=BERT)
    main(["report", str(tmp_path / "run"), "--num_shown", "1"])
    page = (tmp_path / "run" / "report" / "report.html").read_text()
    assert "It was not evaluated" in page and page.count('class="talk"') == 1 and "Episodes of its agent" not in page
    checkpoint = str(tmp_path / "run" / "checkpoints" / "best.pt")
    main(["query", "--checkpoint", checkpoint, "--query", "next_action", "--step", "0"])
    assert "word for word" in capsys.readouterr().out


def test_what_plays_grids_refuses_conversations_in_one_sentence(chats, tmp_path, capsys):
    train(chats, tmp_path / "run", architecture=BERT)
    checkpoint = ["--checkpoint", str(tmp_path / "run" / "checkpoints" / "best.pt")]
    capsys.readouterr()
    with pytest.raises(SystemExit) as left:
        main(["collect", "--policy", "checkpoint", "--output_dir", str(tmp_path / "played"), *checkpoint])
    said = capsys.readouterr().err.strip()
    assert left.value.code == 2 and said.startswith("anyorder: the environment must be one whose observations and actions are")
    assert said.count("\n") == 0 and not (tmp_path / "played").exists()


def test_a_checkpoint_reads_tokenizer_and_architecture_once(chats, tmp_path, monkeypatch):
    train(chats, tmp_path / "run", architecture=BERT)
    read = []
    for name in ("read_tokenizer", "read_architecture"):
        before = getattr(pretrained, name)
        monkeypatch.setattr(pretrained, name, lambda *given, name=name, before=before: read.append(name) or before(*given))
    load_conversation_model(tmp_path / "run" / "checkpoints" / "best")
    assert sorted(read) == ["read_architecture", "read_tokenizer"]


def test_queries_are_answered(finished, grids, tmp_path, capsys):
    checkpoint = finished[0] / "checkpoints" / "best.pt"
    main(["query", "--checkpoint", str(checkpoint), "--query", "next_action", "--step", "1", "--data", str(grids)])
    assert "action at step 1" in capsys.readouterr().out


def test_a_folder_that_no_run_wrote_is_refused(tmp_path, capsys):
    with pytest.raises(SystemExit):
        main(["evaluate", "--checkpoint", str(tmp_path)])
    assert "anyorder.json is missing" in capsys.readouterr().err
