"""Prints tokens per second and memory of training LLaDA2, beside the published modelling code if there is a copy of it.

Run with ``python benchmarks/llada2.py [--published FOLDER]``, where FOLDER holds the ``modeling_llada2_moe.py`` and
``configuration_llada2_moe.py`` of the published model. On a GPU it trains six layers of LLaDA2.0-mini in bfloat16, on a
CPU `configs/models/llada2_tiny.yaml` in float32. Both models get the same weights, and are compared before they are
timed. Figures are medians of several updates (forward, backward, AdamW); compare only figures of one run.
"""

from __future__ import annotations

import argparse
import importlib
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn
from transformers import modeling_rope_utils
from transformers.core_model_loading import revert_weight_conversion

from anyorder.models.language.llada2 import LLaDA2MoeConfig, LLaDA2MoeModelLM
from anyorder.models.language.llada2.attention import block_causal
from anyorder.models.language.llada2.checkpoint import read_configuration

MODELS = Path(__file__).parent.parent / "configs" / "models"
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
DTYPE = torch.bfloat16 if DEVICE == "cuda" else torch.float32
BLOCK_LENGTH = 32
WARM_UP = 2


def configuration(path: str | None) -> LLaDA2MoeConfig:
    """The configuration of the model that is timed."""
    if path is not None or DEVICE == "cpu":
        return read_configuration(Path(path or MODELS / "llada2_tiny.yaml"))
    config = read_configuration(MODELS / "llada2_mini.yaml")
    config.num_hidden_layers = 6
    return config


def ours(config: LLaDA2MoeConfig) -> nn.Module:
    """Our model with fresh weights."""
    torch.manual_seed(0)
    with torch.device(DEVICE):
        return LLaDA2MoeModelLM(config).to(DTYPE)


def published(folder: Path, model: nn.Module) -> nn.Module:
    """The published code with the weights of ``model``."""
    package = folder.resolve()
    sys.path.insert(0, str(package.parent))
    code = importlib.import_module(f"{package.name}.modeling_llada2_moe")
    config = code.LLaDA2MoeConfig(**model.config.to_dict())
    config._attn_implementation = "sdpa"
    # It was written for transformers 4, which kept the plain rotary embedding in this table.
    modeling_rope_utils.ROPE_INIT_FUNCTIONS["default"] = _plain_rotary
    with torch.device(DEVICE):
        theirs = code.LLaDA2MoeModelLM(config).to(DTYPE)
    del modeling_rope_utils.ROPE_INIT_FUNCTIONS["default"]
    theirs.load_state_dict(revert_weight_conversion(model, model.state_dict()))
    theirs.model.rotary_emb.inv_freq = model.model.rotary_emb.inv_freq  # theirs is rounded to the model's type
    return theirs


def _plain_rotary(config, device=None) -> tuple[Tensor, float]:
    width = int(config.head_dim * config.partial_rotary_factor)
    return 1.0 / config.rope_theta ** (torch.arange(0, width, 2, device=device).float() / width), 1.0


def batch(config: LLaDA2MoeConfig, sequences: int, tokens: int) -> dict[str, Tensor]:
    """A batch of random tokens with the attention mask of block diffusion; half of the tokens are targets."""
    with torch.device(DEVICE):
        ids = torch.randint(config.vocab_size - 1, (sequences, tokens), generator=torch.Generator(DEVICE).manual_seed(0))
        hidden = torch.arange(tokens) % 2 == 0
        positions = torch.arange(tokens).expand(sequences, -1)
    return {
        "input_ids": ids.masked_fill(hidden, config.vocab_size - 1),
        "labels": ids.masked_fill(~hidden, -100),
        "position_ids": positions,
        "attention_mask": block_causal(positions, BLOCK_LENGTH),
    }


def added(inputs: dict[str, Tensor]) -> dict[str, Tensor]:
    """The same batch with a mask that is added to the scores, the only form that the published code takes."""
    allowed = inputs["attention_mask"]
    zeros = torch.zeros(allowed.shape, dtype=DTYPE, device=allowed.device)
    return inputs | {"attention_mask": zeros.masked_fill(~allowed, -torch.inf)}


def train(model: nn.Module, inputs: dict[str, Tensor], updates: int) -> tuple[float, float]:
    """Train; returns the median of tokens per second, and the highest memory in GiB (0 on a CPU)."""
    optimizer, seconds = torch.optim.AdamW(model.train().parameters(), lr=1e-5, fused=True), []
    if DEVICE == "cuda":
        torch.cuda.reset_peak_memory_stats()
    for _ in range(WARM_UP + updates):
        _wait()
        start = time.perf_counter()
        model(**inputs).loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        _wait()
        seconds.append(time.perf_counter() - start)
    peak = torch.cuda.max_memory_allocated() / 2**30 if DEVICE == "cuda" else 0.0
    return inputs["input_ids"].numel() / statistics.median(seconds[WARM_UP:]), peak


def _wait() -> None:
    if DEVICE == "cuda":
        torch.cuda.synchronize()


def report(name: str, make: Callable[[], nn.Module], inputs: dict[str, Tensor], updates: int) -> float:
    """Train and print; returns tokens per second, 0 where the model does not fit."""
    try:
        speed, peak = train(make(), inputs, updates)
    except torch.cuda.OutOfMemoryError:
        print(f"{name:36} does not fit", flush=True)
        return 0.0
    finally:
        if DEVICE == "cuda":
            torch.cuda.empty_cache()
    print(f"{name:36} {speed:10,.0f} tokens/s" + (f" {peak:8.1f} GiB" if peak else ""), flush=True)
    return speed


def with_attention(config: LLaDA2MoeConfig, attention: str, checkpointing: bool = False) -> nn.Module:
    """Our model with this implementation of attention, with gradient checkpointing or without."""
    model = ours(config)
    model.set_attn_implementation(attention)
    if checkpointing:
        model.activation_checkpointing_enable()
    return model


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--config", help="YAML file or config.json of the model")
    options.add_argument("--published", type=Path, help="folder of the published modelling code")
    options.add_argument("--sequences", type=int, default=4 if DEVICE == "cuda" else 2)
    options.add_argument("--tokens", type=int, default=2048 if DEVICE == "cuda" else 256, help="of a sequence")
    options.add_argument("--updates", type=int, default=10 if DEVICE == "cuda" else 5)
    chosen = options.parse_args()
    torch.set_num_threads(1)
    config = configuration(chosen.config)
    inputs = batch(config, chosen.sequences, chosen.tokens)
    card = torch.cuda.get_device_name() if DEVICE == "cuda" else "one thread of a CPU"
    print(f"{config.num_hidden_layers} layers of width {config.hidden_size}, {config.num_experts} experts, on {card}")

    def timed(name: str, make: Callable[[], nn.Module], given: dict[str, Tensor] = inputs) -> float:
        return report(name, make, given, chosen.updates)

    ratio = []
    if chosen.published:
        model = ours(config)
        theirs = published(chosen.published, model)
        with torch.no_grad():
            logits, expected = model.eval()(**inputs).logits, theirs.eval()(**added(inputs)).logits
            apart = float((logits.float() - expected.float()).abs().max())
        print(f"logits differ by at most {apart:.1e}, of a size of {float(expected.abs().max()):.1e}")
        del model, logits, expected
        ratio.append(timed("published code, sdpa", lambda: theirs, added(inputs)))
        theirs.gradient_checkpointing_enable()
        timed("published code, checkpointing", lambda: theirs, added(inputs))
        del theirs
    ratio.append(timed("ours, sdpa", lambda: with_attention(config, "sdpa")))
    timed("ours, sdpa, checkpointing", lambda: with_attention(config, "sdpa", checkpointing=True))
    if DEVICE == "cuda":  # FlexAttention has no gradients on a CPU
        timed("ours, flex_attention", lambda: with_attention(config, "flex_attention"))
    if len(ratio) == 2 and ratio[0]:
        print(f"{ratio[1] / ratio[0]:.1f} times the speed of the published code")


if __name__ == "__main__":
    main()
