"""What reads files from outside: for each kind, something valid and a function that reads it as a command would.

A reader is called with a folder of its own and a `random.Random`; it writes something wrong there and reads it. It either
succeeds or raises an AnyOrderError.
"""

import json
import re
from collections.abc import Callable
from dataclasses import asdict
from functools import cache
from pathlib import Path
from random import Random

import numpy as np
import pyarrow.parquet as pq
import torch
from mutations import LONG, as_json, as_yaml, mutated
from recorded import RECORDED_READERS

from anyorder.build.checkpoints import load_model
from anyorder.build.runs import training_job
from anyorder.commands.query import read_roles
from anyorder.commands.train import train_parser
from anyorder.config import RunConfig
from anyorder.data.importers.chats.importing import ImportSpec, import_chats
from anyorder.data.manifest import MANIFEST, Manifest, Split, write_manifest
from anyorder.data.storage import GRID_SCHEMA, read_split, write_rows, write_shard
from anyorder.data.text_storage import TEXT_SCHEMA, read_text_split, write_text_shard
from anyorder.elements.batch import EncodedTrajectories
from anyorder.elements.grid import GridVocabulary
from anyorder.errors import AnyOrderError
from anyorder.evaluation.outcomes import read_outcomes
from anyorder.evaluation.stored import read_findings
from anyorder.masking.order import Role
from anyorder.models.grid.grid_transformer import GridTransformer
from anyorder.options import parse
from anyorder.studies.promises import check_promises, read_promises
from anyorder.studies.study_file import read_study
from anyorder.training.checkpoint import save_checkpoint
from anyorder.training.journal import METRICS_FILE, read_metrics
from anyorder.training.plan import plan_updates
from anyorder.types import TextTrajectory, Trajectory, Turn

ROOT = Path(__file__).resolve().parents[2]
WORDS = ("<unknown>", "ball", "go", "the", "to")
LARGEST_TRIED = 64
"""Models that a configuration makes wider or deeper than this are not tried out, which would only take time."""

CONFIG = {
    "data": {"path": "DATA", "num_demonstrations": 2},
    "masking": {
        "mixture": {"cell": 0.4, "near": {"weight": 0.5, "strategy": {"only": {"strategy": "cell", "steps": [0, 3]}}}},
        "mask_prob": {"uniform": [0.1, 0.5]},
        "attribute_probs": {"object": 0.5, "color": [0.1, 0.2]},
    },
    "model": {"width": 16, "num_layers": 1, "num_heads": 2, "max_words": 64},
    "training": {"seed": 0, "num_updates": 3, "frames_per_batch": 32, "learning_rate": 1e-3, "num_processes": 1},
}
STUDY = {
    "base": {"training": {"num_validations": 1}, "model": {"width": 16}},
    "levels": {"Red": {"env": "BabyAI-GoToRedBall-v0", "data": "d", "num_episodes": 30, "test_on": ["BabyAI-GoToObj-v0"]}},
    "sizes": [10, None],
    "updates": {"10": 4},
    "seeds": [0, 1],
    "evaluation": {"metric": "task_success", "num_episodes": 3},
    "arms": {"a": {"masking": {"mixture": {"next_action": 1}}}, "b": {"masking": {"mask_prob": 0.5}}},
    "comparisons": {"Both": ["a", "b"]},
    "quick": {"seeds": [0]},
} | {"updates": 4}
PROMISES = [{"name": "good", "metric": "task_success.success", "at_least": 0.9, "aim": 0.99}]
RECORDS = [{"update": 10 * i, "section": "train", "loss": 1.0 / i, "learning_rate": 1e-3} for i in (1, 2, 3)]
OUTCOMES = {"seed": [1, 2], "success": [True, False], "reward": [0.9, 0.0], "length": [3, 4], "actions": [[1], [2]]}
CHAT = {
    "messages": [
        {"role": "system", "content": "be kind"},
        {"role": "user", "content": "what is the weather"},
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [{"id": "1", "function": {"name": "look", "arguments": '{"place": "here", "when": [1, 2]}'}}],
        },
        {"role": "tool", "content": [{"type": "text", "text": "rain"}], "tool_call_id": "1"},
        {"role": "assistant", "content": "it rains", "weight": 1},
    ],
    "tools": [{"name": "look"}],
}
SHAREGPT = {"conversations": [{"from": "human", "value": "go"}, {"from": "gpt", "value": "went", "loss": True}], "id": 7}
CLAUDE = {
    "uuid": "c",
    "chat_messages": [
        {"sender": "human", "text": "go", "content": [], "attachments": [{"file_name": "a", "extracted_content": "map"}]},
        {"sender": "assistant", "text": "", "content": [{"type": "text", "text": "went"}, {"type": "image", "file_uuid": "f"}]},
    ],
}
CHATGPT = {
    "mapping": {
        "a": {"message": None, "parent": None},
        "b": {
            "message": {"author": {"role": "user"}, "content": {"content_type": "text", "parts": ["go", None]}},
            "parent": "a",
        },
        "c": {
            "message": {
                "author": {"role": "assistant", "name": None},
                "content": {"content_type": "code", "language": "python", "text": "go()"},
                "recipient": "python",
                "weight": 1.0,
            },
            "parent": "b",
        },
        "d": {"message": {"author": {"role": "user"}, "content": {"parts": [{"content_type": "image"}]}}, "parent": "a"},
    },
    "current_node": "c",
}
INSTRUCTIONS = {"text": "<s>[INST] <<SYS>> s <</SYS>> a [/INST] b [TOOL_CALLS] [] </s>[TOOL_RESULTS] [][/TOOL_RESULTS] c"}
CHATS = {"openai": CHAT, "sharegpt": SHAREGPT, "claude": CLAUDE, "chatgpt": CHATGPT, "text": INSTRUCTIONS}


def trajectory(seed: int, num_actions: int = 4) -> Trajectory:
    """Some episode."""
    generator = np.random.default_rng(seed)
    return Trajectory(
        env_id="BabyAI-GoToRedBall-v0",
        seed=seed,
        mission="go to the ball",
        observations=generator.integers([11, 6, 4], size=(num_actions + 1, 3, 3, 3), dtype=np.uint8),
        directions=generator.integers(4, size=num_actions + 1, dtype=np.uint8),
        actions=generator.integers(7, size=num_actions, dtype=np.uint8),
        rewards=np.zeros(num_actions, np.float32),
        terminated=False,
        truncated=True,
    )


def write_grid_data(folder: Path) -> Path:
    """A whole data set of three splits."""
    splits = {}
    for name, first in {"train": 0, "validation": 100, "test": 200}.items():
        seeds = range(first, first + 3)
        shard = write_shard(folder / f"{name}.parquet", seeds, [trajectory(seed) for seed in seeds])
        splits[name] = Split(first, first + 2, (shard,))
    write_manifest(folder, Manifest("BabyAI-GoToRedBall-v0", {"policy": "bot"}, splits))
    return folder


def configuration(folder: Path, random: Random) -> None:
    """As ``anyorder train`` does, up to the first batch and its order."""
    config = json.loads(json.dumps(CONFIG).replace("DATA", str(write_grid_data(folder / "data"))))
    (folder / "c.yaml").write_text(as_yaml(mutated(config, random), random), encoding="utf-8", errors="surrogatepass")
    chosen = parse(train_parser(), ["--config", str(folder / "c.yaml")])
    asked = RunConfig(chosen.data, chosen.masking, chosen.model, chosen.language_model, chosen.training)
    if (
        max(asked.model.width, asked.model.num_layers, asked.model.cell_expansion, asked.model.register_expansion)
        <= LARGEST_TRIED
    ):
        job = training_job(asked, folder / "run", False)
        plan = plan_updates(job.train, job.budget, job.config)
        batch = job.train.batch(plan[0][0])
        order = job.strategy_at(0.0)(batch.layout, torch.Generator().manual_seed(0))
        with torch.no_grad():
            assert job.model(batch.values, batch.layout, order).isfinite().any()


def study(folder: Path, random: Random) -> None:
    """As ``anyorder study`` does before it collects."""
    (folder / "s.yaml").write_text(as_yaml(mutated(STUDY, random), random), encoding="utf-8", errors="surrogatepass")
    found = read_study(folder / "s.yaml", random.random() < 0.3, folder / "out")
    assert found.runs()


def promises(folder: Path, random: Random) -> None:
    """As ``anyorder evaluate --promises`` does."""
    (folder / "p.yaml").write_text(as_yaml(mutated(PROMISES, random), random), encoding="utf-8", errors="surrogatepass")
    rate = {"rate": 0.5, "low": 0.4, "high": 0.6}
    check_promises(read_promises(folder / "p.yaml"), {"task_success": {"success": rate}, "env_id": "x"})


def roles(folder: Path, random: Random) -> None:
    """As ``anyorder query --roles`` does."""
    batch = EncodedTrajectories([trajectory(0)], GridVocabulary(WORDS)).batch([0])
    numbers = batch.layout.present[0].int() * int(Role.CONTEXT)
    numbers[int(numbers.argmax())] = int(Role.TARGET)
    valid = {"roles": numbers.tolist(), "ranks": [0] * len(numbers)}
    given = random.choice((valid, valid["roles"]))
    (folder / "r.json").write_text(as_json(mutated(given, random), random), encoding="utf-8", errors="surrogatepass")
    try:
        read_roles(folder / "r.json")(batch.layout)
    except ValueError as error:  # as the command does
        raise AnyOrderError(str(error)) from None


def manifest(folder: Path, random: Random) -> None:
    """A data set whose manifest is wrong."""
    path = write_grid_data(folder) / MANIFEST
    valid = json.loads(path.read_text())
    path.write_text(as_json(mutated(valid, random), random), encoding="utf-8", errors="surrogatepass")
    for split in ("train", "test"):
        read_split(folder, split)


def shard(folder: Path, random: Random) -> None:
    """A data set whose shard has the right hash and wrong content."""
    write_grid_data(folder)
    rows = pq.read_table(folder / "train.parquet").to_pylist()
    for _ in range(random.choice((1, 2))):
        row, name = random.choice(rows), random.choice(GRID_SCHEMA.names)
        values = (None, b"", b"\xff" * 135, [], [250] * 4, [0, 0, 3], [1, 2, 3], [-1, 3, 3], "", LONG, -1, 7, True, [None] * 4)
        row[name] = random.choice(values)
    try:
        written = write_rows(folder / "train.parquet", range(3), rows, GRID_SCHEMA, 12)
    except (ValueError, TypeError, OverflowError, AttributeError):  # what Parquet cannot hold, nobody can read
        return
    write_manifest(folder, Manifest("BabyAI-GoToRedBall-v0", {}, {"train": Split(0, 2, (written,))}))
    EncodedTrajectories(read_split(folder, "train"), GridVocabulary(WORDS)).batch([0])


def text_shard(folder: Path, random: Random) -> None:
    """The same for conversations."""
    turns = (Turn("mission", "user", "go", False), Turn("action", "assistant", "went", True))
    written = write_text_shard(folder / "t.parquet", range(2), [TextTrajectory("a:1", turns, "{}")] * 2)
    rows = mutated(pq.read_table(folder / "t.parquet").to_pylist(), random)
    try:
        written = write_rows(folder / "t.parquet", range(2), rows, TEXT_SCHEMA, 2)
    except (ValueError, TypeError, OverflowError, AttributeError):
        return
    write_manifest(folder, Manifest("a", {}, {"train": Split(0, 1, (written,))}, content="text"))
    read_text_split(folder, "train")


def conversations(folder: Path, random: Random) -> None:
    """As ``anyorder import`` does; what it stores is read back."""
    form, valid = random.choice(list(CHATS.items()))
    lines = [as_json(mutated(valid, random), random).replace("\n", " ") for _ in range(3)]
    (folder / "c.jsonl").write_text("\n".join([json.dumps(valid), *lines]), encoding="utf-8", errors="surrogatepass")
    spec = ImportSpec(random.choice(("auto", form)), 0.2, 0.2, 0, random.random() < 0.7)
    try:
        found = import_chats([folder / "c.jsonl"], folder / "data", spec)
    except AnyOrderError:
        assert not list(folder.glob("data/*")), "nothing is left without a manifest"
        raise
    for split in found.splits:
        read_text_split(folder / "data", split)


def journal(folder: Path, random: Random) -> None:
    """As reports and resumed trainings do."""
    changed = mutated(RECORDS, random)
    records = changed if isinstance(changed, list) else [changed]
    text = "\n".join(as_json(record, random).replace("\n", " ") for record in records)
    (folder / METRICS_FILE).write_text(text, encoding="utf-8", errors="surrogatepass")
    for record in read_metrics(folder):
        assert record["update"] >= 0 or record["section"]


def episodes(folder: Path, random: Random) -> None:
    """As reports do."""
    (folder / "e.json").write_text(as_json(mutated(OUTCOMES, random), random), encoding="utf-8", errors="surrogatepass")
    assert len(read_outcomes(folder / "e.json")["seed"]) >= 0


def findings(folder: Path, random: Random) -> None:
    """As reports do, with their tables."""
    path = folder / "m.json"
    path.write_text(as_json(mutated(_published(), random), random), encoding="utf-8", errors="surrogatepass")
    found, config = read_findings(path)
    assert found.tables(config.metrics) is not None


@cache
def _published() -> dict:
    paths = sorted((ROOT / "docs" / "results").rglob("metrics.json"))
    return json.loads(min(paths, key=lambda path: path.stat().st_size).read_text())


def header(folder: Path, random: Random) -> None:
    """A grid model's checkpoint whose header is wrong."""
    config = RunConfig()
    sizes = {"width": 8, "num_layers": 1, "num_heads": 2}
    model = GridTransformer(type(config.model)(**sizes), GridVocabulary(WORDS), (3, 3))
    valid = {"env_id": "BabyAI-GoToRedBall-v0", "words": list(WORDS), "view": [3, 3]}
    valid["config"] = asdict(config) | {"model": sizes}
    changed = mutated(valid, random)
    try:
        save_checkpoint(folder / "c.safetensors", model.state_dict(), changed)
    except (TypeError, ValueError):  # no mapping, or what JSON cannot hold
        return
    load_model(folder / "c.safetensors")


Reader = Callable[[Path, Random], None]
READERS: dict[str, Reader] = {
    "configurations": configuration,
    "study files": study,
    "promises": promises,
    "roles files": roles,
    "manifests": manifest,
    "shards": shard,
    "shards of conversations": text_shard,
    "conversations": conversations,
    "journals": journal,
    "episodes": episodes,
    "stored findings": findings,
    "headers": header,
    **RECORDED_READERS,
}
"""Kind of file -> its reader."""


def refusal(reader: Reader, folder: Path, random: Random) -> str | None:
    """What an AnyOrderError says, or None where all is well. Every other exception passes.

    Raises:
        AssertionError: for a refusal that is empty, of several lines, or quotes a long value whole.
    """
    try:
        reader(folder, random)
    except AnyOrderError as error:
        said = str(error).replace(str(folder), "FOLDER")
        assert said.strip(), "a refusal must say something"
        assert "\n" not in said.strip(), f"a refusal must be one sentence; found {said!r}"
        assert not re.search(r"x{301}|1{301}|\[{301}", said), f"no value may be echoed longer than 300 characters: {said[:400]}"
        return said
    return None
