"""What each of two processes does in `test_llada2_parallel`. Run by torchrun; fails if anything differs."""

import sys
from pathlib import Path

import torch
from accelerate import Accelerator, DistributedType, FullyShardedDataParallelPlugin
from safetensors.torch import load_file
from toy_llada2 import numbers, weights
from transformers.distributed import DistributedConfig

from anyorder.models.language.llada2.blocks import LLaDA2MoeDecoderLayer
from anyorder.models.language.llada2.checkpoint import load_llada2
from anyorder.models.language.llada2.lora import llada2_lora

LAYOUTS = {
    "tensor": dict(tp_size=2),
    "experts": dict(tp_size=2, ep_size=2),
    "sharded": dict(fsdp_size=2),
    "sharded experts": dict(fsdp_size=2, ep_size=2),
}


def whole(tensor):
    return tensor.full_tensor() if hasattr(tensor, "full_tensor") else tensor


def compare_with_one(folder, kind):
    """Logits, gradients and the saved checkpoint of a model in two processes, against the same in one."""
    recorded = numbers("a")
    ids = recorded["input_ids"]
    model, alone = load_llada2(folder, distributed_config=DistributedConfig(**LAYOUTS[kind])), load_llada2(folder)
    halved = [name for name, p in model.named_parameters() if hasattr(p, "to_local") and p.to_local().numel() < p.numel()]
    assert any("experts.gate_up_proj" in name for name in halved), halved
    torch.testing.assert_close(model.eval()(ids).logits, recorded["logits_full"], atol=1e-5, rtol=0)
    for each in (model, alone):
        each.train()(ids, labels=ids).loss.backward()
    for (name, ours), (_, theirs) in zip(model.named_parameters(), alone.named_parameters()):
        torch.testing.assert_close(whole(ours.grad), theirs.grad, atol=1e-6, rtol=1e-4, msg=name)
    target = folder.parent / "saved"
    model.save_pretrained(target)
    torch.distributed.barrier()
    saved, published = load_file(target / "model.safetensors"), weights("a")
    assert saved.keys() == published.keys() and all(torch.equal(saved[name], published[name]) for name in saved)


def compare_layers_with_one(folder):
    """Half of the layers in each process; transformers only answers so."""
    recorded = numbers("a")
    model = load_llada2(folder, distributed_config=DistributedConfig(pp_size=2)).eval()
    assert 0 < sum(isinstance(layer, LLaDA2MoeDecoderLayer) for layer in model.model.layers) < 3
    with torch.no_grad():
        attention, positions = recorded["random_attention"], recorded["random_positions"]
        logits = model(recorded["input_ids"], attention_mask=attention, position_ids=positions).logits
    torch.testing.assert_close(logits, recorded["logits_random"], atol=1e-5, rtol=0)


def train(folder, with_lora, accelerator=None):
    """The losses of five updates, on both trajectories: together here, or one in each process."""
    torch.manual_seed(0)
    model, ids, losses = load_llada2(folder).train(), numbers("a")["input_ids"], []
    if with_lora:
        model.add_adapter(llada2_lora(rank=2, alpha=4))
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=3e-3)
    if accelerator:
        ids = ids[accelerator.process_index :][:1]
        model, optimizer = accelerator.prepare(model, optimizer)
        assert all(type(parameter).__name__ == "DTensor" for parameter in model.parameters())
    for _ in range(5):
        loss = model(ids, labels=ids).loss
        optimizer.zero_grad()
        accelerator.backward(loss) if accelerator else loss.backward()
        optimizer.step()
        losses.append(accelerator.reduce(loss.detach(), "mean") if accelerator else loss.detach())
    return torch.stack(losses), {name: whole(p).detach() for name, p in model.named_parameters()}


def compare_training(folder, with_lora, precision):
    """FSDP2 as Accelerate sets it up; it does so for GPUs alone unless told otherwise. One process has float32."""
    plugin = FullyShardedDataParallelPlugin(
        fsdp_version=2, auto_wrap_policy="transformer_based_wrap", cpu_ram_efficient_loading=False
    )
    accelerator = Accelerator(cpu=True, mixed_precision=precision)
    if precision != "no":
        plugin.set_mixed_precision(precision)
    accelerator.state.distributed_type, accelerator.state.fsdp_plugin = DistributedType.FSDP, plugin
    losses, parameters = train(folder, with_lora, accelerator)
    expected, alone = train(folder, with_lora)
    assert expected[-1] < expected[0] - 0.1
    if precision == "bf16":
        torch.testing.assert_close(losses.float(), expected, atol=0, rtol=0.02)
        return
    torch.testing.assert_close(losses, expected, atol=1e-4, rtol=0)
    # AdamW divides by the size of a gradient, so where that is near nothing, rounding shows.
    for name, ours in parameters.items():
        assert (ours - alone[name]).abs().mean() < 1e-4, name


def main(folder, kind):
    torch.set_num_threads(1)
    if kind in LAYOUTS:
        compare_with_one(folder, kind)
    elif kind == "layers":
        compare_layers_with_one(folder)
    else:
        compare_training(folder, with_lora="lora" in kind, precision="bf16" if "bfloat16" in kind else "no")
    torch.distributed.destroy_process_group()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
