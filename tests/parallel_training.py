"""What each of two processes does in `test_divided_training`. Run by torchrun."""

import sys

import torch
from accelerate import Accelerator, DistributedType, FullyShardedDataParallelPlugin
from torch.distributed.tensor import DTensor

from anyorder.cli import main
from anyorder.training import trainer


def divided(**options):
    """FSDP2 as Accelerate sets it up; it does so for GPUs alone unless told otherwise."""
    plugin = FullyShardedDataParallelPlugin(
        fsdp_version=2, auto_wrap_policy="transformer_based_wrap", cpu_ram_efficient_loading=False
    )
    accelerator = Accelerator(cpu=True, **options)
    accelerator.state.distributed_type, accelerator.state.fsdp_plugin = DistributedType.FSDP, plugin
    return accelerator


def check_divided(run, *arguments):
    """Nothing is divided by accident: every parameter that learns lies in shards."""
    made(run, *arguments)
    learning = [parameter for parameter in run.model.parameters() if parameter.requires_grad]
    assert learning and all(isinstance(parameter, DTensor) for parameter in learning)


if __name__ == "__main__":
    torch.set_num_threads(1)
    made = trainer._Run.__init__
    trainer._Run.__init__, trainer.Accelerator = check_divided, divided
    main(sys.argv[1:])
    torch.distributed.destroy_process_group()
