"""What a command prints: text for a person, JSON for a program, errors on stderr."""

from __future__ import annotations

import json
import os
import re
import shlex
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import NoReturn

import typer
from rich.console import Console, RenderableType
from rich.markup import escape

from sequela.errors import SequelaError
from sequela.redaction import without_paths

as_json: ContextVar[bool] = ContextVar("as_json", default=False)
silent: ContextVar[bool] = ContextVar("silent", default=False)
spoken: ContextVar[tuple[str, ...]] = ContextVar("spoken", default=())
"""The words of the command line, whose absolute paths no message repeats."""

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
    """Print an error on stderr, without absolute paths: what, where, and what to do."""
    message, hint = _shown(error.message), _shown(error.hint)
    items = [_shown(item) for item in error.items]
    if as_json.get():
        told = {"code": error.code, "message": message, "hint": hint, "items": items}
        sys.stderr.write(json.dumps(told, ensure_ascii=False) + "\n")
        return
    console = Console(stderr=True)
    console.print(f"[bold red]error:[/] {escape(message)}", highlight=False, soft_wrap=True)
    for item in items:
        console.print(f"  {escape(item)}", highlight=False, soft_wrap=True)
    if hint:
        console.print(f"[bold]mend:[/] {escape(hint)}", highlight=False, soft_wrap=True)


def end_with(error: SequelaError) -> NoReturn:
    """End a command whose answer is printed already; to a program, tell the error as well."""
    if as_json.get() and not _muted.get():
        complain(error)
    raise typer.Exit(error.exit_code)


def resuming(words: Sequence[str]) -> str:
    """The command line that goes on with an interrupted one, from this working directory.

    What would throw away the work done so far is left out, and no path in it is absolute.
    """
    kept = [_PATH.sub(_relative, word) for word in words if word != "--restart"]
    return shlex.join(["sequela", *kept])


_PATH = re.compile(r"(?:(?<=^)|(?<==))/.*")


def _relative(path: re.Match[str]) -> str:
    return os.path.relpath(path[0])


def _shown(text: str) -> str:
    return without_paths(text, spoken.get())
