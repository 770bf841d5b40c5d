"""``anyorder playground``: try out a checkpoint in the browser."""

from __future__ import annotations

import contextlib
import socket
import threading
import webbrowser
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jsonargparse import ArgumentParser

from anyorder.commands.environments import add_env_module, allow_named_modules
from anyorder.errors import AnyOrderError
from anyorder.options import add_trust_option, parse, parser


def playground_parser() -> ArgumentParser:
    """The options of the command."""
    options = parser("playground", "Open a local page to hide parts of episodes, ask a checkpoint, and let it act.")
    add = options.add_argument
    add("--checkpoint", type=str, required=True, help="e.g. outputs/run/checkpoints/best.safetensors")
    add("--env", type=str | None, help="environment to play in; default: the one it was trained on")
    add_env_module(options)
    add("--data", type=str | None, help="data set folder; default: the one it was trained on, if it is still there")
    add("--split", type=str, default="test", help="train, validation or test")
    add("--port", type=int, default=7860, help="on 127.0.0.1; 0: any that is free")
    add("--no_browser", action="store_true", help="only print the address")
    add_trust_option(options)
    return options


def playground_command(arguments: Sequence[str]) -> None:
    """Serve the page until Ctrl-C."""
    chosen = parse(playground_parser(), arguments)
    allow_named_modules(chosen)
    import torch  # imports here and below take seconds

    torch.set_num_threads(1)
    try:
        from anyorder.playground.server import HOST, web_server
    except ModuleNotFoundError as error:
        raise AnyOrderError(
            f"the playground needs {error.name}, which is not installed; install it with: pip install 'anyorder[playground]'"
        ) from None
    with _listening(HOST, chosen.port) as listener:
        served = _application(chosen)
        address = f"http://{HOST}:{listener.getsockname()[1]}"
        print(f"the playground is at {address} (Ctrl-C ends it)", flush=True)
        if not chosen.no_browser:
            # Some browsers hold the caller until they are closed.
            threading.Thread(target=webbrowser.open, args=[address], daemon=True).start()
        with contextlib.suppress(KeyboardInterrupt):
            web_server(served).run(sockets=[listener])


def _application(chosen: Any) -> Any:
    from anyorder.build.checkpoints import is_of_conversations
    from anyorder.build.elements import holds_fields
    from anyorder.playground.about import about
    from anyorder.playground.server import application

    checkpoint = Path(chosen.checkpoint)
    find = _field_scenes if holds_fields(checkpoint) else _text_scenes if is_of_conversations(checkpoint) else _grid_scenes
    scenes = find(chosen)
    return application(scenes, about(chosen.checkpoint, chosen.split, scenes))


def _grid_scenes(chosen: Any) -> Any:
    from anyorder.build.checkpoints import load_model
    from anyorder.data.storage import read_split
    from anyorder.playground.grid_scenes import GridScenes

    model, header = load_model(Path(chosen.checkpoint))
    folder = _recorded_folder(chosen, header)
    recorded = [] if folder is None else read_split(folder, chosen.split)
    return GridScenes(model, chosen.env or header["env_id"], recorded)


def _field_scenes(chosen: Any) -> Any:
    from anyorder.build.elements import load_element_checkpoint, read_fields_for
    from anyorder.playground.field_scenes import FieldScenes
    from anyorder.playground.field_stage import FieldStage

    saved = load_element_checkpoint(Path(chosen.checkpoint))
    folder = _recorded_folder(chosen, saved.header)
    recorded = [] if folder is None else read_fields_for(saved, folder, chosen.split)
    env_id = chosen.env or saved.header["env_id"]
    stage = None
    try:
        stage = FieldStage(saved.model, env_id, saved.observation_space, saved.action_space)
    except AnyOrderError as error:
        if chosen.env or not recorded:
            raise
        print(f"only recorded episodes can be shown: {error}")
    return FieldScenes(saved.model, env_id, recorded, stage)


def _text_scenes(chosen: Any) -> Any:
    from anyorder.build.checkpoints import load_conversation_model
    from anyorder.data.text_storage import read_text_split
    from anyorder.elements.text.elements import SHORTENINGS
    from anyorder.playground.text_scenes import TextScenes

    conversations, header = load_conversation_model(Path(chosen.checkpoint))
    folder = _recorded_folder(chosen, header)
    recorded = [] if folder is None else read_text_split(folder, chosen.split)
    reader, env_id = conversations.reader, header["env_id"]
    stage = _text_stage(chosen, conversations.model, reader, env_id, recorded)
    cut = SHORTENINGS[reader.long_texts]
    return TextScenes(conversations.model, reader.codec, reader.form, reader.limit, env_id, recorded, cut, stage)


def _text_stage(chosen: Any, model: Any, reader: Any, env_id: str, recorded: Sequence[Any]) -> Any:
    """The text environment to play in; None where there is none, as of conversations that nobody played."""
    from anyorder.envs.played_text import is_played
    from anyorder.playground.text_choice import TextChooser
    from anyorder.playground.text_stage import TextStage

    if recorded and not chosen.env and not any(map(is_played, recorded)):
        return None
    try:
        return TextStage(TextChooser.of(model, reader.codec, reader.form, reader.limit), chosen.env or env_id)
    except AnyOrderError as error:
        if chosen.env or not recorded:
            raise
        print(f"only recorded episodes can be shown: {error}")
        return None


def _recorded_folder(chosen: Any, header: dict[str, Any]) -> Path | None:
    """The data set; None if none was named and the one of the training is gone."""
    from anyorder.build.headers import data_folder

    folder = data_folder(header, chosen.data, chosen.checkpoint)
    if chosen.data is None and not folder.exists():
        print(f"{folder} is not there, so only new seeds can be played; give --data for recorded episodes")
        return None
    return folder


def _listening(host: str, port: int) -> socket.socket:
    if not 0 <= port < 65536:
        raise AnyOrderError(f"--port must lie between 0 and 65535; found {port}")
    listener = socket.socket()
    # The connections of a server that has just ended block its port for a minute; this option lifts that, but the port of
    # a server that still runs stays refused.
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise AnyOrderError(f"the port {port} cannot be used ({error.strerror}); choose another with --port") from None
    listener.listen()
    return listener
