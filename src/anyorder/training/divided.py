"""Models that are too large for each process to hold whole: one process loads a model, and each gets its share (FSDP2).

Accelerate can load so, too (its setting ``fsdp_cpu_ram_efficient_loading``, which this module obeys), but it has two
faults: it does not handle persistent buffers, such as the biases of LLaDA2's routers; and it tells an optimizer's
parameters apart by their addresses, which parameters without weights lack. So here Accelerate divides a model without
weights, and then torch hands the weights out.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TypeVar

import torch
from accelerate import Accelerator
from accelerate.utils import parse_flag_from_env
from torch import Tensor, distributed, nn
from torch.distributed.checkpoint.state_dict import StateDictOptions, set_model_state_dict
from torch.distributed.fsdp import CPUOffloadPolicy
from torch.optim import Optimizer

from anyorder.errors import AnyOrderError

ModuleT = TypeVar("ModuleT", bound=nn.Module)
SETTING = "fsdp_cpu_ram_efficient_loading"


def loads_weights() -> bool:
    """True if this process must load weights: if Accelerate is set to load once, only the first process does. Can be called
    before there is an Accelerator."""
    once = parse_flag_from_env("ACCELERATE_USE_FSDP") and parse_flag_from_env(SETTING.upper())
    return not once or os.environ.get("RANK", "0") == "0"


def prepare(
    accelerator: Accelerator, model: ModuleT, make_optimizer: Callable[[ModuleT], Optimizer]
) -> tuple[nn.Module, Optimizer]:
    """The model and its optimizer as Accelerate prepares them. If Accelerate is set to load once, every process gets its
    share of the weights from the first process.

    Raises:
        AnyOrderError: for a model, or a setting of Accelerate, that cannot be combined with loading once.
    """
    if not (accelerator.is_fsdp2 and accelerator.state.fsdp_plugin.cpu_ram_efficient_loading):
        return accelerator.prepare(model, make_optimizer(model))
    _refuse_what_cannot_be_handed_out(accelerator, model)
    accelerator.state.fsdp_plugin.cpu_ram_efficient_loading = False  # the lines below do it
    weights, buffers = model.state_dict(), dict(model.named_buffers())
    # Accelerate prepares a model only together with an optimizer, so it gets an empty one; ours is made of the new parameters.
    model, _ = accelerator.prepare(model.to("meta"), torch.optim.AdamW([{"params": []}]))
    model.to_empty(device=accelerator.device)
    set_model_state_dict(model, weights, options=StateDictOptions(full_state_dict=True, broadcast_from_rank0=True))
    _hand_out_buffers(buffers, model, accelerator)
    return model, accelerator.prepare_optimizer(make_optimizer(model))


def _hand_out_buffers(buffers: dict[str, Tensor], model: nn.Module, accelerator: Accelerator) -> None:
    """Copy the first process's buffers to all, also those that are in no state dict."""
    for name, buffer in model.named_buffers():
        if accelerator.is_main_process:
            buffer.copy_(buffers[name])
        distributed.broadcast(buffer, src=0)


def _refuse_what_cannot_be_handed_out(accelerator: Accelerator, model: nn.Module) -> None:
    # Tied parameters would be two separate ones after the move to the meta device and back.
    tied = len(list(model.parameters())) < len(list(model.named_parameters(remove_duplicate=False)))
    offloads = isinstance(accelerator.state.fsdp_plugin.cpu_offload, CPUOffloadPolicy)
    if tied or offloads:
        what = "a model whose head shares the embedding" if tied else "fsdp_offload_params"
        raise AnyOrderError(f"{what} cannot be combined with {SETTING}; set the latter to false in Accelerate's configuration")
