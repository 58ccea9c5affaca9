"""The report schema: closed fields, and what was found for each with the words that say so."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

UNKNOWN = "unknown"
MINIMUM_LENGTH = 50
"""Characters below which a report says nothing: whatever is read from it would be invented."""
MAXIMUM_LENGTH = 50_000
"""Characters of a report that are read; the longest of 1,116 real ones has 18,527."""

Kind = Literal["level", "number", "count", "words"]
Review = Literal["unreviewed", "accepted", "corrected"]


@dataclass(frozen=True)
class Field:
    """One field of the schema.

    Attributes:
        name: Its key in files.
        label: What a reader calls it.
        kind: level (one of `levels`), number (centimetres), count, or words of the report.
        levels: Every value that a level can have.
    """

    name: str
    label: str
    kind: Kind
    levels: tuple[str, ...] = ()

    def admits(self, value: str) -> bool:
        """Whether a value is of the field's closed vocabulary."""
        match self.kind:
            case "level":
                return value in self.levels
            case "number":
                return _is_number(value) and 0 < float(value) < MAXIMUM_SIZE
            case "count":
                return value.isdecimal() and int(value) < MAXIMUM_NODES
            case _:
                return bool(value.strip())


MAXIMUM_SIZE = 100.0
"""Centimetres; no tumour is larger."""
MAXIMUM_NODES = 200

_YES_NO = ("absent", "present")
_RECEPTOR = ("negative", "equivocal", "positive")

HISTOLOGIES = (
    "invasive ductal carcinoma",
    "invasive lobular carcinoma",
    "mixed ductal and lobular carcinoma",
    "mucinous carcinoma",
    "medullary carcinoma",
    "metaplastic carcinoma",
    "clear cell renal cell carcinoma",
    "papillary renal cell carcinoma",
    "chromophobe renal cell carcinoma",
    "renal cell carcinoma",
    "urothelial carcinoma",
    "endometrioid adenocarcinoma",
    "serous carcinoma",
    "mixed endometrioid and serous carcinoma",
    "clear cell carcinoma",
    "carcinosarcoma",
    "adenosquamous carcinoma",
    "adenocarcinoma",
    "squamous cell carcinoma",
    "large cell carcinoma",
    "small cell carcinoma",
    "hepatocellular carcinoma",
    "cholangiocarcinoma",
    "papillary thyroid carcinoma",
    "follicular thyroid carcinoma",
    "adrenocortical carcinoma",
    "melanoma",
    "glioblastoma",
    "astrocytoma",
    "oligodendroglioma",
    "oligoastrocytoma",
    "mesothelioma",
    "thymoma",
    "seminoma",
    "leiomyosarcoma",
    "liposarcoma",
    "sarcoma",
    "pheochromocytoma",
    "paraganglioma",
    "lymphoma",
    "carcinoma",
)
_T = tuple(
    f"T{number}{letter}" for number in range(1, 5) for letter in ("", *"abcd", "1mi", "a1", "a2")
)
_N = (
    "NX",
    "N0",
    "N1",
    "N1mi",
    *(f"N{number}{letter}" for number in range(1, 4) for letter in "abc"),
)
STAGES = (
    "0",
    *("I", "IA", "IA1", "IA2", "IA3", "IB", "IC"),
    *("II", "IIA", "IIB", "IIC"),
    *("III", "IIIA", "IIIB", "IIIC", "IIIC1", "IIIC2"),
    *("IV", "IVA", "IVB", "IVC"),
)

FIELDS: Mapping[str, Field] = MappingProxyType(
    {
        item.name: item
        for item in (
            Field("histology", "histology", "level", HISTOLOGIES),
            Field("size", "tumour size in cm", "number"),
            Field("grade", "grade", "level", ("1", "2", "3", "4", "low", "high")),
            Field("pT", "primary tumour", "level", ("TX", "T0", "Tis", "Ta", *_T)),
            Field("pN", "regional lymph nodes", "level", (*_N, "N2", "N3")),
            Field("pM", "distant metastasis", "level", ("MX", "M0", "M1", "M1a", "M1b", "M1c")),
            Field("stage", "stage", "level", STAGES),
            Field("nodes_examined", "lymph nodes examined", "count"),
            Field("nodes_positive", "lymph nodes with metastasis", "count"),
            Field("margins", "resection margins", "level", ("negative", "close", "positive")),
            Field("lymphovascular_invasion", "lymphovascular invasion", "level", _YES_NO),
            Field("perineural_invasion", "perineural invasion", "level", _YES_NO),
            Field("necrosis", "necrosis", "level", _YES_NO),
            Field("oestrogen_receptor", "oestrogen receptor", "level", _RECEPTOR),
            Field("progesterone_receptor", "progesterone receptor", "level", _RECEPTOR),
            Field("her2", "HER2", "level", _RECEPTOR),
            Field("remark", "in the report's words", "words"),
        )
    }
)
"""The report schema by field name, in the order in which a model reads it."""


@dataclass(frozen=True)
class Evidence:
    """Where a report says something: `text[start:end]` is `words`."""

    start: int
    end: int
    words: str


@dataclass(frozen=True)
class Finding:
    """The value of one field and the words it rests on.

    Attributes:
        field: A name of `FIELDS`.
        value: A value of the field's vocabulary, or unknown.
        evidence: The verbatim span; None where unknown, or where a person put the value in.
        review: Whether a person has looked at it.
    """

    field: str
    value: str = UNKNOWN
    evidence: Evidence | None = None
    review: Review = "unreviewed"

    @property
    def known(self) -> bool:
        """Whether the report says it."""
        return self.value != UNKNOWN

    @property
    def told(self) -> bool:
        """Whether the report says it, or a person has looked and found that it does not."""
        return self.known or self.review != "unreviewed"

    @property
    def sentence(self) -> str:
        """Label and value, as a text encoder reads them."""
        return f"{FIELDS[self.field].label}: {self.value}"


@dataclass(frozen=True)
class StructuredReport:
    """One finding for every field of the schema, in its order."""

    findings: Mapping[str, Finding] = field(default_factory=dict)

    @classmethod
    def of(cls, found: Iterable[Finding]) -> StructuredReport:
        """A report of these findings; every other field is unknown."""
        known = {finding.field: finding for finding in found if finding.told}
        return cls({name: known.get(name, Finding(name)) for name in FIELDS})

    def value(self, name: str) -> str:
        """The value of a field, or unknown."""
        return self.findings[name].value if name in self.findings else UNKNOWN

    @property
    def known(self) -> tuple[Finding, ...]:
        """The findings that say something."""
        return tuple(finding for finding in self.findings.values() if finding.known)


def _is_number(value: str) -> bool:
    return value.replace(".", "", 1).isdecimal()
