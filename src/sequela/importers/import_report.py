"""What became of every file that an import looked at."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

import polars as pl

from sequela.cohort.table_files import write_table
from sequela.importers.pseudonyms import Pseudonyms, write_links
from sequela.importers.status import Status

FILE_NAME = "import-report.csv"


@dataclass(frozen=True)
class ImportFinding:
    """One file that was not taken as it is.

    Attributes:
        file: Its path relative to the source folder; with `:LINE` where a line of it is meant.
        status: noted (taken, with a remark), set aside (not what we import), refused (ours,
            but must not be used) or unreadable.
        reason: One sentence.
    """

    file: str
    status: Status
    reason: str


@dataclass(frozen=True)
class ImportReport:
    """How much came in, and every file that did not or that needs a remark.

    Attributes:
        counts: How many of each thing were written, as in {"patients": 3}.
        findings: One a file and reason, in order of the file name.
        messages: What the user should know, such as where the pseudonym key lies.
    """

    counts: dict[str, int]
    findings: tuple[ImportFinding, ...]
    messages: tuple[str, ...] = ()

    def reasons(self) -> dict[str, int]:
        """How many files share each reason, most frequent first."""
        return dict(Counter(finding.reason for finding in self.findings).most_common())

    def write(self, folder: Path) -> Path:
        """Write `import-report.csv` into `folder`."""
        rows = [(finding.file, finding.status, finding.reason) for finding in self.findings]
        schema = {"file": pl.String, "status": pl.String, "reason": pl.String}
        return write_table(pl.DataFrame(rows, schema=schema, orient="row"), folder / FILE_NAME)

    def write_unnamed(self, folder: Path, key_file: Path, pseudonyms: Pseudonyms) -> Path:
        """The same with files under pseudonyms: a file's name may be its patient's.

        Which is which stands in a table beside the key.
        """
        names = {one.file: pseudonyms.name("file", one.file) for one in self.findings}
        write_links(files_beside(key_file), names, ("file", "name"))
        hidden = (replace(one, file=names[one.file]) for one in self.findings)
        return replace(self, findings=tuple(hidden)).write(folder)


def keys_told(key_file: Path) -> str:
    """Where the key lies, and what stands beside it."""
    return (
        f"pseudonyms: the key is in {key_file.name}, who is who in {key_file.stem}-links.csv, "
        f"which file is which in {files_beside(key_file).name}, all outside the cohort folder; "
        "keep them safe and apart"
    )


def files_beside(key_file: Path) -> Path:
    """Where it stands which file has which name in an import's report."""
    return key_file.with_name(f"{key_file.stem}-files.csv")
