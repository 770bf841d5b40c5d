"""What each of two processes does in `test_divided_training`. Run by torchrun."""

import os
import sys

import torch
from accelerate import Accelerator, DistributedType, FullyShardedDataParallelPlugin
from torch.distributed.tensor import DTensor

from anyorder.cli import main
from anyorder.training import trainer


def divided(**options):
    """FSDP2 as Accelerate sets it up; it does so for GPUs alone unless told otherwise."""
    plugin = FullyShardedDataParallelPlugin(fsdp_version=2, auto_wrap_policy="transformer_based_wrap")
    accelerator = Accelerator(cpu=True, **options)
    accelerator.state.distributed_type, accelerator.state.fsdp_plugin = DistributedType.FSDP, plugin
    return accelerator


def check_divided(run, job, *arguments):
    """Nothing is divided by accident: every parameter that learns lies in shards, and nothing is left without a value."""
    made(run, job, *arguments)
    learning = [parameter for parameter in run.model.parameters() if parameter.requires_grad]
    assert learning and all(isinstance(parameter, DTensor) for parameter in learning)
    assert not any(tensor.is_meta for tensor in (*run.model.parameters(), *run.model.buffers()))


def check_loaded(accelerator, model, make_optimizer):
    """A model that is to be loaded once is in the first process alone."""
    once = os.environ.get("FSDP_CPU_RAM_EFFICIENT_LOADING") == "true"
    without = once and accelerator.process_index > 0
    assert all(tensor.is_meta == without for tensor in (*model.parameters(), *model.buffers()))
    return prepare(accelerator, model, make_optimizer)


if __name__ == "__main__":
    torch.set_num_threads(1)
    made, prepare, trainer.prepare = trainer._Run.__init__, trainer.prepare, check_loaded
    trainer._Run.__init__, trainer.Accelerator = check_divided, divided
    main(sys.argv[1:])
