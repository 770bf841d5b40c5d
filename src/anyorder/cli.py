"""The command line: ``anyorder COMMAND``."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Sequence
from importlib import import_module

from anyorder.errors import AnyOrderError
from anyorder.trust import trusting

COMMANDS = {
    "collect": ("collect:collect_command", "play episodes of an environment and store them as a data set"),
    "import": ("import_chats:import_command", "import conversations as a data set of text trajectories"),
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
        *(f"  {name:10}  {help_}" for name, (_, help_) in COMMANDS.items()),
        "",
        "anyorder COMMAND --help lists the options of a command.",
    ]
)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command; bad input ends in one sentence on stderr and status 2, Ctrl-C in status 130."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    if not arguments or arguments[0] in ("-h", "--help"):
        print(USAGE)
        return
    warnings.filterwarnings("ignore")  # those of other libraries; this package raises errors instead
    try:
        with trusting(False):
            _command(arguments[0])(arguments[1:])
    except AnyOrderError as error:
        sys.exit(_say(str(error), 2))
    except KeyboardInterrupt as interrupt:
        sys.exit(_say(str(interrupt) or "interrupted", 130))
    except OSError as error:
        where = f": {error.filename}" if error.filename else ""
        sys.exit(_say(f"{error.strerror or error}{where}; free some space or choose another folder", 2))


def _command(name: str) -> Callable[[Sequence[str]], None]:
    if name not in COMMANDS:
        raise AnyOrderError(f"there is no command {name!r}; choose one of {', '.join(COMMANDS)}")
    module, function = COMMANDS[name][0].split(":")
    return getattr(import_module(f"anyorder.commands.{module}"), function)


def _say(message: str, status: int) -> int:
    print(f"anyorder: {message}", file=sys.stderr)
    return status
