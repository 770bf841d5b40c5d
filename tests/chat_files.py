"""Chat files for tests, and what is read from them."""

import json

from anyorder.data.importers.chats.reading import format_of, read_chat


def write_chats(path, *lines):
    """A file with one JSON object per line; a text is a line as it is."""
    path.write_text("\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines) + "\n")
    return path


def read_chats(tmp_path, *lines):
    """What is read from a file of these lines."""
    path = write_chats(tmp_path / "chat.jsonl", *lines)
    return list(read_chat(path, format_of(path)))


def spoken(*texts):
    """A line in which user and agent take turns."""
    return {"messages": [{"role": ("user", "assistant")[n % 2], "content": text} for n, text in enumerate(texts)]}


def turns_of(trajectory):
    """Part, text and asked of each turn."""
    return [(turn.part, turn.text, turn.asked) for turn in trajectory.turns]
