"""Nonsense, and valid data with a mistake in it. All chance comes from the `random.Random` that is handed in."""

import copy
import json
from random import Random
from typing import Any

BIG, DEEP, LAUGH = "@big@", "@deep@", "@laugh@"
"""Stand for a number of 5,000 digits, for lists in 5,000 lists, and for lists that double with every alias."""
LONG = "x" * 5000
NONSENSE: tuple[Any, ...] = (
    *(
        None,
        True,
        False,
        0,
        1,
        -1,
        2,
        7,
        255,
        2**31,
        2**63,
        2**70,
        -(2**70),
        0.5,
        -0.0,
        1e-320,
        1e308,
        float("nan"),
        float("inf"),
    ),
    *("", " ", "a", "1e-5", "null", "on", "cell", "next_action", "[/red]", "x[/b]", "\x1b[31mred", "a\0b", "\ud83d", "a/../b"),
    *("/etc/passwd", "%s{}", "${HOME}", "é" * 40, LONG, BIG, DEEP, [], {}, [None], [[]], {"": None}, {"a": {"a": {"a": 1}}}),
    *([1, 2, 3], ["a", "b"], {"cell": 1}, {"uniform": [0.9, 0.1]}, {"step": []}, {"weight": 1, "strategy": "cell"}),
    *(list(range(300)), {"_": LONG}, {LONG: 1}, {"1": 1, "x[/b]": 2}),
)


def mutated(valid: Any, random: Random) -> Any:
    """A copy with one to three mistakes: values replaced, left out, added, exchanged or repeated."""
    changed = [copy.deepcopy(valid)]  # in a list, so that the whole can be replaced like a part
    for _ in range(random.choice((1, 1, 1, 2, 3))):
        places = list(_places(changed))
        parent, key = random.choice(places)
        action = random.randrange(6)
        if action == 1 and parent is not changed:
            del parent[key]
        elif action == 2 and isinstance(parent[key], dict):
            parent[key][random.choice(("frob", "", "x" * 300, "cell", "1"))] = _nonsense(random)
        elif action == 3:
            other, name = random.choice(places)
            parent[key] = copy.deepcopy(other[name])
        elif action == 4 and isinstance(parent[key], list):
            parent[key] = parent[key] * 2
        elif action == 5 and isinstance(parent[key], (int, float)) and not isinstance(parent[key], bool):
            parent[key] = random.choice((-parent[key], parent[key] * 1000, parent[key] + 1, str(parent[key]), parent[key] / 3))
        else:
            parent[key] = _nonsense(random)
    return changed[0]


def as_json(value: Any, random: Random) -> str:
    """The value as JSON text, now and then with a mistake in the text itself."""
    return _damaged(_filled(json.dumps(value)), random)


def as_yaml(value: Any, random: Random) -> str:
    """The value as YAML text, which all JSON is, now and then with a key that stands twice, an alias, or a mistake."""
    text = _filled(json.dumps(value, indent=1))
    if isinstance(value, dict) and value and random.random() < 0.08:
        key = random.choice(list(value))
        text = f"{text.rstrip()[:-1]}, {json.dumps(key)}: {_filled(json.dumps(value[key]))}}}"
    if random.random() < 0.05:
        levels = "".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 12))
        text = f"a0: &a0 [x]\n{levels}"
    return _damaged(text, random)


def _places(value: Any) -> Any:
    if isinstance(value, (dict, list)):
        for key in list(value) if isinstance(value, dict) else range(len(value)):
            yield value, key
            yield from _places(value[key])


def _nonsense(random: Random) -> Any:
    return copy.deepcopy(random.choice(NONSENSE))


def _filled(text: str) -> str:
    return text.replace(f'"{BIG}"', "1" * 5000).replace(f'"{DEEP}"', "[" * 5000 + "]" * 5000)


def _damaged(text: str, random: Random) -> str:
    if random.random() < 0.9 or not text:
        return text
    at = random.randrange(len(text))
    return random.choice(
        (text[:at], text[:at] + random.choice('{}[]",:\0\x1b\ufeff\\-&*!#\n') + text[at:], text[at:], text * 2)
    )
