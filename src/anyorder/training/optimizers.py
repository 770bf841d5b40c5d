"""The optimizer of a training: Muon for the matrices between hidden features, AdamW for everything else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch.distributed.tensor import DTensor
from torch.optim import AdamW, Optimizer

from anyorder.config import TrainingConfig
from anyorder.models.contract import Model
from anyorder.models.parameters import ParameterGroup
from anyorder.training.muon import Muon


def make_optimizer(model: Model[Any], config: TrainingConfig) -> Optimizer:
    """An optimizer over the model's parameter groups, at the peak learning rates."""
    groups = model.parameter_groups()
    if config.optimizer == "adamw" or not any(map(_suits_muon, groups)):
        return _adamw(groups, config)
    muon = Muon([_settings(group, config, config.matrix_lr_factor) for group in groups if _suits_muon(group)])
    return Together([muon, _adamw([group for group in groups if not _suits_muon(group)], config)])


def _adamw(groups: list[ParameterGroup], config: TrainingConfig) -> AdamW:
    return AdamW([_settings(group, config) for group in groups], betas=(0.9, 0.98), fused=True)


def _suits_muon(group: ParameterGroup) -> bool:
    """Muon needs whole matrices; of a divided model each process has a share of them."""
    return group.is_hidden and not any(isinstance(parameter, DTensor) for parameter in group.parameters)


def _settings(group: ParameterGroup, config: TrainingConfig, factor: float = 1.0) -> dict[str, Any]:
    return {
        "params": group.parameters,
        "lr": config.learning_rate * (config.table_lr_factor if group.is_table else factor),
        "weight_decay": config.weight_decay if group.decays else 0.0,
    }


class Together(Optimizer):
    """Several optimizers, each with its own parameters, as one: their groups and states are its own.

    Args:
        parts: no parameter is in two of them.
    """

    def __init__(self, parts: list[Optimizer]) -> None:
        self.parts = parts
        super().__init__([group for part in parts for group in part.param_groups], {})
        self._share()

    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """A step of every part."""
        loss = closure() if closure is not None else None
        for part in self.parts:
            part.step()
        return loss

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        self._share()

    def _share(self) -> None:
        """Hand groups and state to the parts; loading a state replaces both."""
        first = 0
        for part in self.parts:
            part.param_groups = self.param_groups[first : first + len(part.param_groups)]
            part.state = self.state
            first += len(part.param_groups)
