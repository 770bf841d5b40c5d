"""What torch.compile leaves to Python, marked without its import, which takes more than a second of every start."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, TypeVar

import torch
from torch import nn

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")
_called: dict[int, Callable[..., Any]] = {}
"""What is called in the place of each marked function; `compiled` exchanges them."""


def uncompiled(function: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    """The same function, which a model that is `compiled` runs as plain Python."""
    number = len(_called)
    _called[number] = function

    @wraps(function)
    def call(*arguments: Arguments.args, **settings: Arguments.kwargs) -> Result:
        return _called[number](*arguments, **settings)

    return call


def compiled(model: nn.Module, backend: str = "inductor") -> Callable[..., Any]:
    """The model run through torch.compile, for batches of any size, but for what is `uncompiled`."""
    for number, function in _called.items():
        _called[number] = torch.compiler.disable(function)
    return torch.compile(model, dynamic=True, backend=backend)
