"""What cannot be loaded by one process alone is refused; two processes are in `tests/training/test_divided_training.py`."""

from types import SimpleNamespace

import pytest
from torch import nn
from torch.distributed.fsdp import CPUOffloadPolicy, OffloadPolicy

from anyorder.errors import AnyOrderError
from anyorder.training.divided import loads_weights, prepare


def prepared(model, policy):
    plugin = SimpleNamespace(cpu_ram_efficient_loading=True, cpu_offload=policy)
    accelerator = SimpleNamespace(is_fsdp2=True, state=SimpleNamespace(fsdp_plugin=plugin))
    return prepare(accelerator, model, lambda model: pytest.fail("refused before an optimizer is made"))


def test_a_head_that_shares_the_embedding_is_refused():
    model = nn.ModuleDict({"embedding": nn.Embedding(5, 3), "head": nn.Linear(3, 5, bias=False)})
    model["head"].weight = model["embedding"].weight
    with pytest.raises(AnyOrderError, match="head shares the embedding cannot be combined with fsdp_cpu_ram_efficient_loading"):
        prepared(model, OffloadPolicy())


def test_offloaded_parameters_are_refused():
    with pytest.raises(AnyOrderError, match="fsdp_offload_params cannot be combined with fsdp_cpu_ram_efficient_loading"):
        prepared(nn.Linear(3, 5), CPUOffloadPolicy())


@pytest.mark.parametrize(
    ("fsdp", "once", "rank", "loads"),
    [("true", "true", "0", True), ("true", "true", "1", False), ("true", "false", "1", True), ("false", "true", "1", True)],
)
def test_who_loads(fsdp, once, rank, loads, monkeypatch):
    for name, value in (("ACCELERATE_USE_FSDP", fsdp), ("FSDP_CPU_RAM_EFFICIENT_LOADING", once), ("RANK", rank)):
        monkeypatch.setenv(name, value)
    assert loads_weights() == loads
