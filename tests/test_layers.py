"""Data flows down and imports point down: one folder per floor, none imports from a higher one, no module in a circle."""

import ast
import subprocess
import sys
from collections import defaultdict
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import anyorder

ROOT = Path(anyorder.__file__).parent
BASE = {
    *("", "errors", "files", "locks", "parsing", "processes", "restoring", "seeding", "terminal", "trust", "types"),
    *("config", "language_config", "options", "cli", "__main__"),
}
"""Modules that lie beside the folders, under all of them. The command line finds its commands by name."""
FLOORS = [
    "envs",
    "elements",
    "pages",
    "data",
    "masking",
    "models",
    "inference",
    "training",
    "acting",
    "evaluation",
    "pictures",
    "playground",
    "build",
    "studies",
    "report",
    "commands",
]
"""One folder per floor, from the ground up: a folder imports only from those before it."""


def module_name(path):
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(path): path for path in ROOT.rglob("*.py")}


def floor(module):
    """Of a module's folder; those of `BASE` are on -1."""
    folder = module.partition(".")[0]
    if module in BASE:
        return -1
    assert folder in FLOORS, f"{module} is on no floor; place it in the table above"
    return FLOORS.index(folder)


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


def test_every_module_has_its_floor():
    assert all(floor(module) >= -1 for module in MODULES)
    assert {*FLOORS, *BASE} <= MODULES.keys(), "the tables name only what exists"


def upward(module):
    """What a module imports from a higher floor."""
    return {name for name in imports(module) if floor(name) > floor(module)}


def test_no_module_imports_from_a_higher_floor():
    assert {module: found for module in sorted(MODULES) if (found := upward(module))} == {}


def public_names(module):
    """Functions, classes and constants that a module defines at its top."""
    for node in ast.parse(MODULES[module].read_text()).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names = [node.name]
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names = [target.id for target in targets if isinstance(target, ast.Name)]
        else:
            continue
        yield from (name for name in names if not name.startswith("_"))


def test_a_name_means_one_thing_in_the_whole_package():
    homes = defaultdict(list)
    for module in MODULES:
        for name in public_names(module):
            homes[name].append(module)
    assert {name: found for name, found in homes.items() if len(found) > 1} == {}


def test_no_file_is_longer_than_400_lines():
    assert {str(path): n for path in MODULES.values() if (n := len(path.read_text().splitlines())) > 400} == {}


def test_what_lies_below_elements_knows_no_tensors():
    below = [f"anyorder.{module}" for module in MODULES if module.partition(".")[0] in FLOORS[: FLOORS.index("elements")]]
    run = f"import sys, {', '.join(below)}; sys.exit('torch' in sys.modules)"
    assert len(below) > 10 and subprocess.run([sys.executable, "-c", run]).returncode == 0


def test_no_modules_import_each_other_in_a_circle():
    order = list(TopologicalSorter({module: imports(module) - {module} for module in MODULES}).static_order())
    assert set(order) >= MODULES.keys()


@pytest.mark.parametrize("command", ["collect", "train", "evaluate", "ablate", "study", "query", "imagine", "report"])
def test_what_needs_no_language_model_needs_no_transformers(command):
    """Both are extras; the quickstart installs neither."""
    hidden = "import sys; sys.modules.update(dict.fromkeys(['transformers', 'tokenizers', 'peft']))"
    run = f"{hidden}; import anyorder.build.runs; from anyorder.commands.{command} import {command}_command"
    done = subprocess.run([sys.executable, "-c", run], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
