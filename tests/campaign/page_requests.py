"""Requests for as long as one likes: ``python tests/campaign/page_requests.py 2000`` sends so many to a running playground.

Most are wrong: in method, address, host, type, length or content. Each is drawn from its number: ``--first N 1`` repeats one.
"""

import argparse
import json
import re
import resource
import signal
import socket
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from random import Random

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "fuzz"))
from killing import Command, materials, run_whole
from mutations import as_json, mutated

SECONDS, MOST_GIB, LINGERS = 60, 2.0, 0.05
"""The most that an answer may take, and the server's memory in GiB; after how many seconds a client leaves."""
ADDRESSES = ["/", "/api/about", "/api/atlas", "/page/app.js", "/shared/grid.js", "/nowhere", "/api", "/page/", "/api/episode/"]
ADDRESSES += ["/page/../../../../etc/passwd", "/page/%2e%2e/%2e%2e/about.py", "/shared//etc/passwd", "/page/%00", "/page/\xff"]
ADDRESSES += [
    "/api/episode?x=%zz",
    "*",
    "http://127.0.0.1/api/about",
    "/" + "x" * 9000,
    "/page/" + "a/" * 999,
    "/page/" + "y" * 300,
]
POSTS = ["/api/episode", "/api/answer", "/api/agent"]
METHODS = ["GET", "POST", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "CONNECT", "FROB", "get", ""]
HOSTS = ["127.0.0.1", "localhost", "evil.example", "", "127.0.0.1.evil.example", "[::1]", "a" * 5000, "localhost:99999"]
TYPES = ["application/json", "application/json; charset=utf-8", "text/plain", "", "multipart/form-data", "application/jsonx"]
SOURCES = [
    {"kind": "recorded", "number": 0},
    {"kind": "played", "seed": 3, "player": "bot"},
    {"kind": "played", "seed": 4, "player": "agent"},
    {"kind": "live", "seed": 5, "actions": [2, 2, 1, 2]},
]
FIELD_SOURCES = [
    {"kind": "recorded", "number": 0, "part": 0},
    {"kind": "recorded", "number": 1, "part": 1},
    {"kind": "played", "seed": 4, "player": "agent"},
    {"kind": "live_fields", "seed": 5, "actions": [{"action": [1]}, {"action": [0.0]}]},
]
ASKED = [
    {"kind": "query", "name": "next_action", "options": {"step": 0}},
    {"kind": "query", "name": "forward_dynamics"},
    {"kind": "query", "name": "cell", "options": {"rate": 0.3}, "seed": 1},
    {"kind": "roles", "roles": "3333111"},
    {"kind": "query", "name": "infill", "options": {"start": 1, "stop": 2}},
]
ROLES = ["1", "3" * 100, "111101111101111100"]
DECODERS = [{}, {"name": "confidence", "num_passes": 3}, {"name": "single_pass"}, {"unit_order": "random", "temperature": 1.0}]


def body_for(address, random, sources):
    """Something valid for an address; the last source is live."""
    source = random.choice(sources)
    if address == "/api/answer":
        return {"source": source, "asked": random.choice(ASKED), "decoder": random.choice(DECODERS), "seed": 0}
    if address == "/api/agent":
        return {
            "source": sources[-1],
            "roles": random.choice(ROLES),
            "rebuilds": random.random() < 0.3,
        }
    return {"source": source}


def written(number, sources=SOURCES):
    """The bytes of a request, and whether it is to get an answer: it does not if it stops in the middle."""
    random = Random(number)
    address = random.choice(POSTS if random.random() < 0.75 else ADDRESSES)
    method = "POST" if address in POSTS and random.random() < 0.9 else random.choice(METHODS)
    host = HOSTS[0] if random.random() < 0.9 else random.choice(HOSTS)
    kind = TYPES[0] if random.random() < 0.9 else random.choice(TYPES)
    body, whole = _body(address, random, sources), random.random() < 0.85
    lengths = ["-1", "x", "", str(len(body) + 100), "9" * 30, "0", str(len(body))]
    length = len(body) if whole else random.choice(lengths)
    lines = [f"{method} {address} HTTP/1.1", f"Host: {host}", f"Content-Type: {kind}", f"Content-Length: {length}"]
    more = [[], [f"X: {'y' * 70_000}"], ["Connection: close"], ["Frob"], ["Transfer-Encoding: chunked"]]
    lines += [] if whole else random.choice(more)
    request = "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body
    return (request, True) if whole else (request[: random.choice((len(request), random.randrange(len(request))))], False)


def _body(address, random, sources):
    chance = random.random()
    if chance < 0.25:
        return json.dumps(body_for(address, random, sources)).encode()
    if chance < 0.85:
        return as_json(mutated(body_for(address, random, sources), random), random).encode("utf-8", "surrogatepass")
    huge = b'{"source": "' + b"x" * random.choice((10_000, 1_900_000, 5_000_000)) + b'"}'
    return random.choice((huge, b"[" * 100_000, b'{"source":' * 50_000, b"", b"\xff\xfe\0", random.randbytes(1000), b"5\r\n{}"))


def send(port, request, whole):
    """The status of the answer; None if there is none.

    Args:
        port: of the server.
        request: the bytes.
        whole: False lets the client leave after a moment.
    """
    with socket.create_connection(("127.0.0.1", port), SECONDS if whole else LINGERS) as connection:
        answer = b""
        try:
            connection.sendall(request)
            while len(answer) < 16 and (more := connection.recv(16)):
                answer += more
        except ConnectionError:  # refused before it was read to its end
            pass
        except TimeoutError:
            if whole:
                raise
    found = re.match(rb"HTTP/1\.1 (\d{3})", answer)
    return int(found[1]) if found else None


def of_fields(home):
    """A tiny run on data of CartPole; returns its folder."""
    run_whole(
        f"collect --env CartPole-v1 --policy random --num_episodes 20 --num_validation 4 --num_test 4 --num_processes 1"
        f" --output_dir {home / 'data'}"
    )
    sizes = "--element_model.width 16 --element_model.num_layers 1 --element_model.num_heads 2 --element_model.max_frames 8"
    training = "--training.num_updates 5 --training.num_processes 1"
    run_whole(f"train --data.path {home / 'data'} --output_dir {home / 'run'} {sizes} {training}")
    return home / "run"


def memory_gib(pid):
    """The most memory that a process has used."""
    return int(re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())[1]) / 2**20


def main():
    """Print the table; the status is 1 if anything was wrong."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("number", type=int, help="of requests")
    options.add_argument("--first", type=int, default=0, help="number of the first request")
    options.add_argument("--fields", action="store_true", help="to a model of CartPole instead of one of grids")
    chosen = options.parse_args()
    sources = FIELD_SOURCES if chosen.fields else SOURCES
    resource.setrlimit(resource.RLIMIT_NOFILE, (1024, 1024))
    found, faults, slowest = Counter(), [], (0.0, 0)
    with tempfile.TemporaryDirectory() as home:
        run = of_fields(Path(home)) if chosen.fields else materials(Path(home), "run")["run"]
        server = Command(f"playground --no_browser --port 0 --checkpoint {run}/checkpoints/best.pt", Path(home))
        while not (address := re.search(r"127\.0\.0\.1:(\d+)", (Path(home) / "stdout").read_text())):
            assert server.process.poll() is None, server.said
            time.sleep(0.1)
        for number in range(chosen.first, chosen.first + chosen.number):
            started = time.monotonic()
            try:
                status = send(int(address[1]), *written(number, sources))
            except TimeoutError:
                status = 599
            slowest = max(slowest, (time.monotonic() - started, number))
            found[status if status else "left or refused"] += 1
            if status and status >= 500:
                faults.append(f"--first {number}: status {status}")
        alive = send(int(address[1]), b"GET /api/about HTTP/1.1\r\nHost: localhost\r\n\r\n", True)
        most = memory_gib(server.process.pid)
        server.process.send_signal(signal.SIGINT)
        orphans = server.end()
        faults += [f"a traceback: {server.said}"] if "Traceback" in server.said else []
        faults += ["it does not answer any more"] if alive != 200 else []
        faults += [f"{most:.1f} GiB of memory"] if most > MOST_GIB else []
        faults += (
            [f"it ended with {server.process.returncode}, {len(orphans)} orphans"]
            if server.process.returncode or orphans
            else []
        )
    print(*(f"{status}: {found[status]:,}" for status in sorted(found, key=str)), sep="\n")
    print(f"slowest answer {slowest[0]:.1f} s (--first {slowest[1]}), most memory {most:.2f} GiB")
    print(*faults, sep="\n")
    sys.exit(bool(faults))


if __name__ == "__main__":
    main()
