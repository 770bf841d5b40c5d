"""``anyorder imagine``: let a checkpoint imagine the future, and compare it with what happened."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from jsonargparse import ArgumentParser

from anyorder.build.checkpoints import load_model
from anyorder.build.headers import data_folder
from anyorder.commands.environments import add_env_module, allow_named_modules
from anyorder.data.storage import read_split
from anyorder.errors import AnyOrderError
from anyorder.evaluation.imagined import Prefix, imagination_table, random_prefixes, score_imagination
from anyorder.files import replacing, write_result
from anyorder.options import add_trust_option, parse, parser
from anyorder.pictures.imagined_pictures import ImaginedFuture, imagination_film, imagination_strip
from anyorder.terminal import console
from anyorder.types import Trajectory


def imagine_parser() -> ArgumentParser:
    """The options of the command."""
    options = parser("imagine", "Let a checkpoint imagine what true actions lead to; it sees nothing of what follows.")
    add = options.add_argument
    add("--checkpoint", type=str, required=True, help="of a model trained with next_observation or forward_dynamics")
    add("--data", type=str, help="data set folder; default: the one it was trained on")
    add("--split", type=str, default="test", help="train, validation or test")
    add("--episode", type=int, default=0, help="which episode the pictures show: number in the split, from 0")
    add("--start", type=int, default=0, help="in the pictures, step of the last observation that the model is shown")
    add("--horizon", type=int, default=8, help="number of imagined steps")
    add("--num_episodes", type=int, default=200, help="episodes for the table, each from one random start")
    add("--seed", type=int, default=0, help="of the random starts")
    add(
        "--output_dir",
        type=str,
        help="folder for imagined.gif, .mp4, .png and .json; default: report, in the folder of its run",
    )
    add_env_module(options)
    add_trust_option(options)
    return options


def imagine_command(arguments: Sequence[str]) -> None:
    """Print accuracy by horizon; write it down beside a film and a strip of one episode."""
    torch.set_num_threads(1)
    chosen = parse(imagine_parser(), arguments)
    for name in ("horizon", "num_episodes"):
        if chosen[name] < 1:
            raise AnyOrderError(f"{name} must be at least 1; found {chosen[name]}")
    allow_named_modules(chosen)
    checkpoint = Path(chosen.checkpoint)
    model, header = load_model(checkpoint)
    path = data_folder(header, chosen.data, chosen.checkpoint)
    trajectories = read_split(path, chosen.split)
    for trajectory in trajectories:
        model.check(trajectory.observations.shape[1:3], len(trajectory.mission.split()))
    prefix = _prefix(trajectories, chosen.episode, chosen.start)
    folder = Path(chosen.output_dir) if chosen.output_dir else checkpoint.absolute().parent.parent / "report"

    prefixes = random_prefixes(trajectories[: chosen.num_episodes], chosen.seed)
    scores = score_imagination(model, prefixes, chosen.horizon)
    screen = console()
    screen.print(imagination_table(scores))
    result = {"data": str(path), "split": chosen.split, "num_episodes": len(prefixes), "seed": chosen.seed}
    write_result(folder / "imagined.json", result | {"scores": [score.to_json() for score in scores]})
    future = ImaginedFuture.of(model, prefix, chosen.horizon)
    imagination_film(future).write(folder, "imagined")
    with replacing(folder / "imagined.png") as temporary:
        imagination_strip(future).save(temporary, "PNG")
    print(f"imagined.json, .gif, .mp4 and .png are in {folder}")


def _prefix(trajectories: Sequence[Trajectory], episode: int, start: int) -> Prefix:
    if not 0 <= episode < len(trajectories):
        raise AnyOrderError(f"episode must lie between 0 and {len(trajectories) - 1} in this split; found {episode}")
    try:
        return Prefix(trajectories[episode], start)
    except ValueError as error:
        raise AnyOrderError(str(error)) from None
