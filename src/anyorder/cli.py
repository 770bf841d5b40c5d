"""The command line: ``anyorder COMMAND``."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Callable, Sequence
from contextlib import suppress
from importlib import import_module

from anyorder import __version__
from anyorder.errors import AnyOrderError, Interrupted, shortened
from anyorder.files import explained
from anyorder.processes import signals_held, terminated_as_interrupted
from anyorder.trust import trusting

COMMANDS = {
    "collect": ("collect:collect_command", "play episodes of an environment and store them as a data set"),
    "environments": (
        "environments:environments_command",
        "list the environments whose experts are known",
    ),
    "import": ("import_chats:import_command", "import conversations, or episodes recorded elsewhere, as a data set"),
    "export": ("export:export_command", "write a data set in the format of Minari"),
    "fill": ("fill:fill_command", "complete a data set with a checkpoint: lost actions, cells and frames"),
    "train": ("train:train_command", "train a model on a data set"),
    "evaluate": ("evaluate:evaluate_command", "score a checkpoint and let it act"),
    "study": ("study:study_command", "train and compare variants at several levels and data sizes, write a summary"),
    "ablate": ("ablate:ablate_command", "run the study of the planned ablations"),
    "query": ("query:query_command", "ask a checkpoint anything about a trajectory"),
    "imagine": ("imagine:imagine_command", "let a checkpoint imagine the future, and compare it with what happened"),
    "report": (
        "report:report_command",
        "write an HTML page about one run or several: metrics, trajectories and episodes to play",
    ),
    "playground": ("playground:playground_command", "try out a checkpoint in the browser: hide, ask, let it act"),
    "llada2": ("llada2:llada2_command", "check and convert checkpoints of LLaDA2, and say how much memory it takes"),
}
"""Name -> module and function under `anyorder.commands`, and what it does. A module is imported when its command is
called: torch takes seconds to import, and collecting does not need it."""

USAGE = "\n".join(
    [
        "usage: anyorder COMMAND [options]",
        "",
        *(f"  {name:12}  {help_}" for name, (_, help_) in COMMANDS.items()),
        "",
        "anyorder COMMAND --help lists the options of a command; anyorder --version says which version this is.",
        "A command that cannot do what it was asked ends with status 2, one that was interrupted (Ctrl-C, SIGTERM)",
        "with status 130; its last line says why, or how to continue.",
    ]
)


BAD_INPUT, INTERRUPTED, OUTPUT_CLOSED = 2, 130, 141
"""Exit statuses."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command. Bad input ends in one sentence on stderr and status 2; being asked to stop, by Ctrl-C or a scheduler's
    SIGTERM, in a sentence and status 130; a reader of the output that leaves, in status 141."""
    try:
        status = _status(list(sys.argv[1:] if arguments is None else arguments))
        if sys.stdout:
            sys.stdout.flush()
    except BrokenPipeError:  # of standard output; Python would complain once more while it ends
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = OUTPUT_CLOSED
    if status:
        sys.exit(status)


def _status(arguments: list[str]) -> int | str | None:
    if not arguments or arguments[0] in ("-h", "--help"):
        print(USAGE)
        return 0
    if arguments[0] in ("-V", "--version"):
        print(f"anyorder {__version__}")
        return 0
    warnings.filterwarnings("ignore")  # those of other libraries; this package raises errors instead
    try:
        with terminated_as_interrupted(), trusting(False):
            _command(arguments[0])(arguments[1:])
    except SystemExit as ending:
        return ending.code
    except Interrupted as interrupt:
        return _say(str(interrupt), INTERRUPTED)
    except KeyboardInterrupt as interrupt:
        return _say(str(interrupt) or "interrupted", INTERRUPTED)
    except AnyOrderError as error:
        return _say(str(error), BAD_INPUT)
    except BrokenPipeError:
        raise
    except OSError as error:
        return _say(explained(error), BAD_INPUT)
    return 0


def _command(name: str) -> Callable[[Sequence[str]], None]:
    if name not in COMMANDS:
        raise AnyOrderError(f"there is no command {name!r}; choose one of {', '.join(COMMANDS)}")
    module, function = COMMANDS[name][0].split(":")
    with signals_held():  # an exception in the middle of an import of torch would abort the process
        return getattr(import_module(f"anyorder.commands.{module}"), function)


def _say(message: str, status: int) -> int:
    with suppress(BrokenPipeError):
        print(f"anyorder: {shortened(message)}", file=sys.stderr)
    return status
