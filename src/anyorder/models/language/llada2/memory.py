"""What a LLaDA2 model takes in memory, computed from its configuration; nothing is allocated.

| training | weights | gradients | optimizer (AdamW) | layers that are whole |
|---|---|---|---|---|
| full | float32 | float32 | 2 x float32 | two, and a gradient |
| full, bfloat16 | bfloat16 | bfloat16 | 2 x bfloat16 | two, and a gradient |
| lora | bfloat16, adapters float32 | float32, adapters | 2 x float32, adapters | two, an update, its sum and gradient |
| inference | bfloat16 | none | none | two |

FSDP2 divides the first three among GPUs. Layers (in bfloat16) are whole on every GPU while they work, and the next one
is fetched ahead. What a batch takes is an estimate: with gradient checkpointing the input of every layer, what one layer
remembers, and the logits.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from rich.table import Table

from anyorder.models.language.llada2.blocks import LLaDA2MoeDecoderLayer
from anyorder.models.language.llada2.configuration import LLaDA2MoeConfig
from anyorder.models.language.llada2.lora import LLADA2_ATTENTION, LLADA2_EXPERTS, LLADA2_MLPS
from anyorder.models.language.llada2.modeling import LLaDA2MoeModelLM
from anyorder.terminal import titled_table

GIB = 2**30
LORA_RANK = 16
GPU_GIB = 80
SHARE = 0.9
"""Share of a GPU's memory that can be filled."""


@dataclass(frozen=True)
class Parameters:
    """Numbers of parameters.

    Attributes:
        total: in the model.
        active: those that work on one token.
        layer: in the largest layer.
        adapters: in adapters of LoRA at a rank of `LORA_RANK` on attention, MLPs and experts.
    """

    total: int
    active: int
    layer: int
    adapters: int

    @classmethod
    def of(cls, config: LLaDA2MoeConfig) -> Parameters:
        """Count the parameters of a model with this configuration."""
        with torch.device("meta"):
            model = LLaDA2MoeModelLM(config)
        sizes = {name: parameter.numel() for name, parameter in model.named_parameters()}
        total, routed = sum(sizes.values()), sum(size for name, size in sizes.items() if ".experts." in name)
        experts = config.num_experts or 1  # without any, nothing is routed
        layers = [module for module in model.modules() if isinstance(module, LLaDA2MoeDecoderLayer)]
        return cls(
            total=total,
            active=total - routed + routed * config.num_experts_per_tok // experts,
            layer=max(sum(parameter.numel() for parameter in layer.parameters()) for layer in layers),
            adapters=LORA_RANK * sum(_adapted_widths(model)),
        )


def _adapted_widths(model: LLaDA2MoeModelLM) -> Iterator[int]:
    """Input plus output width of everything that LoRA adapts."""
    for name, parameter in model.named_parameters():
        if name.endswith(tuple(LLADA2_EXPERTS)):
            yield parameter.shape[0] * (parameter.shape[1] + parameter.shape[2])
        elif re.fullmatch(f"({LLADA2_ATTENTION}|{LLADA2_MLPS})\\.weight", name):
            yield sum(parameter.shape)


@dataclass(frozen=True)
class Memory:
    """Bytes on one GPU.

    Attributes:
        weights, gradients, optimizer: one GPU's share of them.
        layers: the layers that are whole on every GPU.
        batch: what the pass over a batch takes.
    """

    weights: float
    gradients: float
    optimizer: float
    layers: float
    batch: float

    @property
    def total(self) -> float:
        """The sum."""
        return self.weights + self.gradients + self.optimizer + self.layers + self.batch


@dataclass(frozen=True)
class _Cost:
    """Bytes for weights, gradients and optimizer, for each parameter of the model and for each of the adapters, and how
    many layers are whole on every GPU."""

    of_model: tuple[int, int, int]
    of_adapters: tuple[int, int, int]
    layers: int


COSTS = {
    "full": _Cost((4, 4, 8), (0, 0, 0), 3),
    "full, bfloat16": _Cost((2, 2, 4), (0, 0, 0), 3),
    "lora": _Cost((2, 0, 0), (4, 4, 8), 5),
    "inference": _Cost((2, 0, 0), (0, 0, 0), 2),
}


def memory(
    config: LLaDA2MoeConfig, count: Parameters, training: str, num_gpus: int = 1, tokens: int = 4096, asked: int = 1024
) -> Memory:
    """The memory that one of several GPUs needs.

    Args:
        config: of the model.
        count: the parameters of that model.
        training: one of `COSTS`.
        num_gpus: how many GPUs FSDP2 divides the model among.
        tokens: how many tokens one GPU reads at a time, both forms counted (see `anyorder.models.two_copies`).
        asked: for how many of these tokens logits are needed.
    """
    cost, learns = COSTS[training], training != "inference"
    weights, gradients, optimizer = (
        (count.total * model + count.adapters * adapter) / num_gpus for model, adapter in zip(cost.of_model, cost.of_adapters)
    )
    experts = config.num_experts_per_tok * (2 * config.hidden_size + 4 * (config.moe_intermediate_size or 0))
    assert config.head_dim is not None  # the configuration has derived it
    numbers = 8 * config.hidden_size + 4 * config.num_attention_heads * config.head_dim + experts
    layer_inputs = config.num_hidden_layers * config.hidden_size if learns else 0
    # Twice: with gradients. Logits are there in bfloat16 and float32.
    batch = tokens * 2 * (layer_inputs + numbers * (1 + learns)) + asked * config.vocab_size * 6 * (1 + learns)
    return Memory(weights, gradients, optimizer, cost.layers * count.layer * 2, batch)


def num_gpus_needed(
    config: LLaDA2MoeConfig, count: Parameters, training: str, gib: float = GPU_GIB, most: int = 4096
) -> int | None:
    """The smallest number of GPUs, a power of two, that hold it with ``gib`` GiB each; None if not even ``most`` do."""
    for num_gpus in (2**power for power in range(most.bit_length())):
        if memory(config, count, training, num_gpus).total <= SHARE * gib * GIB:
            return num_gpus
    return None


def table(config: LLaDA2MoeConfig, num_gpus: int, gib: float = GPU_GIB) -> Table:
    """GiB on each of several GPUs, for every kind of training, and how many GPUs it takes at least."""
    count = Parameters.of(config)
    title = (
        f"{count.total / 1e9:.3g}B parameters, {count.active / 1e9:.3g}B at work on a token, {count.adapters / 1e9:.2g}B"
        f" in adapters of rank {LORA_RANK}\nGiB on each of {num_gpus} GPUs that reads 4096 tokens at a time and is asked"
        " for 1024"
    )
    columns = ["weights", "gradients", "optimizer", "layers", "batch", "total", f"{gib:g} GiB GPUs needed"]
    found = titled_table(title, "training", *columns, right=columns)
    for training in COSTS:
        need = memory(config, count, training, num_gpus)
        parts = [need.weights, need.gradients, need.optimizer, need.layers, need.batch, need.total]
        needed = num_gpus_needed(config, count, training, gib)
        found.add_row(training, *(f"{part / GIB:.1f}" for part in parts), str(needed or "-"))
    return found
