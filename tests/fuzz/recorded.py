"""Readers of recorded episodes, as `readers` has them for other files."""

import io
import json
import zipfile
from importlib.util import find_spec
from pathlib import Path
from random import Random

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from gymnasium import spaces
from mutations import as_json, mutated

from anyorder.data.arrays import write_arrays
from anyorder.data.field_storage import FIELD_SCHEMA, read_field_split, spaces_of, with_spec
from anyorder.data.importers.lerobot import read_lerobot
from anyorder.data.importers.minari_sets import read_minari
from anyorder.data.importers.recording import Partition, import_recording
from anyorder.data.manifest import MANIFEST, Manifest, Split, read_manifest, write_manifest
from anyorder.data.storage import write_rows

RECORDING = Path(__file__).resolve().parents[1] / "data" / "recordings" / "babyai_missions.zip"
SPACE = spaces.Dict(a=spaces.Box(-1, 1, (2,)), b=spaces.Tuple([spaces.Discrete(3), spaces.Text(4)]))


def write_field_data(folder: Path) -> Manifest:
    """A whole data set of three episodes."""
    given = []
    for seed in range(3):
        rng = np.random.default_rng(seed)
        words = rng.choice(["", "no", "yes"], 5)
        nest = {"a": rng.random((5, 2)), "b": (rng.integers(0, 3, 5), words)}
        given.append({"observations": nest, "actions": rng.integers(0, 2, 4), "mission": words[0], "success": True})
    return write_arrays(folder, given, SPACE, partition=Partition(0, 0))


def field_manifest(folder: Path, random: Random) -> None:
    """A data set of fields whose manifest is wrong."""
    write_field_data(folder)
    valid = json.loads((folder / MANIFEST).read_text())
    text = as_json(mutated(valid, random), random)
    (folder / MANIFEST).write_text(text, encoding="utf-8", errors="surrogatepass")
    assert len(spaces_of(read_manifest(folder), folder)) == 2
    with_spec(folder)


def field_shard(folder: Path, random: Random) -> None:
    """A data set of fields whose shard has the right hash and wrong content."""
    before = write_field_data(folder)
    rows = mutated(pq.read_table(folder / "train-00000000.parquet").to_pylist(), random)
    try:
        written = write_rows(folder / "t.parquet", range(3), rows, FIELD_SCHEMA, 12)
    except (ValueError, TypeError, OverflowError, AttributeError, pa.ArrowException):  # what Parquet cannot hold
        return
    splits = {"train": Split(0, 2, (written,))}
    write_manifest(folder, Manifest("a", {}, splits, content="fields", spaces=before.spaces, fields=before.fields))
    read_field_split(folder, "train")


def minari_metadata(folder: Path, random: Random) -> None:
    """A data set of Minari whose metadata are wrong; what is imported is read back."""
    with zipfile.ZipFile(io.BytesIO(RECORDING.read_bytes())) as archive:
        archive.extractall(folder / "set")
    path = folder / "set" / "data" / "metadata.json"
    valid = json.loads(path.read_text())
    name = random.choice(("observation_space", "action_space", "env_spec", ""))
    if name:
        valid[name] = json.dumps(mutated(json.loads(valid[name]), random), default=str)
        path.write_text(json.dumps(valid), encoding="utf-8", errors="surrogatepass")
    else:
        path.write_text(as_json(mutated(valid, random), random), encoding="utf-8", errors="surrogatepass")
    import_recording(read_minari(str(folder / "set")), folder / "data", Partition(0, 0))


def lerobot_info(folder: Path, random: Random) -> None:
    """A data set of LeRobot whose description is wrong."""
    (folder / "set" / "meta").mkdir(parents=True)
    (folder / "set" / "data" / "chunk-000").mkdir(parents=True)
    scalar = {"dtype": "int64", "shape": [1], "names": None}
    state = {"dtype": "float32", "shape": [2], "names": ["x", "y"]}
    features = {"observation.state": state, "action": state, "episode_index": scalar, "frame_index": scalar}
    features |= {"task_index": scalar, "next.done": {**scalar, "dtype": "bool"}, "name": {**scalar, "dtype": "string"}}
    rng = np.random.default_rng(0)
    rows = {
        "observation.state": rng.random((6, 2)).tolist(),
        "action": rng.random((6, 2)).tolist(),
        "episode_index": [0, 0, 0, 1, 1, 1],
        "frame_index": [0, 1, 2] * 2,
        "task_index": [0] * 6,
        "next.done": [False, False, True] * 2,
        "name": list("abcabc"),
    }
    if random.random() < 0.5:
        features = mutated(features, random)
    else:
        rows = mutated(rows, random)
    try:
        pq.write_table(pa.table(rows), folder / "set" / "data" / "chunk-000" / "file-000.parquet")
    except (ValueError, TypeError, OverflowError, AttributeError, pa.ArrowException):
        return
    pq.write_table(pa.table({"task_index": [0], "task": ["fold"]}), folder / "set" / "meta" / "tasks.parquet")
    info = {"codebase_version": "v3.0", "features": features}
    (folder / "set" / "meta" / "info.json").write_text(as_json(info, random), encoding="utf-8", errors="surrogatepass")
    import_recording(read_lerobot(str(folder / "set")), folder / "data", Partition(0, 0))


RECORDED_READERS = {
    "manifests of fields": field_manifest,
    "shards of fields": field_shard,
    "descriptions of LeRobot": lerobot_info,
    **({"metadata of Minari": minari_metadata} if find_spec("minari") else {}),
}
