"""Training that starts from a checkpoint: nothing is lost, and only what is new is fresh."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from anyorder.build.checkpoints import load_model
from anyorder.build.runs import training_job
from anyorder.config import DataConfig, ModelConfig, RunConfig, TrainingConfig
from anyorder.data.collect import CollectSpec, collect
from anyorder.data.storage import read_split
from anyorder.elements.batch import EncodedTrajectories
from anyorder.elements.grid import Attribute
from anyorder.errors import AnyOrderError
from anyorder.masking.order import Order, Role
from anyorder.training import checkpoint

SIZES = ModelConfig(width=16, num_layers=1, num_heads=2)


@pytest.fixture(scope="module")
def data(make_trajectory, tmp_path_factory):
    """``data(mission, ...)``: the configuration of a run on a data set with that mission."""

    def make(mission, view=(3, 3)):
        folder = tmp_path_factory.mktemp("data")
        source = lambda seeds: (make_trajectory(3, seed=seed, mission=mission, view=view) for seed in seeds)  # noqa: E731
        collect(folder, CollectSpec("toy", "toy", 4, 2, 2), source=source)
        return RunConfig(data=DataConfig(str(folder)), model=SIZES, training=TrainingConfig(seed=1))

    return make


@pytest.fixture(scope="module")
def saved(data, tmp_path_factory):
    """A checkpoint whose weights are nowhere at their start, and the job that it comes from."""
    folder = tmp_path_factory.mktemp("earlier")
    job = training_job(data("go to the ball"), folder, resume=False)
    with torch.no_grad():
        for parameter in job.model.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
        job.model.embedding.weight[job.model.nothing] = 0
    checkpoint.save_checkpoint(folder / "best.safetensors", job.model.state_dict(), job.store.header)
    return folder / "best.safetensors", job


def continued(config, path, folder):
    return training_job(replace(config, training=replace(config.training, init_from=str(path))), folder, resume=False)


def logits(model, encoded):
    """Of the actions and a few attributes of cells, which the rest of the trajectories is shown for."""
    batch = encoded.batch(range(4))
    roles = torch.where(batch.layout.present, int(Role.CONTEXT), int(Role.DROPPED))
    roles[batch.layout.present & (batch.layout.attribute == Attribute.ACTION)] = Role.TARGET
    roles[:, 8:11] = Role.TARGET
    returns = batch.layout.attribute == Attribute.RETURN
    order = Order(roles.masked_fill(returns, int(Role.DROPPED)), torch.zeros_like(roles))
    with torch.no_grad():
        return model.eval()(batch.values, batch.layout, order)


def test_without_new_words_it_is_the_same_model(data, saved, tmp_path):
    path, earlier = saved
    job = continued(data("go to the ball"), path, tmp_path)
    assert job.model.vocabulary == earlier.model.vocabulary
    assert torch.equal(logits(job.model, job.train), logits(earlier.model, earlier.train))
    fresh = training_job(data("go to the ball"), tmp_path, resume=False)
    assert not torch.allclose(logits(fresh.model, fresh.train), logits(earlier.model, earlier.train), atol=0.01)


def test_words_in_another_order_or_fewer_of_them_change_nothing(data, saved, tmp_path):
    path, earlier = saved
    job = continued(data("the ball"), path, tmp_path)
    assert job.model.vocabulary.words == earlier.model.vocabulary.words
    before, after = earlier.model.state_dict(), job.model.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_new_words_leave_what_is_known_as_it_was(data, saved, tmp_path):
    path, earlier = saved
    job = continued(data("fetch a ball"), path, tmp_path)
    words = earlier.model.vocabulary.words
    assert job.model.vocabulary.words == (*words, "a", "fetch")
    assert job.store.header["words"] == list(job.model.vocabulary.words)
    asked_of_old = EncodedTrajectories(
        read_split(Path(earlier.store.header["config"]["data"]["path"]), "train"), job.model.vocabulary
    )
    num_values = len(earlier.model.vocabulary)
    new, old = logits(job.model, asked_of_old), logits(earlier.model, earlier.train)
    assert torch.equal(new[:, :num_values], old) and torch.isneginf(new[:, num_values:]).all()
    before, after = earlier.model.embedding.weight, job.model.embedding.weight
    by_word = {
        word: after[job.model.vocabulary.offsets[Attribute.WORD] + i] for i, word in enumerate(job.model.vocabulary.words)
    }
    assert all(
        torch.equal(by_word[word], before[earlier.model.vocabulary.offsets[Attribute.WORD] + i]) for i, word in enumerate(words)
    )
    assert 0.1 < by_word["fetch"].std() < 0.6 and not torch.equal(by_word["a"], by_word["fetch"])
    assert torch.equal(after[-1], torch.zeros(16)) and torch.equal(after[-8:-1], before[-8:-1])


def test_what_it_learned_further_is_loaded_as_any_checkpoint(data, saved, tmp_path):
    path, _ = saved
    job = continued(data("fetch a ball"), path, tmp_path)
    checkpoint.save_checkpoint(tmp_path / "further.safetensors", job.model.state_dict(), job.store.header)
    loaded, header = load_model(tmp_path / "further.safetensors")
    assert loaded.vocabulary == job.model.vocabulary and header["config"]["training"]["init_from"] == str(path)
    assert torch.equal(logits(loaded.cpu(), job.train), logits(job.model, job.train))


def complaint(config, path, folder):
    with pytest.raises(AnyOrderError) as error:
        continued(config, path, folder)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_another_view_is_refused(data, saved, tmp_path):
    said = complaint(data("go to the ball", view=(5, 5)), saved[0], tmp_path)
    assert said.startswith(f"training.init_from: the data must have views of 3x3 cells, as {saved[0]} had; found 5x5; ")


def test_other_sizes_are_refused(data, saved, tmp_path):
    config = replace(data("go to the ball"), model=replace(SIZES, width=32, max_words=9))
    said = complaint(config, saved[0], tmp_path)
    assert "has model.width 16, model.max_words 64, this run asks for model.width 32, model.max_words 9; set" in said


def test_what_is_no_checkpoint_is_refused(data, tmp_path):
    assert "there is no checkpoint" in complaint(data("go to the ball"), tmp_path / "absent.pt", tmp_path)


def test_names_in_grids_cannot_be_changed(data, tmp_path):
    config = data("go to the ball")
    with pytest.raises(AnyOrderError, match=r"data\.renamed gives things in conversations other names; found .*which has none"):
        training_job(replace(config, data=replace(config.data, renamed=2)), tmp_path, resume=False)
