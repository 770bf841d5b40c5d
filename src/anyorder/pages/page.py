"""One HTML file with everything in it. It makes no request: its content security policy forbids any.

A script runs only if its hash is in the policy, so data can never become a script.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from html import escape
from importlib.resources import files
from typing import Any

SHARED_ASSETS = files("anyorder.pages") / "assets"


def asset(name: str) -> str:
    """The text of a shared asset: ``style.css``, ``theme.js`` (first of the scripts), ``grid.js``."""
    return (SHARED_ASSETS / name).read_text(encoding="utf-8")


@dataclass(frozen=True)
class Page:
    """What a page is made of.

    Attributes:
        title: plain text.
        body: HTML.
        styles: CSS texts, in order.
        scripts: JavaScript texts, in order, run after the body is there.
        data: name -> JSON value, for ``anyorder.data(name)`` of ``grid.js``.
    """

    title: str
    body: str
    styles: Sequence[str] = ()
    scripts: Sequence[str] = ()
    data: Mapping[str, Any] = field(default_factory=dict)

    def html(self) -> str:
        """The whole file."""
        scripts = [f"\n{script.strip()}\n" for script in self.scripts]
        return "\n".join(
            [
                "<!doctype html>",
                '<html lang="en">',
                "<head>",
                '<meta charset="utf-8">',
                f'<meta http-equiv="Content-Security-Policy" content="{self._policy(scripts)}">',
                '<meta name="viewport" content="width=device-width, initial-scale=1">',
                '<link rel="icon" href="data:,">',
                f"<title>{escape(self.title)}</title>",
                *(f"<style>\n{style.strip()}\n</style>" for style in self.styles),
                "</head>",
                "<body>",
                self.body,
                *(_data_block(name, value) for name, value in self.data.items()),
                *(f"<script>{script}</script>" for script in scripts),
                "</body>",
                "</html>",
                "",
            ]
        )

    def _policy(self, scripts: Sequence[str]) -> str:
        hashes = " ".join(f"'sha256-{b64encode(sha256(script.encode()).digest()).decode()}'" for script in scripts)
        rules = {
            "default-src": "'none'",
            "img-src": "data: blob:",
            "style-src": "'unsafe-inline'",
            "script-src": hashes or "'none'",
            "connect-src": "'none'",
            "base-uri": "'none'",
            "form-action": "'none'",
        }
        return "; ".join(f"{name} {value}" for name, value in rules.items())


def _data_block(name: str, value: Any) -> str:
    """JSON in which no text can end the element: every ``<`` is written as its escape."""
    content = json.dumps(value, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")
    return f'<script type="application/json" id="data-{escape(name)}">{content}</script>'
