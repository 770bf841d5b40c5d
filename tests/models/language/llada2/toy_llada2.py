"""Tiny random LLaDA2 models. ``reference/`` holds numbers made with the published code (transformers 4.57.1, eager
attention, float32, CPU): configurations, weights, inputs, logits, generations.

| configuration | what it covers |
|---|---|
| a | as the published models: several groups, one shared expert, one dense layer, half of each head rotated |
| b | one group, one expert per token, two dense layers, full rotation, one key/value head, biases, two shared experts |
| c | experts in every layer, a shared expert of no width, no norms of queries and keys, a quarter rotated |
| d | no shared expert, heads wider than hidden_size / num_attention_heads |

The biases of b, c and d lie below all scores, so that an excluded expert whose score is set to zero would be chosen.
"""

import json
import shutil
from pathlib import Path

from safetensors.torch import load_file

from anyorder.models.language.llada2 import LLaDA2MoeConfig, LLaDA2MoeModelLM

REFERENCE = Path(__file__).parent / "reference"
CONFIGURATIONS = "abcd"


def settings(name):
    """A configuration as its file has it."""
    return json.loads((REFERENCE / f"{name}_config.json").read_text())


def weights(name):
    """Published names and tensors."""
    return load_file(REFERENCE / f"{name}_weights.safetensors")


def numbers(name):
    """Inputs, and the logits of the published code."""
    return load_file(REFERENCE / f"{name}_io.safetensors")


def checkpoint(folder, name):
    """A folder that holds a configuration and its weights as they are published."""
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(REFERENCE / f"{name}_config.json", folder / "config.json")
    shutil.copy(REFERENCE / f"{name}_weights.safetensors", folder / "model.safetensors")
    return folder


def random_model(name="a", **changes):
    """With fresh weights; ``changes`` of the configuration."""
    return LLaDA2MoeModelLM(LLaDA2MoeConfig(**settings(name) | changes)).eval()
