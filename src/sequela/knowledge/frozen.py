"""`knowledge.json`: structured reports and claims as a model reads them, and their hash."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from sequela.errors import DataError
from sequela.knowledge.background import Claim
from sequela.knowledge.schema import FIELDS, Finding, StructuredReport
from sequela.storage import fingerprint, write_json

FILE_NAME = "knowledge.json"
_FORMAT = "sequela knowledge 1"
_FINDINGS = TypeAdapter(tuple[Finding, ...])
_CLAIMS = TypeAdapter(tuple[Claim, ...])


@dataclass(frozen=True)
class FrozenKnowledge:
    """What is known of patients and of their cancers, and where it is from.

    Attributes:
        reports: Structured reports by patient.
        claims: Background claims by cancer type.
        provenance: How each part was made: reader, model, prompt and schema versions.
    """

    reports: Mapping[str, StructuredReport] = field(default_factory=dict)
    claims: Mapping[str, tuple[Claim, ...]] = field(default_factory=dict)
    provenance: Mapping[str, Any] = field(default_factory=dict)

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of the reports and claims; how they came about does not change it."""
        content = {"reports": self._reports(), "claims": self._claims()}
        return fingerprint(json.dumps(content, sort_keys=True, ensure_ascii=False))

    def write(self, file: Path) -> None:
        """Write the file, whole or not at all."""
        content = {
            "format": _FORMAT,
            "fingerprint": self.fingerprint,
            "provenance": dict(self.provenance),
            "reports": self._reports(),
            "claims": self._claims(),
        }
        write_json(file, content)

    @classmethod
    def read(cls, file: Path) -> FrozenKnowledge:
        """Read what `write` wrote.

        Raises:
            DataError: If there is no such file, it is another kind of file, or it was changed by
                other means than `sequela knowledge`.
        """
        content = _content(file)
        try:
            knowledge = cls(
                reports={
                    patient: _report(findings) for patient, findings in content["reports"].items()
                },
                claims={
                    cancer: _CLAIMS.validate_python(rows)
                    for cancer, rows in content["claims"].items()
                },
                provenance=content["provenance"],
            )
        except (KeyError, AttributeError, ValidationError):
            raise _unusable(file) from None
        if knowledge.fingerprint != content.get("fingerprint"):
            raise DataError(
                f"{file.name} was changed since it was written: its contents do not have its hash",
                hint="make it again with `sequela knowledge refine`; correct it with `review`",
            )
        return knowledge

    def _reports(self) -> dict[str, Any]:
        return {
            patient: _FINDINGS.dump_python(_told(report), mode="json")
            for patient, report in sorted(self.reports.items())
        }

    def _claims(self) -> dict[str, Any]:
        return {
            cancer: _CLAIMS.dump_python(claims, mode="json")
            for cancer, claims in sorted(self.claims.items())
        }


def _told(report: StructuredReport) -> tuple[Finding, ...]:
    return tuple(finding for finding in report.findings.values() if finding.told)


def _content(file: Path) -> dict[str, Any]:
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise DataError(
            f"there is no {file.name}",
            hint="make it with `sequela knowledge refine` and `sequela knowledge background`",
        ) from None
    except (ValueError, RecursionError):
        raise _unusable(file) from None
    if not isinstance(content, dict) or content.get("format") != _FORMAT:
        raise _unusable(file)
    return content


def _report(rows: Any) -> StructuredReport:
    findings = _FINDINGS.validate_python(rows)
    for finding in findings:
        if finding.known and not FIELDS[finding.field].admits(finding.value):
            raise KeyError(finding.field)
    return StructuredReport.of(findings)


def _unusable(file: Path) -> DataError:
    return DataError(
        f"{file.name} is not a knowledge file of this version",
        hint="make it again with `sequela knowledge refine` and `sequela knowledge background`",
    )
