"""The tables of a cohort: what their columns hold, which are required, what they refer to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from sequela.cohort.manifest import Covariate, Manifest
from sequela.cohort.patient import Side, View

Kind = Literal["id", "label", "text", "path", "number", "day", "code"]
"""id: names a row; label: a short word; day: a number in the manifest's time unit; code: whole."""


@dataclass(frozen=True)
class Column:
    """One column of a table.

    Attributes:
        name: What we call it.
        kind: What its values are.
        required: Whether every row must have a value.
        choices: The only values allowed; empty where all are.
        refers: The table whose rows this id names.
    """

    name: str
    kind: Kind
    required: bool = False
    choices: tuple[str, ...] = ()
    refers: str = ""


@dataclass(frozen=True)
class TableSchema:
    """The columns of a table; the first is its key, where `keyed`."""

    columns: tuple[Column, ...]
    keyed: bool = True

    @property
    def key(self) -> str:
        """The column whose value names a row."""
        return self.columns[0].name


_PATIENT = Column("patient_id", "id", required=True, refers="patients")

SCHEMA: dict[str, TableSchema] = {
    "patients": TableSchema(
        (
            Column("patient_id", "id", required=True),
            Column("site", "label"),
            Column("cancer_type", "label"),
        )
    ),
    "outcomes": TableSchema(
        (
            _PATIENT,
            Column("endpoint", "label", required=True),
            Column("time", "day", required=True),
            Column("event", "code", required=True),
            Column("entry", "day"),
        ),
        keyed=False,
    ),
    "exams": TableSchema(
        (
            Column("exam_id", "id", required=True),
            _PATIENT,
            Column("day", "day", required=True),
            Column("modality", "label"),
            Column("vendor", "label"),
        )
    ),
    "images": TableSchema(
        (
            Column("image_id", "id", required=True),
            Column("exam_id", "id", required=True, refers="exams"),
            Column("side", "label", required=True, choices=get_args(Side)),
            Column("view", "label", required=True, choices=get_args(View)),
            Column("path", "path", required=True),
        )
    ),
    "texts": TableSchema(
        (
            Column("text_id", "id", required=True),
            _PATIENT,
            Column("day", "day", required=True),
            Column("kind", "label", required=True),
            Column("text", "text", required=True),
            Column("exam_id", "id", refers="exams"),
            Column("available_day", "day"),
            Column("language", "label"),
        )
    ),
    "slides": TableSchema(
        (
            Column("slide_id", "id", required=True),
            _PATIENT,
            Column("path", "path"),
            Column("features", "path"),
            Column("mpp", "number"),
        )
    ),
}
"""Tables by name."""

GENES = ("expression", "copy_number", "mutation", "gene_sets")
"""Tables of a column a gene, and sets of genes: read as wholes (`gene_tables.py`)."""


def columns_of(name: str, manifest: Manifest) -> tuple[Column, ...]:
    """The columns of a table in this cohort: the schema's and, for patients, the declared ones."""
    columns = SCHEMA[name].columns
    if name != "patients":
        return columns
    # A site or cancer type that is declared as a covariate is held to its levels.
    ours = tuple(column for column in columns if column.name not in manifest.clinical)
    return ours + tuple(_clinical(name, item) for name, item in manifest.clinical.items())


def _clinical(name: str, covariate: Covariate) -> Column:
    numeric = covariate.kind == "numeric" or (covariate.kind == "binary" and not covariate.levels)
    return Column(name, "number" if numeric else "label", choices=covariate.levels)
