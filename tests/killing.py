"""Commands that are killed at a drawn moment, and what is looked for afterwards.

`Case` says which command, what it reads, how it goes on after it was killed, and which files are its result. `Target` says
who is killed and how, and with which exit statuses the command may then end.
"""

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
import uuid
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from anyorder.data.manifest import MANIFEST, read_manifest
from anyorder.errors import AnyOrderError
from anyorder.files import read_json, sha256
from anyorder.locks import HOLDER_FILE
from anyorder.training.checkpoint import load_checkpoint

MARK = "ANYORDER_KILLED"
"""An environment variable by which all processes of a command are known, whatever became of their parents."""
MOST_SECONDS, SECONDS_AFTER = 120.0, 5.0
"""The most that a command may take to end once it is asked to, and its processes after it has ended."""
WALL_TIME = ("frames_per_second", "training_seconds", "judging_seconds", "sha256", "crc32")
"""Keys of results that differ between equal runs, and digests that follow from them."""
TORCHS_CACHE = "torchinductor_"
"""A folder of compiled code that torch makes once per user, wherever it is imported."""
SHARED_MEMORY = Path("/dev/shm")


@dataclass(frozen=True)
class Target:
    """Who gets which signal, and the exit statuses that the command promises then; 0 if it had no effect any more."""

    who: str
    signal: signal.Signals
    statuses: tuple[int, ...]

    def __str__(self):
        return f"{self.who} {self.signal.name}"


PARENT = [
    Target("parent", signal.SIGKILL, (-signal.SIGKILL,)),
    Target("parent", signal.SIGTERM, (130,)),
    Target("parent", signal.SIGINT, (130,)),
]
GROUP = [Target("all", signal.SIGINT, (130,)), Target("all", signal.SIGTERM, (130,))]
WORKER = [Target("worker", signal.SIGKILL, (2,)), Target("worker", signal.SIGTERM, (130,))]


@dataclass(frozen=True)
class Case:
    """A command that is killed.

    Attributes:
        arguments: of the command; {data} and the like are made once, {out} is new for each kill.
        more: what is added when it goes on.
        result: patterns of the files in {out} that are its result.
        targets: who may be killed.
        done: what it says instead of doing the same again, when all was done before it was killed.
    """

    arguments: str
    result: tuple[str, ...]
    targets: list[Target]
    more: str = ""
    done: str | None = None


COLLECT = "collect --num_episodes {number} --num_validation 40 --num_test 20 --output_dir {{out}}/data --num_processes "
TRAIN = (
    "train --data.path {data} --output_dir {out}/run --model.width 16 --model.num_layers 1 --model.num_heads 2"
    " --training.num_updates 20 --training.frames_per_batch 16 --training.checkpoint_seconds 0.1 --training.num_validations 2"
    " --training.num_processes "
)
DATA, WEIGHTS = ("data/*",), ("run/checkpoints/*.safetensors", "run/metrics.jsonl")
CASES = {
    "collect": Case(COLLECT.format(number=150) + "1", DATA, PARENT + GROUP),
    "collect, 2 processes": Case(COLLECT.format(number=300) + "2", DATA, PARENT + GROUP + WORKER),
    "import": Case("import --input {chats} --output_dir {out}/data", DATA, PARENT + GROUP, done="holds a data set already"),
    "train": Case(TRAIN + "1", WEIGHTS, PARENT + GROUP, more="--resume"),
    "train, 2 processes": Case(TRAIN + "2", WEIGHTS, PARENT + GROUP + WORKER, more="--resume"),
    "study": Case(
        "study --study {study} --output_dir {out}/study --num_workers 2",
        ("study/full/*/*/*/*/report/[me]*.json", "study/full/*/*/*/*/checkpoints/*.safetensors"),
        PARENT + GROUP + WORKER,
    ),
    "evaluate": Case(
        "evaluate --checkpoint {run}/checkpoints/best.pt --metric task_success --pictures false --num_episodes 100"
        " --output_dir {out}/judged",
        ("judged/*.json",),
        PARENT + GROUP,
    ),
    "report": Case("report {run} --num_shown 1 --output {out}/page/report.html", ("page/report.html",), PARENT + GROUP),
}
STUDY = """
base: {model: {width: 16, num_layers: 1, num_heads: 2}, training: {frames_per_batch: 16, num_validations: 1}}
levels: {Red: {env: BabyAI-GoToRedBall-v0, data: DATA, num_episodes: 40, num_validation: 4, num_test: 4, num_processes: 1}}
sizes: [4]
updates: 10
seeds: [0]
evaluation: {metric: task_success, num_episodes: 2}
arms: {cell: {masking: {mixture: {cell: 1}}}, imitation: {masking: {mixture: {next_action: 1}}}}
comparisons: {Both: [imitation, cell]}
"""
CHATS = [{"from": "human", "value": "go there"}, {"from": "gpt", "value": "went"}] * 20


def materials(home, *needed):
    """What commands read, made once; returns its places by name.

    Args:
        home: folder for them.
        needed: names of these; ``data`` is made for ``run``, too.
    """
    places = {name: home / name for name in ("data", "run", "chats", "study")}
    if {"data", "run", "study"} & set(needed):
        run_whole(f"collect --num_episodes 40 --num_validation 4 --num_test 4 --num_processes 1 --output_dir {places['data']}")
    if "run" in needed:
        run_whole(TRAIN.format(data=places["data"], out=home) + "1 --training.num_updates 5")
    if "chats" in needed:
        lines = (json.dumps({"conversations": [{"from": "human", "value": f"task {i}"}, *CHATS[1:]]}) for i in range(4000))
        places["chats"].write_text("\n".join(lines))
    places["study"].write_text(STUDY.replace("DATA", str(places["data"])))
    return places


def run_whole(arguments):
    """Run a command to its end, which must be a good one."""
    ended = subprocess.run([sys.executable, "-m", "anyorder", *arguments.split()], capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr


class Command:
    """A command that runs in a session of its own.

    Args:
        arguments: of the command.
        folder: for what it prints, and for temporary files of its own.
    """

    def __init__(self, arguments, folder):
        self.mark, self._errors, self.temporary = uuid.uuid4().hex, folder / "stderr", folder / "tmp"
        self.temporary.mkdir(exist_ok=True)
        environment = os.environ | {MARK: self.mark, "TMPDIR": str(self.temporary)}
        with open(folder / "stdout", "w") as out, open(self._errors, "w") as errors:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "anyorder", *arguments.split()],
                stdout=out,
                stderr=errors,
                env=environment,
                start_new_session=True,
                preexec_fn=_heed_interrupts,
            )

    @property
    def said(self):
        """What stands on standard error."""
        return self._errors.read_text(errors="replace")

    def living(self):
        """Its processes that live."""
        return [int(folder.name) for folder in Path("/proc").iterdir() if folder.name.isdigit() and self._lives(folder)]

    def workers(self):
        """Its processes that work for the first one."""
        return [pid for pid in self.living() if pid != self.process.pid and b"spawn_main" in _read(f"/proc/{pid}/cmdline")]

    def strike(self, target, random):
        """Send the signal; False if there is nobody to get it any more."""
        if target.who == "worker":
            workers = self.workers()
            pid = random.choice(workers) if workers else None
        else:
            pid = self.process.pid if self.process.poll() is None else None
        if pid is None:
            return False
        with suppress(ProcessLookupError):
            os.killpg(pid, target.signal) if target.who == "all" else os.kill(pid, target.signal)
        return True

    def end(self):
        """Wait for its end; returns its processes that live `SECONDS_AFTER` it, having killed them."""
        try:
            self.process.wait(MOST_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        until = time.monotonic() + SECONDS_AFTER
        while (orphans := self.living()) and time.monotonic() < until:
            time.sleep(0.1)
        for pid in orphans:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return orphans

    def _lives(self, folder):
        state = _read(folder / "stat").rpartition(b")")[2].split()
        return bool(state) and state[0] != b"Z" and f"{MARK}={self.mark}".encode() in _read(folder / "environ").split(b"\0")


def _heed_interrupts():
    """A background job of a shell ignores Ctrl-C, and would hand that on."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def _read(path):
    try:
        return Path(path).read_bytes()
    except OSError:
        return b""


@dataclass
class Kill:
    """What became of one kill."""

    target: Target
    status: int | None = None
    too_late: bool = False
    faults: list[str] = field(default_factory=list)


def uninterrupted(case, places, folder):
    """The result of a command that nobody kills, the seconds until it begins to write, and those it takes from then on."""
    started = time.monotonic()
    command = Command(_filled(case.arguments, places, folder), folder)
    begun = _begun(command, folder) - started
    assert not command.end() and command.process.returncode == 0, command.said
    return result(case, folder), begun, time.monotonic() - started - begun


def kill(case, target, places, folder, expected, seconds, random):
    """Run a command, kill it, and run it again.

    Args:
        case: the command.
        target: who is killed.
        places: what it reads, see `materials`.
        folder: for what it writes.
        expected: the result of the uninterrupted command.
        seconds: how long after its beginning it is killed; negative ones before that.
        random: chooses among workers.
    """
    found, shared = Kill(target), set(os.listdir(SHARED_MEMORY))
    command = Command(_filled(case.arguments, places, folder), folder)
    if seconds >= 0:
        _begun(command, folder)
    while target.who == "worker" and not command.workers() and command.process.poll() is None:
        time.sleep(0.01)
    time.sleep(abs(seconds))
    found.too_late = not command.strike(target, random)
    if orphans := command.end():
        found.faults.append(f"{len(orphans)} orphans")
    found.status = command.process.returncode
    if found.status in (0, -target.signal) and result(case, folder) == expected:
        found.too_late = True
    found.faults += _faults_of_end(found, command.said)
    found.faults += damaged(folder)
    before = _times(case, folder)
    found.faults += _again(case, places, folder, expected)
    after = _times(case, folder)
    if case.arguments.startswith("study"):
        repeated = [name for name, written in before.items() if name.endswith("effort.json") and after.get(name) != written]
        found.faults += [f"{name} was finished and is made again" for name in repeated]
    found.faults += [f"{path.name} is left" for path in leftovers(folder, shared)]
    return found


def _again(case, places, folder, expected):
    """What is wrong when the command goes on."""
    command = Command(f"{_filled(case.arguments, places, folder)} {case.more}", folder)
    command.end()
    was_done = case.done is not None and command.process.returncode == 2 and case.done in command.said
    if command.process.returncode != 0 and not was_done:
        return [f"the second time it ends with {command.process.returncode}: {command.said[-300:]}"]
    ours = result(case, folder)
    return [f"{name} differs" for name in sorted(ours.keys() | expected.keys()) if ours.get(name) != expected.get(name)]


def _faults_of_end(found, said):
    faults = [f"a traceback: {said}"] if "Traceback" in said else []
    if not found.too_late and found.status not in found.target.statuses:
        faults.append(f"status {found.status} instead of {found.target.statuses}: {said[-300:]}")
    if found.status in (2, 130) and "anyorder: " not in said:
        faults.append("no sentence")
    return faults


def damaged(folder):
    """What is not whole among the files that have their final names."""
    faults = []
    for path in folder.rglob("*"):
        try:
            if path.name == MANIFEST:
                shards = {path.parent / shard.file: shard.sha256 for shard in _shards(path)}
                faults += [f"{shard} is not whole" for shard in shards if sha256(shard) != shards[shard]]
            elif path.suffix == ".json":
                read_json(path)
            elif path.suffix == ".safetensors":
                load_checkpoint(path)
        except AnyOrderError as error:
            faults.append(str(error))
    return faults


def _shards(path):
    return [shard for split in read_manifest(path.parent).splits.values() for shard in split.shards]


def leftovers(folder, shared_before):
    """Files that nobody needs: temporary ones, locks' holders, and what is new in shared memory."""
    temporary = [path for path in (folder / "tmp").iterdir() if not path.name.startswith(TORCHS_CACHE)]
    left = [*folder.rglob("*.tmp"), *folder.rglob(HOLDER_FILE), *temporary]
    new = (SHARED_MEMORY / name for name in set(os.listdir(SHARED_MEMORY)) - shared_before)
    return left + [path for path in new if not _is_used(path)]


def _is_used(path):
    """True if a process that lives has it in its memory, which may be anybody's."""
    return any(str(path).encode() in _read(folder / "maps") for folder in Path("/proc").glob("[0-9]*"))


def result(case, folder):
    """The digest of each file of the result, without the wall time that stands in it."""
    return {str(path.relative_to(folder)): _digest(path) for path in _files(case, folder) if "/." not in str(path)}


def _files(case, folder):
    return [path for pattern in case.result for path in folder.glob(pattern) if path.is_file()]


def _times(case, folder):
    return {str(path): path.stat().st_mtime_ns for path in _files(case, folder)}


def _digest(path):
    if path.suffix not in (".json", ".jsonl"):
        return sha256(path)
    lines = path.read_text().splitlines() if path.suffix == ".jsonl" else [path.read_text()]
    values = [{key: value for key, value in json.loads(line).items() if key not in WALL_TIME} for line in lines]
    return hashlib.sha256(json.dumps(values).encode()).hexdigest()


def _filled(arguments, places, folder):
    return arguments.format(out=folder, **places)


def _begun(command, folder):
    """Wait until the command holds a lock in the folder, or has ended; returns that moment."""
    while command.process.poll() is None and not any(folder.glob(f"*/{HOLDER_FILE}")):
        time.sleep(0.01)
    return time.monotonic()
