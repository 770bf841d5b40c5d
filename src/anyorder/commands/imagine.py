"""``anyorder imagine``: let a checkpoint imagine the future, and compare it with what happened."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from jsonargparse import ArgumentParser, Namespace
from matplotlib import rc_context

from anyorder.build.checkpoints import is_of_conversations, load_model
from anyorder.build.elements import holds_fields, load_element_checkpoint, read_fields_for
from anyorder.build.headers import data_folder
from anyorder.build.splits import whole_grids
from anyorder.commands.beginning import shown_beginning, write_imagined
from anyorder.commands.environments import add_env_module, allow_named_modules
from anyorder.data.storage import read_split
from anyorder.errors import AnyOrderError
from anyorder.evaluation.beginnings import random_beginnings
from anyorder.evaluation.field_imagined import FieldPrefix, field_imagination_table, score_field_imagination
from anyorder.evaluation.findings import as_plain
from anyorder.evaluation.imagined import Prefix, imagination_table, score_imagination
from anyorder.files import replacing
from anyorder.options import add_trust_option, parse, parser
from anyorder.pictures.field_imagined_pictures import imagined_series
from anyorder.pictures.field_plot import series_figure
from anyorder.pictures.imagined_pictures import ImaginedFuture, imagination_film, imagination_strip
from anyorder.terminal import console


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
        "--own_actions",
        action="store_true",
        help="in the conversation that is shown, the model also says what is done; otherwise that is what was really done",
    )
    add("--num_passes", type=int, default=8, help="in a conversation: passes for each turn, the surest tokens first")
    add(
        "--output_dir",
        type=str,
        help="folder for imagined.json, and .png of grids and fields, .gif and .mp4 of grids; default: report, in the folder of"
        " its run",
    )
    add_env_module(options)
    add_trust_option(options)
    return options


def imagine_command(arguments: Sequence[str]) -> None:
    """Print accuracy or errors by horizon; write them down beside one episode, as pictures or in words."""
    torch.set_num_threads(1)
    chosen = parse(imagine_parser(), arguments)
    for name in ("horizon", "num_episodes", "num_passes"):
        if chosen[name] < 1:
            raise AnyOrderError(f"{name} must be at least 1; found {chosen[name]}")
    allow_named_modules(chosen)
    checkpoint = Path(chosen.checkpoint)
    folder = Path(chosen.output_dir) if chosen.output_dir else checkpoint.absolute().parent.parent / "report"
    if is_of_conversations(checkpoint):
        from anyorder.commands.imagine_text import imagine_in_words  # the import of transformers takes seconds

        imagine_in_words(chosen, checkpoint, folder)
    elif chosen.own_actions:
        raise AnyOrderError("--own_actions is for conversations; found another checkpoint; leave it out")
    else:
        imagine_in = _in_fields if holds_fields(checkpoint) else _in_grids
        imagine_in(chosen, checkpoint, folder)


def _in_grids(chosen: Namespace, checkpoint: Path, folder: Path) -> None:
    model, header = load_model(checkpoint)
    path = data_folder(header, chosen.data, chosen.checkpoint)
    trajectories = whole_grids(read_split(path, chosen.split), path, "imagination")
    for trajectory in trajectories:
        model.check(trajectory.observations.shape[1:3], len(trajectory.mission.split()))
    prefix = shown_beginning(Prefix, trajectories, chosen)
    prefixes = random_beginnings(Prefix, trajectories[: chosen.num_episodes], chosen.seed)
    scores = score_imagination(model, prefixes, chosen.horizon)
    console().print(imagination_table(scores))
    write_imagined(chosen, folder, path, len(prefixes), scores=[score.to_json() for score in scores])
    future = ImaginedFuture.of(model, prefix, chosen.horizon)
    imagination_film(future).write(folder, "imagined")
    with replacing(folder / "imagined.png") as temporary:
        imagination_strip(future).save(temporary, "PNG")
    print(f"imagined.json, .gif, .mp4 and .png are in {folder}")


def _in_fields(chosen: Namespace, checkpoint: Path, folder: Path) -> None:
    saved = load_element_checkpoint(checkpoint)
    path = data_folder(saved.header, chosen.data, chosen.checkpoint)
    trajectories = read_fields_for(saved, path, chosen.split)
    prefix = shown_beginning(FieldPrefix, trajectories, chosen)
    prefixes = random_beginnings(FieldPrefix, trajectories[: chosen.num_episodes], chosen.seed)
    scores = score_field_imagination(saved.model, prefixes, chosen.horizon)
    console().print(field_imagination_table(scores))
    write_imagined(chosen, folder, path, len(prefixes), scores=as_plain(scores))
    series, first = imagined_series(saved.model, prefix, chosen.horizon, chosen.seed)
    with rc_context({"font.size": 8}), replacing(folder / "imagined.png") as temporary:
        series_figure(series, first_step=first).savefig(temporary, format="png", dpi=150)
    print(f"imagined.json and .png are in {folder}")
