"""The memory table of the page is the one that is computed; its Python blocks name what exists."""

import ast
import importlib
import re
from pathlib import Path

import pytest

from anyorder.models.language.llada2.checkpoint import read_configuration
from anyorder.models.language.llada2.memory import COSTS, GIB, Parameters, memory, num_gpus_needed

ROOT = Path(__file__).parents[4]
PAGE = (ROOT / "docs" / "llada2.md").read_text()


@pytest.fixture(params=["mini", "flash"])
def sized(request):
    config = read_configuration(ROOT / "configs" / "models" / f"llada2_{request.param}.yaml")
    return request.param, config, Parameters.of(config)


def test_the_memory_table(sized):
    name, config, count = sized
    needed = [num_gpus_needed(config, count, training) for training in COSTS]
    if name == "flash":
        said = r"-flash needs (\d+) such GPUs for full training, (\d+) in bfloat16, (\d+) for LoRA and (\d+)"
        found = re.search(said, PAGE)
        assert [int(number) for number in found.groups()] == needed
        return
    rows = re.search("<!-- memory -->(.*)<!-- /memory -->", PAGE, re.DOTALL)[1].strip().splitlines()[4:-1]
    for row, training, gpus in zip(rows, COSTS, needed, strict=True):
        need = memory(config, count, training, num_gpus=8)
        parts = [need.weights, need.gradients, need.optimizer, need.layers, need.batch, need.total]
        assert row.removeprefix(training).split() == [f"{part / GIB:.1f}" for part in parts] + [str(gpus)]


def test_what_is_imported_exists():
    blocks = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    imports = [node for block in blocks for node in ast.walk(ast.parse(block)) if isinstance(node, ast.ImportFrom)]
    assert len(blocks) == 5 and len(imports) >= 6
    for node in imports:
        module = importlib.import_module(node.module)
        assert all(hasattr(module, alias.name) for alias in node.names), node.module
