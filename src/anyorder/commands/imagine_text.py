"""``anyorder imagine`` for models of conversations."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from jsonargparse import Namespace

from anyorder.acting.text_imagination import TextWorld, given_turns, observation_rooms
from anyorder.build.checkpoints import load_conversation_model
from anyorder.build.headers import data_folder
from anyorder.build.splits import say
from anyorder.commands.beginning import shown_beginning, write_imagined
from anyorder.data.text_storage import read_text_split
from anyorder.errors import AnyOrderError
from anyorder.evaluation.beginnings import random_beginnings
from anyorder.evaluation.imagined import imagination_table
from anyorder.evaluation.text_imagined import (
    TextPrefix,
    check_goes_on,
    score_text_imagination,
    told_beside,
    told_table,
)
from anyorder.inference.decoding import ByConfidence
from anyorder.seeding import stream
from anyorder.terminal import console, progress_bars
from anyorder.types import TextTrajectory

SAYS_WHAT_FOLLOWS = ("next_observation", "forward_dynamics", "next_step")
"""Strategies that ask for an observation from its past."""


def imagine_in_words(chosen: Namespace, checkpoint: Path, folder: Path) -> None:
    """Print an imagined conversation beside what really happened, and the accuracy of many; write both down.

    Raises:
        AnyOrderError: for a model that never learned to say observations.
    """
    conversations, header = load_conversation_model(checkpoint)
    reader = conversations.reader
    path = data_folder(header, chosen.data, chosen.checkpoint)
    decoder = ByConfidence(chosen.num_passes)
    rooms = observation_rooms(read_text_split(path, "train"), reader.codec, reader.form)
    world = TextWorld(conversations.model, reader.codec, reader.form, reader.limit, rooms, decoder)
    if not any(name in json.dumps(header["config"]["masking"]) for name in SAYS_WHAT_FOLLOWS):
        say(f"{checkpoint} was not trained on {' or '.join(SAYS_WHAT_FOLLOWS)}; what it imagines may be far from what follows")
    trajectories = read_text_split(path, chosen.split)
    prefix = shown_beginning(TextPrefix, trajectories, chosen)
    check_goes_on(prefix)
    choose = world.act if chosen.own_actions else given_turns(prefix.actions())
    steps = world.imagine(prefix.history(), choose, chosen.horizon, stream(chosen.seed, "imagined", "shown"))
    told = told_beside(world, prefix, steps)
    console().print(told_table(told, f"{prefix.trajectory.source} from step {prefix.start} on, imagined"))
    prefixes = _beginnings(trajectories, chosen)
    with progress_bars() as progress:
        task = progress.add_task("imagining", total=len(prefixes))
        scores = score_text_imagination(world, prefixes, chosen.horizon, chosen.seed, lambda: progress.advance(task))
    console().print(imagination_table(scores, "observation"))
    shown = {"source": prefix.trajectory.source, "start": prefix.start, "own_actions": chosen.own_actions, "steps": told}
    write_imagined(chosen, folder, path, len(prefixes), scores=[score.to_json() for score in scores], shown=shown)
    print(f"imagined.json is in {folder}")


def _beginnings(trajectories: Sequence[TextTrajectory], chosen: Namespace) -> list[TextPrefix]:
    """One of each conversation that goes on after its beginning."""
    found = random_beginnings(TextPrefix, trajectories[: chosen.num_episodes], chosen.seed)
    found = [prefix for prefix in found if prefix.observations()]
    if not found:
        raise AnyOrderError(f"the conversations of {chosen.split} must have observations after actions; found none")
    return found
