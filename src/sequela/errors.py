"""What can go wrong, and the exit code that says so to a shell."""

from __future__ import annotations

from typing import ClassVar


class SequelaError(Exception):
    """An error that a user can act on: what was expected, what was found, where, what to do.

    Args:
        message: What is wrong. Never a patient's value, never an absolute path.
        hint: What mends it.
        items: The single findings, where there are several.
    """

    code: ClassVar[str] = "error"
    exit_code: ClassVar[int] = 2

    def __init__(self, message: str, *, hint: str = "", items: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.message, self.hint, self.items = message, hint, items

    def as_json(self) -> dict[str, object]:
        """The error as `--json` prints it on stderr."""
        return {
            "code": self.code,
            "message": self.message,
            "hint": self.hint,
            "items": list(self.items),
        }


class UsageError(SequelaError):
    """The command or its configuration is not one that we know."""

    code, exit_code = "usage", 2


class DataError(SequelaError):
    """The data do not keep the contract of the table or file they came in."""

    code, exit_code = "data", 3


class LockedError(SequelaError):
    """Another process works in the same folder, or going on would be unsafe."""

    code, exit_code = "locked", 4


class StorageError(SequelaError):
    """The disk refused: a file could not be read or written, and what stood before still stands."""

    code, exit_code = "storage", 4


class LeakageError(SequelaError):
    """Information about the outcome, or about test patients, has reached the inputs."""

    code, exit_code = "leakage", 5


class InterruptedRunError(SequelaError):
    """The run was stopped; the same command goes on where it stood."""

    code, exit_code = "interrupted", 6


class ResourceLimitError(SequelaError):
    """A file or a job asks for more memory, time or disk than it may have."""

    code, exit_code = "limit", 7


class DiskFullError(ResourceLimitError):
    """The disk has no room for what is written; what stood before still stands."""


class DivergedError(SequelaError):
    """Fitting left the numbers: a loss is infinite or not a number."""

    code, exit_code = "diverged", 3


class UndefinedMetricError(SequelaError):
    """The number does not exist for these patients; the message says why."""

    code, exit_code = "undefined", 3
