"""One redactor for whatever is told: no absolute path, and of libraries' messages no word.

What a library logs, warns of or raises may hold any value of a file that it reads. So it is not
searched for values, which would miss some, but withheld; only the library is named.
"""

from __future__ import annotations

import logging
import re
import sys
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_ABSOLUTE = re.compile(r"(?<![\w.…:/<>)\]}])/(?:[^\s/'\"`:,;]+/)*([^\s/'\"`:,;]+)/?")
_HEADING = re.compile(r"[^\W\d][\w .()%/-]{0,60}")
_VALUE = re.compile(r"\d{3}|\d[-/.]\d")
_OURS = "sequela"


def without_paths(text: str, known: Sequence[str] = ()) -> str:
    """The text with each absolute path cut down to its last name.

    Args:
        text: A sentence for a user.
        known: Paths that may occur in it and hold blanks, as the words of the command line.
    """
    absolute = {word for word in known if word.startswith("/")} | {str(Path.cwd())}
    for path in sorted(absolute - {"/"}, key=len, reverse=True):
        text = re.sub(rf"{re.escape(path.rstrip('/'))}(?=$|\W)", Path(path).name, text)
    return _ABSOLUTE.sub(lambda found: found[1], text)


@contextmanager
def withheld(*, silently: bool) -> Iterator[None]:
    """Within, what libraries log or warn of, and what ends a thread, is told without its text.

    Args:
        silently: Say nothing at all of it, for whoever reads the standard error by a program.
    """
    factory, shown = logging.getLogRecordFactory(), warnings.showwarning
    hooks, disabled = (threading.excepthook, sys.unraisablehook), logging.root.manager.disable
    tell = (lambda _: None) if silently else _Teller()
    logging.setLogRecordFactory(_told_records(factory))
    if silently:
        logging.disable(logging.CRITICAL)
    warnings.showwarning = lambda _, kind, file, *__: tell(_warned(kind, file))
    threading.excepthook = lambda args: tell(f"a thread ended with {_kind(args.exc_type)}")
    sys.unraisablehook = lambda args: tell(f"something was left with {_kind(args.exc_type)}")
    try:
        yield
    finally:
        logging.setLogRecordFactory(factory)
        logging.disable(disabled)
        warnings.showwarning = shown
        threading.excepthook, sys.unraisablehook = hooks


class _Teller:
    """Says a sentence on the standard error, and no sentence twice."""

    def __init__(self) -> None:
        self._told: set[str] = set()

    def __call__(self, sentence: str) -> None:
        if sentence not in self._told:
            self._told.add(sentence)
            sys.stderr.write(f"note: {sentence}; its text may hold a value and is withheld\n")


def _told_records(make: Callable[..., logging.LogRecord]) -> Callable[..., logging.LogRecord]:
    """A maker of log records that names the library in place of what it says."""

    def made(name: str, level: int, path: str, line: int, *said: Any, **more: Any) -> Any:
        library = name.partition(".")[0]
        sentence = f"{library} logged a message; its text may hold a value and is withheld"
        return make(name, level, Path(path).name, line, sentence, (), None)

    return made


def _warned(kind: type[Warning], file: str) -> str:
    parts = Path(file).parts
    after = parts.index("site-packages") + 1 if "site-packages" in parts else None
    library = parts[after] if after else _OURS if _OURS in parts else "Python"
    return f"{library} warned ({_kind(kind)})"


def _kind(kind: type[BaseException] | None) -> str:
    return kind.__name__ if kind else "an unknown exception"


def headings(names: Sequence[str]) -> str:
    """The names of a table's columns; how many there are, if they may be a row of values.

    A table without a header shows its first patient where the names should be. Names hold no
    date, no long number and nothing but words.
    """
    if are_headings(names):
        return ", ".join(names)
    return f"{len(names)} columns, whose names are withheld: they may be a row of values"


def are_headings(names: Sequence[str]) -> bool:
    """Whether all may be shown: none of them looks like a value."""
    return all(_HEADING.fullmatch(name) and not _VALUE.search(name) for name in names)
