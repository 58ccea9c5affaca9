"""A folder that is being filled: new, or begun by the same command and cut short."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sequela.errors import UsageError
from sequela.storage import fingerprint, make_folder, write_text

MARK = ".unfinished"


@dataclass(frozen=True)
class Filling:
    """What fills a folder, and from where; the same, told again, goes on where it was cut short.

    Attributes:
        out: The folder.
        what: The command.
        sources: What it reads.
    """

    out: Path
    what: str
    sources: tuple[Path, ...]

    @property
    def _purpose(self) -> str:
        return fingerprint(self.what, *(str(source.resolve()) for source in self.sources))

    @property
    def begun(self) -> bool:
        """Whether the same was begun here, and not ended."""
        mark = self.out / MARK
        return mark.is_file() and mark.read_text(encoding="utf-8") == self._purpose

    def require_new(self, taken: Sequence[str]) -> None:
        """Refuse a folder that holds what is to be written, unless the same has begun it.

        Args:
            taken: The files, by name.

        Raises:
            UsageError: If one of them is there.
        """
        there = [name for name in taken if (self.out / name).exists()]
        if there and not self.begun:
            raise UsageError(
                f"{self.out.name} already has {', '.join(there)}",
                hint="choose another folder, or move these files away first",
            )

    @contextmanager
    def marked(self) -> Iterator[None]:
        """Within, the folder is filled; a mark in it says so until the end is reached."""
        make_folder(self.out)
        write_text(self.out / MARK, self._purpose)
        yield
        (self.out / MARK).unlink()
