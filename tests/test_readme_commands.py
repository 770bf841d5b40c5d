"""What the pages tell the reader to type exists: commands, options, scripts and files."""

import re
import shlex
from pathlib import Path

import pytest

from anyorder.build.collecting import collect_parser
from anyorder.commands.ablate import ablate_parser
from anyorder.commands.environments import environments_parser
from anyorder.commands.evaluate import evaluate_parser
from anyorder.commands.export import export_parser
from anyorder.commands.fill import fill_parser
from anyorder.commands.imagine import imagine_parser
from anyorder.commands.import_chats import import_parser
from anyorder.commands.llada2 import llada2_parser
from anyorder.commands.playground import playground_parser
from anyorder.commands.query import query_parser
from anyorder.commands.report import report_parser
from anyorder.commands.study import study_parser
from anyorder.commands.train import train_parser
from anyorder.options import parse

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", ROOT / "EXPERIMENTS.md", *(ROOT / "docs").glob("*.md")]
SCRIPTS = [ROOT / "quickstart.sh", *(ROOT / "scripts").glob("*.sh")]
PARSERS = {
    "collect": collect_parser,
    "environments": environments_parser,
    "import": import_parser,
    "export": export_parser,
    "fill": fill_parser,
    "train": train_parser,
    "evaluate": evaluate_parser,
    "ablate": ablate_parser,
    "study": study_parser,
    "query": query_parser,
    "imagine": imagine_parser,
    "report": report_parser,
    "playground": playground_parser,
    "llada2": llada2_parser,
}
WRAPPERS = {"scripts/generate_trajectories.py": "collect", "scripts/train.py": "train", "scripts/evaluate.py": "evaluate"}
PROGRAMS = ("anyorder ", "python scripts/", "python -m anyorder ", "bash ")


def commands(path):
    """The lines that start one of our programs, in a script or in the bash blocks of a page."""
    text = path.read_text()
    if path.suffix == ".md":
        text = "\n".join(re.findall(r"^```bash\n(.*?)^```", text, re.DOTALL | re.MULTILINE))
    lines = (line.strip() for line in text.replace("\\\n", " ").split("\n"))
    lines = (re.sub(r"^(\w+=\S+ |exec )+", "", line) for line in lines)
    return [line for line in lines if line.startswith(PROGRAMS)]


CASES = [(path.name, command) for path in [*PAGES, *SCRIPTS] for command in commands(path)]


@pytest.mark.parametrize(("where", "command"), CASES)
def test_what_is_to_be_typed_exists(monkeypatch, where, command):
    monkeypatch.chdir(ROOT)
    # A shell's variables stand for what the reader fills in.
    words = shlex.split(command.replace('"$@"', "").replace("$run", "run"), comments=True)
    if words[0] == "bash" or words[1].startswith("scripts/"):
        assert (ROOT / words[1]).is_file()
        if words[1] not in WRAPPERS:
            return
    words = words[1:] if words[0] == "anyorder" else [WRAPPERS[words[1]], *words[2:]] if words[1] in WRAPPERS else words[3:]
    name, options = words[0], [word for word in words[1:] if word not in ("-h", "--help")]
    if not name.startswith("-"):
        parse(PARSERS[name](), options)  # opens the file of --config
    assert all((ROOT / word).is_file() for word in options if word.startswith("configs/"))


def test_the_page_says_how_to_do_each_thing():
    named = {command.split()[1] for page in PAGES for command in commands(page)}
    assert set(PARSERS) <= named | {WRAPPERS.get(word) for word in named}
