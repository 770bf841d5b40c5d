"""Models too large for every process to hold whole: one process loads them, all get their shares (FSDP2).

Accelerate's own way (its ``fsdp_cpu_ram_efficient_loading``, whose name and setting are kept) knows no persistent
buffers, such as the biases of LLaDA2's routers, and tells an optimizer's parameters apart by addresses, which those
without weights lack. So the weights are handed out here, by torch, after Accelerate has divided a model without any.
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
    """Whether this process is to load weights, before there is an Accelerator: in a run of several that Accelerate was
    told to load once, only the first one."""
    once = parse_flag_from_env("ACCELERATE_USE_FSDP") and parse_flag_from_env(SETTING.upper())
    return not once or os.environ.get("RANK", "0") == "0"


def prepare(
    accelerator: Accelerator, model: ModuleT, make_optimizer: Callable[[ModuleT], Optimizer]
) -> tuple[nn.Module, Optimizer]:
    """Both as Accelerate prepares them; a model that only the first process has loaded, from there.

    Raises:
        AnyOrderError: for a model, or a setting of Accelerate, that does not go with loading once.
    """
    if not (accelerator.is_fsdp2 and accelerator.state.fsdp_plugin.cpu_ram_efficient_loading):
        return accelerator.prepare(model, make_optimizer(model))
    _refuse_what_cannot_be_handed_out(accelerator, model)
    accelerator.state.fsdp_plugin.cpu_ram_efficient_loading = False  # we do it
    weights, buffers = model.state_dict(), dict(model.named_buffers())
    # Accelerate prepares a model only with an optimizer, whose parameters it would exchange; ours is made of the new ones.
    model, _ = accelerator.prepare(model.to("meta"), torch.optim.AdamW([{"params": []}]))
    model.to_empty(device=accelerator.device)
    set_model_state_dict(model, weights, options=StateDictOptions(full_state_dict=True, broadcast_from_rank0=True))
    _hand_out(buffers, model, accelerator)
    return model, accelerator.prepare_optimizer(make_optimizer(model))


def _hand_out(buffers: dict[str, Tensor], model: nn.Module, accelerator: Accelerator) -> None:
    """Those that are in no state dict, too."""
    for name, buffer in model.named_buffers():
        if accelerator.is_main_process:
            buffer.copy_(buffers[name])
        distributed.broadcast(buffer, src=0)


def _refuse_what_cannot_be_handed_out(accelerator: Accelerator, model: nn.Module) -> None:
    # Moving to the meta device and back would make two of one.
    tied = len(list(model.parameters())) < len(list(model.named_parameters(remove_duplicate=False)))
    offloads = isinstance(accelerator.state.fsdp_plugin.cpu_offload, CPUOffloadPolicy)
    if tied or offloads:
        what = "a model whose head shares the embedding" if tied else "fsdp_offload_params"
        raise AnyOrderError(f"{what} does not go with {SETTING}; set that to false in Accelerate's configuration")
