"""Copy what a study's summary links to into a folder that can be committed: without weights, logs and the actions of episodes.
JSON is written without blanks, and its numbers with six digits.

    python scripts/publish_results.py outputs/any_order docs/results/any_order
"""

import json
import shutil
import sys
from pathlib import Path

from anyorder.files import DIGEST, json_digest

PICTURES = (".png", ".svg")
LEFT_OUT = ("report.md", "manifest.json")


def publish(source: Path, target: Path) -> int:
    """Copy the summary, the result files and the pictures of a study, links and all; returns how many files."""
    kept = [
        path
        for path in sorted(source.rglob("*"))
        if path.suffix in (".json", ".md", *PICTURES) and "checkpoints" not in path.parts and path.name not in LEFT_OUT
    ]
    for path in kept:
        copy = target / path.relative_to(source)
        copy.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".json":
            copy.write_text(json.dumps(slim(path), separators=(",", ":")) + "\n")
        else:
            shutil.copyfile(path, copy)
    return len(kept)


def slim(path: Path) -> dict:
    """The content of a result file, without what only a replay needs."""
    content = json.loads(path.read_text(), parse_float=lambda number: float(f"{float(number):.6g}"))
    had_digest = content.pop(DIGEST, None) is not None
    kept = {name: value for name, value in content.items() if (path.name, name) != ("episodes.json", "actions")}
    return {**kept, DIGEST: json_digest(kept)} if had_digest else kept


if __name__ == "__main__":
    source, target = map(Path, sys.argv[1:])
    if not (source / "RESULTS_SUMMARY.md").exists():
        sys.exit(f"{source} has no RESULTS_SUMMARY.md; run the study first: anyorder study --output_dir {source}")
    print(f"{publish(source, target)} files in {target}")
