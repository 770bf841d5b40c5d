"""What torch.compile leaves to Python, marked without its import, which takes more than a second of every start."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, TypeVar

import torch
from torch import nn

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")
_marked: list[Callable[..., Any]] = []
_called: list[Callable[..., Any]] = []
"""What is called in the place of each marked function; `compiled` exchanges them."""


def uncompiled(function: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    """The same function, which a model that is `compiled` runs as plain Python."""
    number = len(_called)
    _marked.append(function)
    _called.append(function)

    @wraps(function)
    def call(*arguments: Arguments.args, **settings: Arguments.kwargs) -> Result:
        return _called[number](*arguments, **settings)

    return call


def compiled(model: nn.Module, backend: str = "inductor") -> Callable[..., Any]:
    """The model run through torch.compile, for batches of any size, but for what is `uncompiled`."""
    _called[:] = map(torch.compiler.disable, _marked)
    return torch.compile(model, dynamic=True, backend=backend)
