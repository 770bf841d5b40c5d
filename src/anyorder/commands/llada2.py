"""``anyorder llada2``: how much memory LLaDA2 takes, whether a checkpoint can be used, and its other layouts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from jsonargparse import ArgumentParser

from anyorder.errors import AnyOrderError
from anyorder.options import parse, parser
from anyorder.terminal import console

SUBCOMMANDS = ("memory", "check", "merge", "split")


def llada2_parser() -> ArgumentParser:
    """The options of the command."""
    options = parser(
        "llada2",
        "memory MODEL: how much memory training takes; check MODEL: whether a checkpoint is complete, and whether this"
        " model computes what its config.json asks for; merge MODEL TARGET: write it with merged experts, as dFactory and"
        " VeOmni store them; split MODEL TARGET: write it with one tensor per expert.",
    )
    options.add_argument("action", type=str, help=f"one of {', '.join(SUBCOMMANDS)}")
    options.add_argument("model", type=str, help="a checkpoint folder; for memory also a config.json or YAML file")
    options.add_argument("target", type=str, nargs="?", help="the new folder that merge and split write")
    options.add_argument("--gpus", type=int, default=8, help="number of GPUs that share the model, for memory")
    options.add_argument("--gpu_gib", type=float, default=80.0, help="memory of one GPU in GiB")
    return options


def llada2_command(arguments: Sequence[str]) -> None:
    """Do one of the actions."""
    chosen = parse(llada2_parser(), arguments)
    if chosen.action not in SUBCOMMANDS:
        raise AnyOrderError(f"the action must be one of {', '.join(SUBCOMMANDS)}; found {chosen.action}")
    if (chosen.action in ("merge", "split")) != (chosen.target is not None):
        raise AnyOrderError(
            "merge and split must be given a new folder after the model's, memory and check must not;"
            f" found {chosen.target or 'none'}"
        )
    # Imported when asked for: transformers takes seconds.
    from anyorder.models.language.llada2.checkpoint import check_tensors, expected_shapes, read_configuration
    from anyorder.models.language.llada2.conversion import merge_experts, split_experts
    from anyorder.models.language.llada2.memory import table

    model = Path(chosen.model)
    if chosen.action == "memory":
        if chosen.gpus < 1 or chosen.gpu_gib <= 0:
            raise AnyOrderError(f"--gpus must be at least 1 and --gpu_gib above 0; found {chosen.gpus} and {chosen.gpu_gib}")
        console().print(table(read_configuration(model), chosen.gpus, chosen.gpu_gib))
    elif chosen.action == "check":
        shapes = expected_shapes(read_configuration(model))
        check_tensors(model, shapes)
        print(f"{model} holds all of its {len(shapes)} tensors, and this model computes what its config.json asks for")
    else:
        (merge_experts if chosen.action == "merge" else split_experts)(model, Path(chosen.target))
        print(f"wrote {chosen.target}")
