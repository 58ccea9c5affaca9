"""What became of every file that an import looked at."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from sequela.cohort.tables import write_table
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
