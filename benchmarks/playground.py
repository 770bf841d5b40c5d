"""Prints how long the playground takes to answer a click, over HTTP and in a browser.

Run with ``python benchmarks/playground.py CHECKPOINT``. The browser is Debian's package chromium, driven by playwright (in the
extra ``test``); where one of them is missing, only HTTP is timed.
"""

from __future__ import annotations

import json
import random
import shutil
import statistics
import sys
import threading
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import uvicorn

from anyorder.acting.rollout import FIRST_SEED
from anyorder.build.checkpoints import load_model
from anyorder.playground.about import about
from anyorder.playground.grid_scenes import GridScenes
from anyorder.playground.server import application

ROUNDS, LONG = 25, 63
EPISODES = {
    "a short episode": {"kind": "played", "seed": FIRST_SEED, "player": "bot"},
    f"{LONG + 1} views": {"kind": "live", "seed": FIRST_SEED, "actions": [0] * LONG},
}
CLICKS = """async ([rounds, last]) => {
    const times = [], count = () => Number(document.body.dataset.answers || 0);
    document.querySelector(`.strip-view[data-step="${last}"]`).click();
    for (let number = 0; number < rounds; number++) {
        const before = count(), start = performance.now();
        document.querySelector(`#shown [data-x="${number % 7}"][data-y="${Math.floor(number / 7)}"]`).click();
        while (count() === before) await new Promise((resolve) => setTimeout(resolve, 1));
        await new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve)));
        times.push(performance.now() - start);
    }
    return times;
}"""


def main() -> None:
    torch.set_num_threads(1)
    checkpoint = Path(sys.argv[1])
    model, header = load_model(checkpoint)
    scenes = GridScenes(model, header["env_id"], [])
    server = uvicorn.Server(
        uvicorn.Config(application(scenes, about(str(checkpoint), "test", scenes)), port=0, log_level="error")
    )
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.02)
    address = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    print(f"{header['env_id']}, {sum(p.numel() for p in model.parameters()):,} parameters, {ROUNDS} rounds, one thread")
    for name, source in EPISODES.items():
        over_http(address, name, source)
    in_browser(address)
    server.should_exit = True
    thread.join()


def over_http(address: str, name: str, source: dict[str, Any]) -> None:
    """Times answers about one cell, the last view, and three in ten of all cells."""
    episode = post(address, "episode", {"source": source})
    shown, words = episode["roles"], episode["num_words"]
    per_frame = 3 * episode["columns"] * episode["rows"] + 3
    last = words + per_frame * (len(episode["frames"]) - 1)
    cells = [
        words + per_frame * frame + 3 * cell for frame in range(len(episode["frames"])) for cell in range(per_frame // 3 - 1)
    ]
    draw = random.Random(0)
    questions: dict[str, Callable[[], set[int]]] = {
        "one cell": lambda: set(range(last + 3 * (start := draw.randrange(per_frame // 3 - 1)), last + 3 * start + 3)),
        "the last view": lambda: set(range(last, last + per_frame - 2)),
        "30% of all cells": lambda: {cell + part for cell in cells if draw.random() < 0.3 for part in range(3)},
    }
    for what, question in questions.items():
        for decoder in ({}, {"name": "confidence", "num_passes": 8}) if what == "the last view" else ({},):
            times = []
            for _ in range(ROUNDS):
                hidden = question()
                roles = "".join("3" if number in hidden else role for number, role in enumerate(shown))
                start = time.perf_counter()
                post(address, "answer", {"source": source, "asked": {"kind": "roles", "roles": roles}, "decoder": decoder})
                times.append(1000 * (time.perf_counter() - start))
            tell(f"HTTP, {name}, {what}{', 8 passes' if decoder else ''}", times)


def in_browser(address: str) -> None:
    """Times a click until the next picture, while more and more cells are hidden."""
    program = shutil.which("chromium")
    try:
        from playwright.sync_api import sync_playwright
    except ModuleNotFoundError:
        program = None
    if program is None:
        print("no browser: install the package chromium, and playwright")
        return
    with sync_playwright() as driver:
        page = driver.chromium.launch(executable_path=program, args=["--no-sandbox"]).new_page()
        page.goto(address)
        page.wait_for_selector("body[data-ready]")
        tell("browser, a short episode, a click", page.evaluate(CLICKS, [ROUNDS, 0]))
        page.click("#tab-live")
        page.wait_for_selector("#actions .chosen")
        for number in range(LONG):
            page.click("[aria-label='take the action left']")
            page.wait_for_selector(f'.strip-view[data-step="{number + 1}"]')
        tell(f"browser, {LONG + 1} views, a click", page.evaluate(CLICKS, [ROUNDS, LONG]))


def post(address: str, what: str, body: dict[str, Any]) -> dict[str, Any]:
    request = urllib.request.Request(f"{address}/api/{what}", json.dumps(body).encode(), {"content-type": "application/json"})
    with urllib.request.urlopen(request) as response:
        return json.load(response)


def tell(what: str, times: list[float]) -> None:
    worst = sorted(times)[int(0.95 * len(times))]
    print(f"{what:50s} median {statistics.median(times):6.1f} ms, 95% within {worst:6.1f} ms", flush=True)


if __name__ == "__main__":
    main()
