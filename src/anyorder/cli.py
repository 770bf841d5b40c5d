"""The command line: ``anyorder collect | import | train | evaluate | study | ablate | query | imagine | llada2``.

Each is a few lines over the package."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Sequence

from anyorder.errors import AnyOrderError

USAGE = """usage: anyorder COMMAND [options]

  collect    play episodes of an environment and store them as a data set
  import     import conversations as a data set of text trajectories
  train      train a model on a data set
  evaluate   score a checkpoint and let it act
  study      train and compare variants at several levels and data sizes, write a summary
  ablate     the study of the planned ablations
  query      ask a checkpoint anything about a trajectory
  imagine    let a checkpoint imagine the future, beside what happened
  llada2     check and convert checkpoints of LLaDA2; what it takes in memory

anyorder COMMAND --help lists the options of a command."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command; bad input ends in one sentence on stderr and status 2, Ctrl-C in status 130."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    if not arguments or arguments[0] in ("-h", "--help"):
        print(USAGE)
        return
    warnings.filterwarnings("ignore")  # of the libraries below; ours are errors
    try:
        _command(arguments[0])(arguments[1:])
    except AnyOrderError as error:
        sys.exit(_say(str(error), 2))
    except KeyboardInterrupt as interrupt:
        sys.exit(_say(str(interrupt) or "interrupted", 130))
    except OSError as error:
        where = f": {error.filename}" if error.filename else ""
        sys.exit(_say(f"{error.strerror or error}{where}; free some space or choose another folder", 2))


def _command(name: str):
    # Imported when asked for: torch takes seconds, and collecting does not need it.
    if name == "collect":
        from anyorder.commands.collect import collect_command as command
    elif name == "import":
        from anyorder.commands.import_chats import import_command as command
    elif name == "train":
        from anyorder.commands.train import train_command as command
    elif name == "evaluate":
        from anyorder.commands.evaluate import evaluate_command as command
    elif name == "study":
        from anyorder.commands.study import study_command as command
    elif name == "ablate":
        from anyorder.commands.ablate import ablate_command as command
    elif name == "query":
        from anyorder.commands.query import query_command as command
    elif name == "imagine":
        from anyorder.commands.imagine import imagine_command as command
    elif name == "llada2":
        from anyorder.commands.llada2 import llada2_command as command
    else:
        known = "collect, import, train, evaluate, study, ablate, query, imagine, llada2"
        raise AnyOrderError(f"there is no command {name!r}; choose one of {known}")
    return command


def _say(message: str, status: int) -> int:
    print(f"anyorder: {message}", file=sys.stderr)
    return status
