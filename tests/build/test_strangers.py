"""A stranger's checkpoint, of every kind, runs no code without the user's word, whatever its header says; nor is it believed
where its tensors say something else."""

import json
import os
import pickle
import shutil
from contextlib import suppress

import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny_architectures import BERT, DREAM, LLADA2

from anyorder.build.checkpoints import load_model
from anyorder.cli import main
from anyorder.data.collect import CollectSpec, collect
from anyorder.errors import AnyOrderError
from anyorder.training.checkpoint import load_checkpoint, save_checkpoint
from anyorder.trust import trusting

CODE = """
from pathlib import Path
from transformers import BertConfig, BertForMaskedLM, PreTrainedTokenizerFast
Path({ran!r}).touch()
class Config(BertConfig):
    model_type = "of_somebody"
class Model(BertForMaskedLM):
    config_class = Config
class Tokens(PreTrainedTokenizerFast):
    pass
"""
AUTO_MAP = {"AutoConfig": "theirs.Config", "AutoModelForMaskedLM": "theirs.Model"}


@pytest.fixture(scope="module")
def grids(make_trajectory, tmp_path_factory):
    folder = tmp_path_factory.mktemp("grids")
    make = lambda seeds: (make_trajectory(2, seed=seed) for seed in seeds)  # noqa: E731
    collect(folder, CollectSpec("toy", "toy", 4, 2, 2), source=make)
    return folder


def train(data, folder, *more, **language_model):
    settings = [
        f"--language_model.{name}={json.dumps(value) if isinstance(value, dict) else value}"
        for name, value in language_model.items()
    ]
    few = ["num_updates=1", "num_validations=1", "num_processes=1", "num_threads=1", "frames_per_batch=8"]
    main(
        [
            "train",
            f"--data.path={data}",
            f"--output_dir={folder}",
            *settings,
            *(f"--training.{setting}" for setting in few),
            *more,
        ]
    )
    return folder


@pytest.fixture(scope="module")
def runs(grids, tmp_path_factory):
    """Runs that are as they should be: of BERT, of LLaDA2, and of an adapter of Dream."""
    folder = tmp_path_factory.mktemp("runs")
    train(grids, folder / "bert", architecture=BERT, max_frames=2)
    train(grids, folder / "llada2", architecture=LLADA2, max_frames=2)
    train(grids, folder / "base", architecture=DREAM, max_frames=2)
    shutil.copytree(folder / "base" / "checkpoints" / "best", folder / "dream")
    train(grids, folder / "adapter", checkpoint=folder / "dream", adapter={"rank": 2}, max_frames=2)
    train(grids, folder / "grid")
    return folder


def changed(path, **values):
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


def changed_header(folder, **language_model):
    """Changes the header as a stranger would: the digests, which anyone can compute, are gone."""
    header = json.loads((folder / "anyorder.json").read_text())
    header.pop("sha256", None)
    header["config"]["language_model"] |= {"trust_remote_code": True, **language_model}
    (folder / "anyorder.json").write_text(json.dumps(header))


def bring_code(folder, ran):
    (folder / "theirs.py").write_text(CODE.format(ran=str(ran)))
    changed(folder / "config.json", model_type="of_somebody", auto_map=AUTO_MAP)


class Touching:
    """Its pickle makes a file when it is read."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.system, (f"touch {self.path}",)


def model_code(run, ran):
    bring_code(run / "checkpoints" / "best", ran)
    changed_header(run / "checkpoints" / "best")


def tokenizer_code(run, ran):
    folder = run / "checkpoints" / "best"
    (folder / "theirs.py").write_text(CODE.format(ran=str(ran)))
    changed(folder / "tokenizer_config.json", tokenizer_class="Tokens", auto_map={"AutoTokenizer": [None, "theirs.Tokens"]})
    changed_header(folder)


def code_of_base(run, ran):
    base = run.parent / "base"
    shutil.copytree(run.parent.parent / "its_base", base)
    bring_code(base, ran)
    changed_header(run / "checkpoints" / "best", checkpoint=str(base))


def adapter_settings(run, ran):
    (run.parent / "theirs_too.py").write_text(CODE.format(ran=str(ran)))
    folder = run / "checkpoints" / "best"
    changed(folder / "adapter_config.json", megatron_config={"a": 1}, megatron_core="theirs_too")
    changed_header(folder, trust_remote_code=False)


def pickled_weights(run, ran):
    folder = run / "checkpoints" / "best"
    (folder / "model.safetensors").unlink()
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps(Touching(ran)))
    changed_header(folder, trust_remote_code=False)


def pickled_adapter(run, ran):
    folder = run / "checkpoints" / "best"
    (folder / "adapter_model.safetensors").unlink()
    (folder / "adapter_model.bin").write_bytes(pickle.dumps(Touching(ran)))
    changed_header(folder, trust_remote_code=False)


KINDS = {
    "bert with code": ("bert", model_code, "--trust_remote_code"),
    "llada2 with code": ("llada2", model_code, "--trust_remote_code"),
    "tokenizer with code": ("bert", tokenizer_code, "--trust_remote_code"),
    "adapter whose base has code": ("adapter", code_of_base, "--trust_remote_code"),
    "adapter that names a module": ("adapter", adapter_settings, None),
    "pickled weights": ("bert", pickled_weights, "weights must be safetensors files"),
    "pickled adapter": ("adapter", pickled_adapter, "weights must be safetensors files"),
}
COMMANDS = {
    "evaluate": ["evaluate", "--metric", "accuracy", "--checkpoint", "{best}"],
    "query": ["query", "--query", "next_action", "--step", "0", "--checkpoint", "{best}"],
    "imagine": ["imagine", "--checkpoint", "{best}"],
    "playground": ["playground", "--no_browser", "--port", "0", "--checkpoint", "{best}"],
    "report": ["report", "{run}"],
    "collect": ["collect", "--policy", "checkpoint", "--output_dir", "{run}/new", "--checkpoint", "{best}"],
}


@pytest.fixture(params=KINDS)
def stranger(request, runs, tmp_path, monkeypatch):
    """A run of a stranger, the file that its code makes if it runs, and the refusal."""
    name, change, refusal = KINDS[request.param]
    shutil.copytree(runs / "dream", tmp_path / "its_base")
    shutil.copytree(runs / name, tmp_path / "theirs" / "run")
    change(tmp_path / "theirs" / "run", tmp_path / "ran")
    monkeypatch.syspath_prepend(str(tmp_path / "theirs"))
    return tmp_path / "theirs" / "run", tmp_path / "ran", refusal


@pytest.mark.parametrize("command", COMMANDS)
def test_a_strangers_checkpoint_runs_no_code(command, stranger, capsys):
    run, ran, refusal = stranger
    if refusal is None and command != "query":
        pytest.skip("it loads as it should, and the command would go on")
    arguments = [part.format(run=run, best=run / "checkpoints" / "best") for part in COMMANDS[command]]
    capsys.readouterr()
    if refusal is None:
        main(arguments)
    else:
        with pytest.raises(SystemExit) as left:
            main(arguments)
        said = capsys.readouterr().err.strip().splitlines()
        assert left.value.code == 2 and refusal in said[-1] and not any("Traceback" in line for line in said)
    assert not ran.exists()


def test_code_runs_at_the_users_word(runs, tmp_path, capsys):
    shutil.copytree(runs / "bert", tmp_path / "run")
    model_code(tmp_path / "run", tmp_path / "ran")
    query = ["query", "--query", "next_action", "--step", "0", "--checkpoint", str(tmp_path / "run" / "checkpoints" / "best")]
    main([*query, "--trust_remote_code"])
    assert (tmp_path / "ran").exists()
    with pytest.raises(SystemExit):  # the word was for that command alone
        main(query)


def test_a_study_file_is_not_the_users_word(tmp_path, capsys):
    (tmp_path / "study.yaml").write_text(
        "levels: {a: {env: Nothing-v0, data: x}}\nseeds: [0]\ncomparisons: {}\n"
        "arms: {a: {language_model: {checkpoint: minilm, trust_remote_code: true}}}\n"
    )
    with pytest.raises(SystemExit):
        main(["study", "--study", str(tmp_path / "study.yaml"), "--output_dir", str(tmp_path / "out")])
    assert "arms.a would run code" in (said := capsys.readouterr().err) and "--trust_remote_code" in said


def test_where_a_header_leads_is_said(runs, grids, capsys):
    main(["query", "--query", "next_action", "--step", "0", "--checkpoint", str(runs / "adapter" / "checkpoints" / "best")])
    said = capsys.readouterr().err
    assert f"its model is read from {runs / 'dream'}" in said and f"reading the data set {grids}" in said


HUGE = {"a million layers": ("num_hidden_layers", 10**6), "a width of 2^30": ("hidden_size", 2**30)}


@pytest.mark.parametrize("name", ["bert", "llada2"])
@pytest.mark.parametrize("size", HUGE)
def test_a_model_larger_than_its_tensors_is_refused_before_memory_is_taken(name, size, runs, tmp_path):
    shutil.copytree(runs / name / "checkpoints" / "best", tmp_path / "best")
    key, value = HUGE[size]
    changed(tmp_path / "best" / "config.json", **{key: value})
    changed_header(tmp_path / "best", trust_remote_code=False)
    with pytest.raises(AnyOrderError, match="copy it again|config.json"):
        load_model(tmp_path / "best")


@pytest.mark.parametrize(
    ("key", "value"),
    [("max_frames", "many"), ("dtype", "complex64"), ("longest_run", None), ("nonsense", 1), ("adapter", 3), ("dropout", [])],
)
def test_the_types_of_a_header_are_checked(key, value, runs, tmp_path):
    shutil.copytree(runs / "bert" / "checkpoints" / "best", tmp_path / "best")
    changed_header(tmp_path / "best", **{"trust_remote_code": False, key: value})
    with pytest.raises(AnyOrderError, match=rf"language_model.* must .*({key}|found)"):
        load_model(tmp_path / "best")


def test_the_rank_of_an_adapter_is_that_of_its_tensors(runs, tmp_path):
    shutil.copytree(runs / "adapter" / "checkpoints" / "best", tmp_path / "best")
    changed_header(tmp_path / "best", trust_remote_code=False, adapter={"rank": 2**30})
    with pytest.raises(AnyOrderError, match="must have rank"):
        load_model(tmp_path / "best")


@pytest.mark.parametrize("file", ["model.safetensors", "config.json", "tokenizer.json", "anyorder.json"])
def test_a_folder_that_changed_is_refused(file, runs, tmp_path):
    shutil.copytree(runs / "bert" / "checkpoints" / "best", tmp_path / "best")
    content = bytearray((tmp_path / "best" / file).read_bytes())
    place = content.rindex(b"toy") if file == "anyorder.json" else len(content) - 20
    content[place] ^= 1
    (tmp_path / "best" / file).write_bytes(content)
    with pytest.raises(AnyOrderError, match="damaged or changed"):
        load_model(tmp_path / "best")


def test_weights_that_are_no_numbers_are_refused(runs, tmp_path):
    shutil.copytree(runs / "bert" / "checkpoints" / "best", tmp_path / "best")
    changed_header(tmp_path / "best", trust_remote_code=False)
    load_model(tmp_path / "best")  # a folder of before, without digests
    tensors = load_file(tmp_path / "best" / "model.safetensors")
    next(iter(tensors.values())).view(-1)[0] = torch.nan
    save_file(tensors, tmp_path / "best" / "model.safetensors", {"format": "pt"})
    with pytest.raises(AnyOrderError, match="must be finite"):
        load_model(tmp_path / "best")


def test_an_index_leads_nowhere_else(runs, tmp_path):
    shutil.copytree(runs / "bert" / "checkpoints" / "best", tmp_path / "best")
    (tmp_path / "best" / "model.safetensors").rename(tmp_path / "elsewhere.safetensors")
    names = load_file(tmp_path / "elsewhere.safetensors")
    index = {"metadata": {}, "weight_map": dict.fromkeys(names, "../elsewhere.safetensors")}
    (tmp_path / "best" / "model.safetensors.index.json").write_text(json.dumps(index))
    changed_header(tmp_path / "best", trust_remote_code=False)
    with pytest.raises(AnyOrderError, match="must name safetensors files beside it"), trusting():
        load_model(tmp_path / "best")


@pytest.mark.parametrize(
    ("key", "value", "refusal"),
    [
        ("num_layers", 10**6, "not those of its header"),
        ("width", 2**30, "not those of its header"),
        ("max_words", 2**40, "not those of its header"),
        ("cell_expansion", 2**50, "not those of its header"),
        ("num_heads", 0, "must be at least 1"),
        ("width", "16", "model.width must be int"),
        ("width", 16.0, "model.width must be int"),
        ("nonsense", 1, "no other keys"),
        ("words", ["a", "a"], "words must differ"),
        ("words", "go", "words must be list"),
        ("view", [2**40, 2**40], "not those of its header"),
        ("view", [7], "must be .columns, rows"),
        ("env_id", 3, "env_id must be str"),
        ("config", None, "config must be dict"),
    ],
)
def test_the_header_of_a_grid_model_is_checked_against_its_tensors(key, value, refusal, runs, tmp_path):
    saved = load_checkpoint(runs / "grid" / "checkpoints" / "best.safetensors")
    header = json.loads(json.dumps(saved.header))
    if key in ("words", "view", "env_id", "config"):
        header[key] = value
    else:
        header["config"]["model"][key] = value
    save_checkpoint(tmp_path / "theirs.safetensors", saved.tensors, header)
    with pytest.raises(AnyOrderError, match=refusal):
        load_model(tmp_path / "theirs.safetensors")


@pytest.mark.parametrize("name", ["grid", "bert"])
@pytest.mark.parametrize(
    ("part", "key", "value"),
    [
        ("masking", "mixture", 3),
        ("masking", "mask_prob", "much"),
        ("masking", "attribute_probs", {"object": "often"}),
        ("training", "seed", "first"),
        ("training", "num_epochs", 0),
        ("training", "frob", 1),
        ("data", "path", None),
    ],
)
def test_how_a_model_was_trained_is_checked_as_configurations_are(name, part, key, value, runs, tmp_path):
    best = runs / name / "checkpoints" / "best"
    if name == "bert":
        shutil.copytree(best, tmp_path / "best")
        header = json.loads((best / "anyorder.json").read_text())
        header.pop("sha256")
        header["config"][part][key] = value
        (tmp_path / "best" / "anyorder.json").write_text(json.dumps(header))
    else:
        saved = load_checkpoint(best.with_suffix(".safetensors"))
        header = json.loads(json.dumps(saved.header))
        header["config"][part][key] = value
        save_checkpoint(tmp_path / "best", saved.tensors, header)
    with pytest.raises(AnyOrderError, match=rf"best: {part}.*({key}|found)"):
        load_model(tmp_path / "best")


PLAYING = {"evaluate": ["--metric", "task_success", "--num_episodes", "1"], "query": [], "imagine": [], "playground": []} | {
    "report": ["--num_shown", "1"]
}


@pytest.mark.parametrize("command", PLAYING)
def test_an_environment_in_a_header_imports_no_module(command, runs, tmp_path, monkeypatch, capsys):
    shutil.copytree(runs / "grid", tmp_path / "run")
    best = tmp_path / "run" / "checkpoints" / "best.safetensors"
    saved = load_checkpoint(best)
    save_checkpoint(best, saved.tensors, saved.header | {"env_id": "theirs_of_levels:Level-v0"})
    (tmp_path / "theirs_of_levels.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w').close()")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    arguments = [part.format(run=tmp_path / "run", best=best) for part in COMMANDS[command]]
    capsys.readouterr()
    with suppress(SystemExit):
        main([*arguments, *PLAYING[command]])
    said = capsys.readouterr().err
    assert not (tmp_path / "ran").exists() and "Traceback" not in said
    assert "--env_module theirs_of_levels" in said or command in ("query", "imagine")


def test_a_grid_model_of_no_numbers_is_refused(runs, tmp_path):
    saved = load_checkpoint(runs / "grid" / "checkpoints" / "best.safetensors")
    saved.tensors["head.bias"][0] = torch.inf
    save_checkpoint(tmp_path / "theirs.safetensors", saved.tensors, saved.header)
    with pytest.raises(AnyOrderError, match="must be finite"):
        load_model(tmp_path / "theirs.safetensors")


@pytest.mark.parametrize("file", ["progress.json", "*.safetensors"])
def test_a_state_that_changed_is_refused(file, runs, grids, tmp_path, capsys):
    shutil.copytree(runs / "bert", tmp_path / "run")
    state = next((tmp_path / "run" / "checkpoints" / "state").glob(file))
    content = bytearray(state.read_bytes())
    content[content.rindex(b"1") if file == "progress.json" else -1] ^= 1
    state.write_bytes(content)
    with pytest.raises(SystemExit):
        train(grids, tmp_path / "run", "--resume", architecture=BERT, max_frames=2)
    assert "damaged or changed" in capsys.readouterr().err
