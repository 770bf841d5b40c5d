"""Data flows down and imports point down: no module imports from a higher layer, and none in a circle."""

import ast
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import anyorder

ROOT = Path(anyorder.__file__).parent
LAYERS = [
    {"", "errors", "files", "types", "config", "seeding"},
    {"envs", "experts", "data", "data.manifest", "data.episodes", "data.collect", "data.storage", "data.importers"},
    {"data.layout", "data.grid", "data.batch", "data.text"},
    {"masking", "data.text.grid_form", "data.text.grid_text"},
    {"models"},
    {"training", "policy", "stepwise", "text_policy", "goals", "imagination", "planning", "rebuilding", "decoding", "chain_rule",
     "questions"},
    {"evaluation", "pages"},
    {"experiments", "report", "commands", "playground", "build", "build_language", "task", "cli",
     "__main__"},
]
"""Modules, or whole packages, from values to edges. The modules of ``data`` lie in several layers, so each is named; a grid is
written as text under an order, so what does that stands above orders."""

LAYER_OF = {room: number for number, rooms in enumerate(LAYERS) for room in rooms}


def module_name(path):
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(path): path for path in ROOT.rglob("*.py")}


def layer(module):
    if module in LAYER_OF:
        return LAYER_OF[module]
    room, _, rest = module.partition(".")
    if room == "data" and rest:  # its folders lie in one layer each
        room = ".".join(module.split(".")[:2])
    assert rest and room != "data" and room in LAYER_OF, f"{module} is in no layer; place it in the table above"
    return LAYER_OF[room]


def imports(module):
    """The modules of this package that a module imports, anywhere in its text."""
    found = set()
    for node in ast.walk(ast.parse(MODULES[module].read_text())):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module} has a relative import"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        for name in names:
            root, _, inner = name.partition(".")
            if root == "anyorder":
                found.add(inner if inner in MODULES else inner.rpartition(".")[0])
    return found


def test_imports_are_found():
    assert {"masking.order", "seeding", "training.stores", "training.loss"} <= imports("training.trainer")
    assert imports("errors") == set()


def test_every_module_has_its_layer():
    assert all(layer(module) >= 0 for module in MODULES)
    named = {room for rooms in LAYERS for room in rooms}
    assert named <= MODULES.keys(), "the table names only what exists"


def test_no_module_imports_from_a_higher_layer():
    wrong = [(m, i) for m in sorted(MODULES) for i in sorted(imports(m)) if layer(i) > layer(m)]
    assert wrong == []


def test_no_modules_import_each_other_in_a_circle():
    order = list(TopologicalSorter({module: imports(module) - {module} for module in MODULES}).static_order())
    assert set(order) >= MODULES.keys()


@pytest.mark.parametrize("command", ["collect", "train", "evaluate", "ablate", "study", "query", "imagine", "report"])
def test_what_needs_no_language_model_needs_no_transformers(command):
    """Both are extras; the quickstart installs neither."""
    hidden = "import sys; sys.modules.update(dict.fromkeys(['transformers', 'tokenizers', 'peft']))"
    run = f"{hidden}; import anyorder.build; from anyorder.commands.{command} import {command}_command"
    done = subprocess.run([sys.executable, "-c", run], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
