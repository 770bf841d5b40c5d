"""The optimizers of a training, beside torch's own."""

import copy

import pytest
import torch
from torch import nn

from anyorder.config import TrainingConfig
from anyorder.models.parameters import ParameterGroup
from anyorder.training.muon import Muon, orthogonalised
from anyorder.training.optimizers import Together, make_optimizer


class Network(nn.Module):
    """Tables, hidden matrices of several shapes and a head."""

    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(5, 8)
        self.hidden = nn.Sequential(nn.Linear(8, 24), nn.GELU(), nn.Linear(24, 8), nn.GELU(), nn.Linear(8, 8), nn.GELU())
        self.head = nn.Linear(8, 3)

    def forward(self, tokens):
        return self.head(self.hidden(self.embedding(tokens)))

    def parameter_groups(self):
        matrices = [layer.weight for layer in self.hidden if isinstance(layer, nn.Linear)]
        known = {id(matrix) for matrix in matrices}
        rest = [parameter for parameter in self.parameters() if id(parameter) not in known]
        return [ParameterGroup(matrices, decays=True, is_hidden=True), ParameterGroup(rest, decays=False)]


@pytest.fixture
def network():
    torch.manual_seed(0)
    return Network()


TOKENS = torch.arange(20) % 5
ANSWERS = TOKENS % 3


def descend(network, optimizer, times):
    losses = []
    for _ in range(times):
        loss = nn.functional.cross_entropy(network(TOKENS), ANSWERS)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
    return losses


@pytest.mark.parametrize("shape", [(3, 16, 16), (2, 8, 40), (4, 40, 8)])
def test_orthogonalised_matrices_keep_their_singular_vectors_and_have_singular_values_near_one(shape):
    matrices = torch.randn(shape, generator=torch.Generator().manual_seed(1))
    found = orthogonalised(matrices)
    left, _, right = torch.linalg.svd(matrices, full_matrices=False)
    between = left.mT @ found @ right.mT
    values = between.diagonal(dim1=1, dim2=2)
    assert values.min() > 0.6 and values.max() < 1.25
    torch.testing.assert_close(between, torch.diag_embed(values), atol=1e-4, rtol=0)


def test_steps_are_those_of_torch(network, monkeypatch):
    monkeypatch.setattr(torch.Tensor, "bfloat16", torch.Tensor.float)  # torch rounds to bfloat16, ours does not
    twin = copy.deepcopy(network)
    ours = Muon([{"params": network.parameter_groups()[0].parameters, "lr": 0.01, "weight_decay": 0.1}])
    theirs = torch.optim.Muon(
        twin.parameter_groups()[0].parameters, momentum=0.9, lr=0.01, weight_decay=0.1, adjust_lr_fn="match_rms_adamw"
    )
    assert descend(network, ours, 5) == pytest.approx(descend(twin, theirs, 5), abs=1e-5)
    for mine, its in zip(network.parameters(), twin.parameters()):
        torch.testing.assert_close(mine, its, atol=1e-5, rtol=1e-4)


def test_hidden_matrices_learn_by_muon_and_all_else_by_adamw(network):
    config = TrainingConfig(learning_rate=0.01, matrix_lr_factor=3.0, weight_decay=0.1)
    optimizer = make_optimizer(network, config)
    assert isinstance(optimizer, Together)
    assert [type(part).__name__ for part in optimizer.parts] == ["Muon", "AdamW"]
    assert [(group["lr"], group["weight_decay"]) for group in optimizer.param_groups] == [(0.03, 0.1), (0.01, 0.0)]
    found = [id(parameter) for group in optimizer.param_groups for parameter in group["params"]]
    assert sorted(found) == sorted(id(parameter) for parameter in network.parameters())
    losses = descend(network, optimizer, 60)
    assert losses[-1] < losses[0] / 3


def test_groups_of_as_many_parameters_are_told_apart(network):
    first, second, head = network.hidden[0].weight, network.hidden[2].weight, network.head.weight
    network.parameter_groups = lambda: [
        ParameterGroup([first, second], decays=True, is_hidden=True),
        ParameterGroup([head, network.embedding.weight], decays=True),
    ]
    muon, adamw = make_optimizer(network, TrainingConfig()).param_groups
    assert [id(p) for p in muon["params"]] == [id(first), id(second)]
    assert [id(p) for p in adamw["params"]] == [id(head), id(network.embedding.weight)]


def test_adamw_is_one_setting_away(network):
    assert type(make_optimizer(network, TrainingConfig(optimizer="adamw"))) is torch.optim.AdamW


def test_learning_rates_set_on_the_whole_reach_the_parts(network):
    optimizer = make_optimizer(network, TrainingConfig(weight_decay=0.0))
    before = [parameter.clone() for parameter in network.parameters()]
    for group in optimizer.param_groups:
        group["lr"] = 0.0
    descend(network, optimizer, 2)
    assert all(torch.equal(old, new) for old, new in zip(before, network.parameters()))


def test_a_restored_state_continues_as_if_nothing_had_happened(network):
    optimizer = make_optimizer(network, TrainingConfig())
    descend(network, optimizer, 3)
    twin = copy.deepcopy(network)
    restored = make_optimizer(twin, TrainingConfig())
    restored.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    assert descend(network, optimizer, 3) == descend(twin, restored, 3)
    assert all(torch.equal(old, new) for old, new in zip(network.parameters(), twin.parameters()))
