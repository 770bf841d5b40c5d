"""A checkpoint is read back exactly or refused in one sentence."""

import json

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from anyorder.errors import AnyOrderError
from anyorder.training.checkpoint import load_checkpoint, restore_training, save_checkpoint, training_tensors


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "model.safetensors"
    save_checkpoint(
        path, {"weight": torch.arange(6.0).view(2, 3).T, "count": torch.tensor(3)}, {"words": ["go"], "best": 0.1 + 0.2}
    )
    return path


def test_tensors_and_header_come_back_exactly(path):
    stored = load_checkpoint(path)
    assert stored.header == {"format_version": 2, "words": ["go"], "best": 0.1 + 0.2}
    assert torch.equal(stored.tensors["weight"], torch.tensor([[0.0, 3.0], [1.0, 4.0], [2.0, 5.0]]))
    assert stored.tensors["count"].dtype == torch.int64 and stored.tensors["count"].item() == 3
    assert [file.name for file in path.parent.iterdir()] == [path.name], "nothing temporary is left"


@pytest.mark.parametrize("keep", [0, 5, 100, -1])
def test_a_file_that_was_cut_short_is_refused(path, keep):
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(AnyOrderError, match="not a whole safetensors file"):
        load_checkpoint(path)


def test_one_bit_that_flipped_is_refused_wherever_it_is(path):
    whole = path.read_bytes()
    for place in (len(whole) - 1, len(whole) - 12, whole.index(b"go"), whole.rindex(b"weight")):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        with pytest.raises(AnyOrderError, match="damaged or changed|not a whole"):
            load_checkpoint(path)


def test_swapped_tensors_and_reversed_words_are_refused(path):
    tensors = {"weight": torch.zeros(2, 3), "other": torch.ones(2, 3)}
    save_checkpoint(path, tensors, {"words": ["go", "ball"]})
    with safe_open(path, framework="pt") as file:
        metadata = file.metadata()
    swapped = {"weight": tensors["other"], "other": tensors["weight"]}
    written = json.loads(metadata["anyorder"])
    reversed_words = {"anyorder": json.dumps(written | {"words": ["ball", "go"]})}
    for content, header in ((swapped, metadata), (tensors, reversed_words)):
        save_file(content, path, header)
        with pytest.raises(AnyOrderError, match="damaged or changed"):
            load_checkpoint(path)
    del written["sha256"]
    save_file(swapped, path, {"anyorder": json.dumps(written)})  # of before digests
    assert load_checkpoint(path).header["words"] == ["go", "ball"]


@pytest.mark.parametrize("header", ["[", "[" * 20_000, "3", "null", "[]", '{"format_version": true}', "{}"])
def test_a_header_of_another_form_is_refused(header, path):
    save_file({"weight": torch.zeros(2)}, path, metadata={"anyorder": header})
    with pytest.raises(AnyOrderError, match="not valid JSON|format version"):
        load_checkpoint(path)


def test_a_pickle_is_refused(path):
    torch.save({"weight": torch.zeros(2)}, path)
    with pytest.raises(AnyOrderError, match="not a whole safetensors file"):
        load_checkpoint(path)


def test_a_file_of_another_program_is_refused(path):
    save_file({"weight": torch.zeros(2)}, path)
    with pytest.raises(AnyOrderError, match="not one that anyorder wrote"):
        load_checkpoint(path)


def test_an_unknown_format_version_is_refused_naming_ours(path):
    save_file({"weight": torch.zeros(2)}, path, metadata={"anyorder": json.dumps({"format_version": 7})})
    with pytest.raises(AnyOrderError, match="format version 7; this program knows version 2"):
        load_checkpoint(path)


def test_a_missing_file_is_refused_naming_those_beside_it(path, tmp_path):
    with pytest.raises(AnyOrderError, match="no checkpoint .*other.safetensors; there are: .*model.safetensors"):
        load_checkpoint(tmp_path / "other.safetensors")
    with pytest.raises(AnyOrderError, match="anyorder train"):
        load_checkpoint(tmp_path / "nowhere" / "other.safetensors")


def test_what_cannot_be_written_leaves_the_old_file(path):
    before = path.read_bytes()
    (path.parent / "folder").mkdir()
    with pytest.raises(AnyOrderError, match="could not write"):
        save_checkpoint(path.parent / "folder", {"weight": torch.zeros(1)}, {})
    with pytest.raises(TypeError):
        save_checkpoint(path, {"weight": torch.zeros(1)}, {"not": {"json"}})
    assert path.read_bytes() == before


def test_a_restored_optimizer_continues_as_if_it_had_never_stopped(tmp_path):
    def make(seed):
        torch.manual_seed(seed)
        model = torch.nn.Linear(3, 2)
        groups = [{"params": [model.weight], "lr": 0.1}, {"params": [model.bias], "lr": 0.01}]
        return model, torch.optim.AdamW(groups, fused=True)

    def step(model, optimizer, times):
        for _ in range(times):
            model(torch.ones(1, 3)).square().sum().backward()
            optimizer.step()
            optimizer.zero_grad()

    straight, interrupted, resumed = make(0), make(0), make(1)
    step(*straight, 5)
    step(*interrupted, 3)
    save_checkpoint(tmp_path / "state.safetensors", training_tensors(*interrupted), {})
    restore_training(load_checkpoint(tmp_path / "state.safetensors").tensors, *resumed)
    step(*resumed, 2)
    for ours, expected in zip(resumed[0].parameters(), straight[0].parameters()):
        assert torch.equal(ours, expected)


def test_the_state_of_another_optimizer_is_refused():
    model = torch.nn.Linear(3, 2)
    adamw = torch.optim.AdamW(model.parameters())
    model(torch.ones(1, 3)).sum().backward()
    adamw.step()
    tensors = training_tensors(model, adamw)
    for others in ([model.bias, model.weight], [model.weight]):
        with pytest.raises(ValueError, match="another optimizer"):
            restore_training(tensors, model, torch.optim.AdamW(others))
