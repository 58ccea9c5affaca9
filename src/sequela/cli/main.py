"""The `sequela` command."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from contextlib import nullcontext
from contextvars import copy_context
from pathlib import Path
from typing import Annotated

import typer
from typer.exceptions import Abort, TyperException

import sequela
from sequela.cli import (
    cohorts,
    demonstration,
    keeping,
    knowledge,
    language,
    machine,
    numbers,
    runs,
    scrutiny,
    selftest,
    studies,
)
from sequela.cli.answers import as_json, complain, resuming, spoken
from sequela.errors import InterruptedRunError, ResourceLimitError, SequelaError, UsageError
from sequela.progress import quiet
from sequela.redaction import withheld
from sequela.storage import disk_refusal

app = typer.Typer(
    name="sequela",
    help="Predict what follows a cancer: recurrence and survival from images, text, genes and "
    "time. Research use only.\n\nThe way: import, check, prepare, pretrain, train, predict, "
    "evaluate, explain, report. `sequela demo` walks it on synthetic patients.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
)
for room in (
    demonstration,
    machine,
    cohorts,
    knowledge,
    language,
    runs,
    numbers,
    studies,
    keeping,
    scrutiny,
    selftest,
):
    room.add_to(app)


def _version(value: bool) -> bool:
    if value:
        typer.echo(f"sequela {sequela.__version__}")
        raise typer.Exit
    return value


@app.callback()
def options(
    json: Annotated[
        bool, typer.Option("--json", help="Print the answer, or the error, as one line of JSON.")
    ] = False,
    no_progress: Annotated[bool, typer.Option("--quiet", help="Show no progress.")] = False,
    debug: Annotated[
        bool, typer.Option("--debug", help="Show the traceback of an unexpected error.")
    ] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Options that every command takes, wherever they stand on the line."""
    as_json.set(json)
    quiet.set(no_progress or json)


_EVERYWHERE = ("--json", "--quiet", "--debug")
_CTRL_C = 130  # what typer makes of a KeyboardInterrupt


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit with the code of design section 8.

    What `--json` and `--quiet` set ends with it, for whoever calls this from Python.
    """
    # Threads that spin while they wait take the cores from each other; read when torch is loaded.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    others = os.umask(0o077)  # whatever is written, by libraries and workers too, is its owner's
    try:
        copy_context().run(_run, list(sys.argv[1:] if arguments is None else arguments))
    finally:
        os.umask(others)


def _run(words: list[str]) -> None:
    first = [word for word in _EVERYWHERE if word in words]
    words = first + [word for word in words if word not in _EVERYWHERE]
    as_json.set("--json" in first)
    spoken.set(tuple(words))
    libraries = nullcontext() if "--debug" in first else withheld(silently="--json" in first)
    try:
        with libraries:
            code = app(args=words, standalone_mode=False)
    except InterruptedRunError as error:
        fail(_resumable(error.message, words))
    except SequelaError as error:
        fail(error)
    except TyperException as error:
        fail(UsageError(error.format_message(), hint=f"see {_help_for(words)}"))
    except (KeyboardInterrupt, Abort):
        fail(_resumable("stopped", words))
    except MemoryError:
        fail(
            ResourceLimitError(
                "not enough memory", hint="lower train.batch or prepare.workers, then run it again"
            )
        )
    except Exception as error:  # the one place where a fault of ours is caught
        if "--debug" in first:
            raise
        fail(disk_refusal(error) or _our_fault(error))
    else:
        if code == _CTRL_C:
            fail(_resumable("stopped", words))
        sys.exit(code if isinstance(code, int) else 0)


def fail(error: SequelaError) -> None:
    """Print an error and exit with its code."""
    complain(error)
    sys.exit(error.exit_code)


def _resumable(message: str, words: Sequence[str]) -> InterruptedRunError:
    return InterruptedRunError(
        message,
        hint=f"`{resuming(words)}` goes on from there and ends in what it would have ended in",
    )


class _OurFaultError(SequelaError):
    code, exit_code = "internal", 1


def _our_fault(error: Exception) -> SequelaError:
    """Names the place and the kind of a bug, not its message, which may hold a value."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    place = "unknown place"
    if trace is not None:
        place = f"{Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno}"
    return _OurFaultError(
        f"a fault in Sequela, not in your data: {type(error).__name__} at {place}",
        hint="run it again with --debug and report the traceback, without patients' data",
    )


def _help_for(words: Sequence[str]) -> str:
    command = next((word for word in words if not word.startswith("-")), "")
    return f"`sequela {command} --help`" if command else "`sequela --help`"
