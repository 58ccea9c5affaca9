"""What a command prints: text for a person, JSON for a program, errors on stderr."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar

from rich.console import Console, RenderableType
from rich.markup import escape

from sequela.errors import SequelaError

as_json: ContextVar[bool] = ContextVar("as_json", default=False)
silent: ContextVar[bool] = ContextVar("silent", default=False)
_muted: ContextVar[bool] = ContextVar("muted", default=False)


@contextmanager
def muted() -> Iterator[None]:
    """Within, commands print for a person but give no JSON: they are steps of one that does."""
    token = _muted.set(as_json.get())
    try:
        yield
    finally:
        _muted.reset(token)


def answer(facts: Mapping[str, object], *lines: RenderableType) -> None:
    """Print the outcome of a command.

    Args:
        facts: What a program reads, with `--json`.
        lines: What a person reads; rich markup is allowed, so escape what users wrote.
    """
    if _muted.get() or silent.get():
        return
    if as_json.get():
        sys.stdout.write(json.dumps(facts, ensure_ascii=False, allow_nan=False) + "\n")
        return
    console = Console()
    for line in lines:
        console.print(line, highlight=False, soft_wrap=isinstance(line, str))


def complain(error: SequelaError) -> None:
    """Print an error on stderr: what, where, and what to do."""
    if as_json.get():
        sys.stderr.write(json.dumps(error.as_json(), ensure_ascii=False) + "\n")
        return
    console = Console(stderr=True)
    console.print(f"[bold red]error:[/] {escape(error.message)}", highlight=False, soft_wrap=True)
    for item in error.items:
        console.print(f"  {escape(item)}", highlight=False, soft_wrap=True)
    if error.hint:
        console.print(f"[bold]mend:[/] {escape(error.hint)}", highlight=False, soft_wrap=True)
