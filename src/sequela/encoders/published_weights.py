"""Published weights are read as safetensors alone, whatever else their publisher offers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

import torch

from sequela.errors import UsageError


@contextmanager
def safetensors_alone() -> Iterator[None]:
    """Within, no library opens a pickle of torch: weights that come as nothing else are refused.

    Raises:
        UsageError: If weights come as a pickle.
    """
    opens = torch.__dict__["load"]
    setattr(torch, "load", _refused)  # noqa: B010 - for libraries, which look it up by its name
    try:
        yield
    finally:
        setattr(torch, "load", opens)  # noqa: B010


def _refused(*_: object, **__: object) -> NoReturn:
    raise UsageError(
        "the weights of that name are published as a pickle, which could run code as it is read",
        hint="fetch the file yourself, turn it into safetensors with `sequela convert`, and set "
        "`weights` to it",
    )
