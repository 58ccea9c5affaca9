"""What `check` can find in a cohort: a code, where it is, what is wrong, what mends it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from sequela.cohort.rules import RULES, Rule, Severity


@dataclass(frozen=True)
class Finding:
    """One fault of a cohort, named by place and never by value.

    Attributes:
        code: Names the rule; `docs/findings/CODE.md` explains it.
        severity: An error stops reading, a warning does not.
        file: Path inside the cohort folder.
        row: Line of a text file (the header is line 1) or row of a Parquet file; None where the
            whole file is meant.
        column: Our name of the column, empty where none is meant.
        message: What was expected and what was found.
        hint: What mends it.
    """

    code: str
    severity: Severity
    file: str
    row: int | None
    column: str
    message: str
    hint: str

    def __str__(self) -> str:
        place = self.file if self.row is None else f"{self.file}:{self.row}"
        place = f"{place} {self.column}".rstrip()
        return f"{self.severity}[{self.code}] {place}: {self.message}\n  = {self.hint}"

    def as_json(self) -> dict[str, object]:
        """The finding as `--json` prints it."""
        return asdict(self)


def finding(
    code: str, file: str, row: int | None = None, column: str = "", **words: object
) -> Finding:
    """The finding that rule `code` states, its braces filled with `words`."""
    return stated(code, RULES[code], file, row, column, **words)


def stated(
    code: str, rule: Rule, file: str, row: int | None = None, column: str = "", **words: object
) -> Finding:
    """The finding that a rule of any room states, its braces filled with `words`."""
    filled = {"column": column, **words}
    return Finding(
        code,
        rule.severity,
        file,
        row,
        column,
        rule.message.format(**filled),
        rule.hint.format(**filled),
    )


def errors(findings: Sequence[Finding]) -> list[Finding]:
    """The findings that stop a cohort from being read."""
    return [item for item in findings if item.severity == "error"]
