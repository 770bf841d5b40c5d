"""A run is a function of its seed: interrupted, killed, split into parts or processes, it finds the same weights."""

import json
import math
import os
import shutil
import signal
import socket
from dataclasses import replace

import pytest
import torch
from accelerate.state import AcceleratorState, GradientState, PartialState
from safetensors import safe_open
from strategy_settings import RATE, SETTINGS, built

from anyorder.config import ModelConfig, TrainingConfig
from anyorder.elements.batch import Budget, EncodedTrajectories
from anyorder.elements.grid import GridVocabulary, object_elements
from anyorder.errors import AnyOrderError
from anyorder.masking.order import Order
from anyorder.masking.schedules import Rate
from anyorder.masking.strategies import Cell, Mixture, NextAction
from anyorder.masking.strategies.table import STRATEGIES
from anyorder.models.grid.grid_transformer import GridTransformer
from anyorder.training import checkpoint, trainer
from anyorder.training.journal import read_metrics
from anyorder.training.loss import Weighting
from anyorder.training.stores import OneFile
from anyorder.training.trainer import Job, train
from anyorder.training.validation import quality

UPDATES = 45  # three epochs of the fifteen batches below, one trajectory of twelve frames each


@pytest.fixture(scope="module")
def data(make_trajectory):
    return EncodedTrajectories([make_trajectory(11, seed=seed) for seed in range(15)], vocabulary())


BUDGET = Budget(12, "frames")


def vocabulary():
    return GridVocabulary(("<unknown>", "ball", "go", "the", "to"))


def mixture(progress):
    return Mixture([Cell(Rate(0.2, 0.6)), NextAction()], [1, 1])


def small_job(data, folder, strategy_at=mixture, resume=False, **settings):
    settings = {"num_epochs": 3, "num_validations": 3, "checkpoint_seconds": 1e9, **settings}
    torch.manual_seed(0)
    model = GridTransformer(ModelConfig(width=16, num_layers=2, num_heads=2), vocabulary(), (3, 3))
    weighting, config = Weighting("kind", 5.0, objects=object_elements), TrainingConfig(**settings)
    return Job(model, data, data, BUDGET, strategy_at, weighting, config, folder, OneFile(folder, {"words": 5}), resume)


@pytest.fixture
def make_job(data, tmp_path):
    """``make_job("name", ...)``: a small job in a folder of that name."""
    return lambda name, *options, **settings: small_job(data, tmp_path / name, *options, **settings)


def at_update(number, act):
    """The usual strategy; when its turn comes at this update, ``act`` first."""

    def strategy_at(progress):
        if progress == number / (UPDATES - 1):
            act()
        return mixture(progress)

    return strategy_at


def interrupt():
    os.kill(os.getpid(), signal.SIGINT)


def content(folder):
    """What a run leaves behind, but for what depends on the clock."""
    weights = {name: (folder / "checkpoints" / f"{name}.safetensors").read_bytes() for name in ("best", "last")}
    metrics = [{k: v for k, v in line.items() if k != "frames_per_second"} for line in read_metrics(folder)]
    return weights, metrics


@pytest.fixture(scope="module")
def uninterrupted(data, tmp_path_factory):
    job = small_job(data, tmp_path_factory.mktemp("uninterrupted"))
    train(job)
    return content(job.folder)


def test_equal_seeds_give_equal_runs_and_other_seeds_others(make_job, uninterrupted):
    for name, seed in (("again", 0), ("other", 1)):
        train(make_job(name, seed=seed))
    assert content(make_job("again").folder) == uninterrupted
    assert content(make_job("other").folder)[0]["last"] != uninterrupted[0]["last"]


def test_what_is_watched_is_recorded_and_changes_no_weight(make_job, uninterrupted):
    train(replace(make_job("watched"), watch=lambda model: {"success": 0.25}))
    assert [line["success"] for line in read_metrics(make_job("watched").folder) if "success" in line] == [0.25] * 3
    (weights, records), (alone, without) = content(make_job("watched").folder), uninterrupted
    assert weights == alone and [{k: v for k, v in line.items() if k != "success"} for line in records] == without


@pytest.mark.parametrize(("signalled", "done"), [(0, 1), (15, 16), (19, 20), (35, 36), (44, 20)])
def test_a_run_that_was_interrupted_ends_as_if_it_had_not_been(make_job, uninterrupted, signalled, done):
    """Interrupted early, late, before a validation (after update 20) and within it: it has the strategy of the last update."""
    job = make_job("run", at_update(signalled, interrupt))
    with pytest.raises(AnyOrderError, match="--resume") as error:
        train(job)
    assert f"after update {done} of {UPDATES}" in str(error.value)
    assert not (job.folder / "checkpoints" / "last.safetensors").exists()
    train(make_job("run", resume=True))
    assert content(job.folder) == uninterrupted


class Killed(BaseException):
    """What no code of ours catches."""


def test_a_run_that_was_killed_ends_as_if_it_had_not_been(make_job, uninterrupted):
    """The state is older than the metrics and the best weights, and the last line of the metrics is cut short."""
    job = make_job("run")
    state, old_state = job.folder / "checkpoints" / "state.safetensors", job.folder / "old"

    def strategy_at(progress):
        at_update(18, lambda: shutil.copy(state, old_state))(progress)
        at_update(41, kill)(progress)
        return mixture(progress)

    def kill():
        raise Killed

    with pytest.raises(Killed):
        train(make_job("run", strategy_at, checkpoint_seconds=0.0))
    shutil.move(old_state, state)
    with open(job.folder / "metrics.jsonl", "a") as file:
        file.write('{"update": 4')
    train(make_job("run", resume=True))
    assert content(job.folder) == uninterrupted


def test_a_resumed_run_keeps_its_best_weights_until_it_beats_them(make_job):
    job = make_job("run", at_update(28, interrupt))
    with pytest.raises(AnyOrderError):
        train(job)
    best, state = (job.folder / "checkpoints" / f"{name}.safetensors" for name in ("best", "state"))
    saved, weights = checkpoint.load_checkpoint(state), best.read_bytes()
    checkpoint.save_checkpoint(state, saved.tensors, {**saved.header, "best": 1.0})  # as good as can be
    train(make_job("run", resume=True))
    assert best.read_bytes() == weights


def test_metrics_name_each_update_once_per_section(uninterrupted):
    _, metrics = uninterrupted
    sections = [(line["section"], line["update"]) for line in metrics]
    assert sections == [
        ("train", 10),
        ("train", 20),
        ("validation", 20),
        ("train", 30),
        ("validation", 30),
        ("train", 40),
        ("train", 45),
        ("validation", 45),
    ]


def test_resuming_a_run_that_never_began_begins_it(make_job, uninterrupted):
    job = make_job("fresh", resume=True)
    train(job)
    assert content(job.folder) == uninterrupted


def test_training_lowers_the_loss(uninterrupted):
    _, metrics = uninterrupted
    losses = [line["loss"] for line in metrics if line["section"] == "validation"]
    assert losses[-1] < losses[0]


def test_the_best_weights_need_no_pickle(make_job):
    job = make_job("run")
    train(job)
    with safe_open(job.folder / "checkpoints" / "best.pt", framework="pt") as file:
        stored = {name: file.get_tensor(name) for name in file.keys()}
        assert json.loads(file.metadata()["anyorder"])["words"] == 5
    assert stored.keys() == job.model.state_dict().keys()
    last = checkpoint.load_checkpoint(job.folder / "checkpoints" / "last.pt").tensors
    assert all(torch.equal(tensor, last[name]) for name, tensor in job.model.state_dict().items())


def test_a_loss_that_is_no_number_ends_the_run(make_job):
    job = make_job("run")
    with torch.no_grad():
        next(job.model.parameters()).fill_(float("nan"))
    with pytest.raises(AnyOrderError, match="no longer a number; lower training.learning_rate"):
        train(job)
    assert not (job.folder / "checkpoints").exists()


def interrupted(make_job):
    job = make_job("run", at_update(3, interrupt))
    with pytest.raises(AnyOrderError):
        train(job)
    return job.folder / "checkpoints" / "state.safetensors"


def test_a_damaged_state_is_refused(make_job):
    state = interrupted(make_job)
    state.write_bytes(state.read_bytes()[:-10])
    with pytest.raises(AnyOrderError, match="not a whole safetensors file"):
        train(make_job("run", resume=True))


def test_the_state_of_another_run_is_refused(make_job):
    state = interrupted(make_job)
    with pytest.raises(AnyOrderError, match="45 updates, this one has 60"):
        train(make_job("run", resume=True, num_epochs=4))
    saved = checkpoint.load_checkpoint(state)
    checkpoint.save_checkpoint(state, {"something": torch.zeros(1)}, saved.header)
    with pytest.raises(AnyOrderError, match="does not fit this model"):
        train(make_job("run", resume=True))
    checkpoint.save_checkpoint(state, saved.tensors, {"words": 5})
    with pytest.raises(AnyOrderError, match="not a training state"):
        train(make_job("run", resume=True))


@pytest.fixture
def plain_descent(monkeypatch):
    """Three updates of the same four trajectories by gradient descent: linear in the gradient, so that a difference in
    rounding stays one."""

    def use(batches):
        monkeypatch.setattr(trainer, "plan_updates", lambda *_: [batches] * 3)
        monkeypatch.setattr(trainer, "make_optimizer", lambda model, _: torch.optim.SGD(model.parameters(), 0.1, 0.9))

    return use


def weights_after(job):
    return checkpoint.load_checkpoint(job.folder / "checkpoints" / "last.safetensors").tensors


@pytest.mark.parametrize("parts", [[[0, 1], [2, 3]], [[3], [1, 0, 2]]])
def test_accumulated_parts_equal_one_whole(make_job, plain_descent, parts):
    results = []
    for name, batches in (("whole", [[0, 1, 2, 3]]), ("parts", parts)):
        plain_descent(batches)
        job = make_job(name, lambda progress: NextAction(), num_validations=1)
        train(job)
        results.append(weights_after(job))
    torch.testing.assert_close(results[1], results[0], atol=1e-5, rtol=1e-5)


def _train_in_process(rank, job, port):
    os.environ |= {
        "RANK": str(rank),
        "LOCAL_RANK": str(rank),
        "WORLD_SIZE": "2",
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
        "ACCELERATE_USE_CPU": "true",
        "OMP_NUM_THREADS": "1",
    }
    for state in (PartialState, AcceleratorState, GradientState):
        state._reset_state()
    train(job)


def test_two_processes_find_the_weights_of_one(make_job, plain_descent):
    """The batch of one trajectory leaves a process without any."""
    plain_descent([[0, 1, 2], [3]])
    alone, shared = (make_job(name, num_validations=1) for name in ("alone", "shared"))
    train(alone)
    torch.multiprocessing.start_processes(_train_in_process, (shared, free_port()), nprocs=2, start_method="fork")
    torch.testing.assert_close(weights_after(shared), weights_after(alone), atol=1e-5, rtol=1e-5)
    (ours,), (theirs,) = ([line for line in read_metrics(job.folder) if line["section"] == "train"] for job in (alone, shared))
    assert theirs["loss"] == pytest.approx(ours["loss"], abs=1e-5)


def test_processes_share_what_costs_most(data):
    """Next actions cost more than hidden cells; here they are all at even places."""
    batch = data.batch(range(6))
    orders = [strategy(batch.layout, torch.Generator().manual_seed(0)) for strategy in (NextAction(), Cell(Rate(0.3, 0.3)))]
    alternating = (torch.arange(6) % 2 == 0)[:, None]
    order = Order(*(torch.where(alternating, *pair) for pair in zip(*((one.roles, one.ranks) for one in orders))))
    whole = trainer._Part(batch, order, Weighting().weigh(batch.values, batch.layout, order))
    parts = [whole.for_process(rank, 2) for rank in range(2)]
    assert [len(part.batch.values) for part in parts] == [3, 3]
    assert sorted(int((part.order.ranks > 0).any(dim=1).sum()) for part in parts) == [1, 2]
    asked = sum(part.weights.total(part.order) for part in parts)
    torch.testing.assert_close(asked, whole.weights.total(order))


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.mark.parametrize("name", STRATEGIES)
def test_every_strategy_trains_and_validates_by_itself(data, tmp_path, name):
    strategy = built(STRATEGIES[name], SETTINGS.get(name, {}), RATE)
    scores = train(small_job(data, tmp_path, lambda progress: strategy, num_updates=2, num_validations=1))
    assert math.isfinite(scores["loss"]) and math.isfinite(quality(scores))


def test_runs_of_one_process_may_differ_in_precision(make_job):
    scores = [train(make_job(name, num_epochs=1, mixed_precision=name)) for name in ("no", "bf16", "no")]
    assert scores[0] == scores[2]
    assert scores[1]["loss"] == pytest.approx(scores[0]["loss"], rel=0.05) and scores[1] != scores[0]


def test_a_measured_precision_is_one_of_the_two(make_job, capsys):
    no, bf16, auto = (train(make_job(name, num_epochs=1, mixed_precision=name)) for name in ("no", "bf16", "auto"))
    assert auto == (bf16 if "auto: bf16" in capsys.readouterr().err else no)
