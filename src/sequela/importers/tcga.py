"""What a user downloads of TCGA → a cohort: patients, outcomes, reports, expression, slides."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Literal

import polars as pl
import yaml

from sequela.cohort.manifest import FILE_NAME
from sequela.cohort.table_files import write_table
from sequela.errors import DataError, UsageError
from sequela.importers import tcga_clinical
from sequela.importers.barcodes import Barcode
from sequela.importers.import_report import ImportFinding, ImportReport
from sequela.importers.tcga_clinical import MEANINGS, Clinical
from sequela.importers.tcga_expression import UNITS, Expression, from_matrix, from_star
from sequela.importers.tcga_files import (
    Found,
    FoundSample,
    FoundTable,
    SampleKind,
    TableKind,
    report_texts,
    sorted_files,
)
from sequela.storage import atomic, make_folder, write_text

_KINDS: Mapping[str, Literal["ordinal", "categorical", "numeric"]] = {
    "age": "numeric",
    "sex": "categorical",
    "race": "categorical",
    "stage": "ordinal",
    "clinical_stage": "ordinal",
    "grade": "ordinal",
    "histology": "categorical",
}
_OTHER = "of a patient whom the clinical table does not name"


def import_tcga(
    source: Path,
    out: Path,
    *,
    cancer: str = "",
    unit: str = "tpm_unstranded",
    transfer: Literal["link", "copy"] = "link",
) -> ImportReport:
    """Write the tables of a cohort from a folder of TCGA downloads.

    Taken are TCGA-CDR (xlsx or CSV) or the GDC's clinical table, STAR counts with the GDC's sample
    sheet or one expression matrix, reports as .txt or a table, and slides or their features.
    Times are in days; the site is that of the barcode; no year or date is taken.

    Args:
        source: The folder, searched to any depth.
        out: The cohort folder.
        cancer: A cancer type to keep, as KIRC; all without it.
        unit: Which column of STAR counts to take.
        transfer: Whether slides and features are linked to or copied.

    Raises:
        UsageError: If `out` is a cohort already, or `unit` is no such column.
        DataError: If there is no clinical table, or no patient is left.
    """
    if (out / FILE_NAME).exists():
        raise UsageError(f"{out.name} is a cohort already", hint="choose another folder")
    if unit not in UNITS:
        raise UsageError(
            f"STAR counts have no column {unit}", hint=f"take one of {', '.join(UNITS)}"
        )
    found, findings = sorted_files(source)
    clinical, said = _clinical(found, source, cancer)
    patients = set(clinical.patients["patient_id"])
    out = make_folder(out)
    ours = [
        each for each in found if isinstance(each, FoundTable) or each.barcode.patient in patients
    ]
    findings += said + _others(found, ours, source)
    expression, remarks = _expression(ours, source, unit, patients)
    findings += remarks
    texts = _texts(ours, patients)
    slides = _slides(ours, out, transfer)
    counts = _write(out, clinical, texts, slides, expression)
    left_out = f"{clinical.unfollowed} outcome(s) without a time above zero were left out"
    messages = (left_out,) if clinical.unfollowed else ()
    report = ImportReport(counts, tuple(sorted(findings, key=lambda each: each.file)), messages)
    report.write(out)
    # Last, for a folder with a manifest is a cohort, and no import goes on in one.
    _write_manifest(out, clinical, counts, expression, transfer)
    return report


def _tables(found: Iterable[Found], kind: TableKind) -> list[FoundTable]:
    return [each for each in found if isinstance(each, FoundTable) and each.kind == kind]


def _samples(found: Iterable[Found], *kinds: SampleKind) -> list[FoundSample]:
    return [each for each in found if isinstance(each, FoundSample) and each.kind in kinds]


def _clinical(
    found: list[Found], source: Path, cancer: str
) -> tuple[Clinical, list[ImportFinding]]:
    """The curated table if there is one, else the GDC's; the others are not taken."""
    tables = _tables(found, "curated") + _tables(found, "clinical")
    if not tables:
        raise DataError(
            f"{source.name} holds no clinical table that this import knows",
            hint="add TCGA-CDR-SupplementalTableS1.xlsx, or the GDC's clinical.tsv",
        )
    first, *rest = tables
    read = tcga_clinical.curated if first.kind == "curated" else tcga_clinical.clinical
    clinical = read(first.table, cancer)
    if clinical.patients.is_empty():
        raise DataError(
            f"{first.path.name} names no patient" + (f" with {cancer}" if cancer else ""),
            hint="check --cancer, as in KIRC",
        )
    return clinical, [
        _finding(each, source, "set aside", f"{first.path.name} was taken instead") for each in rest
    ]


def _others(found: list[Found], ours: list[Found], source: Path) -> list[ImportFinding]:
    kept = {each.path for each in ours}
    return [_finding(each, source, "set aside", _OTHER) for each in found if each.path not in kept]


def _finding(
    found: Found, source: Path, status: Literal["noted", "set aside"], reason: str
) -> ImportFinding:
    return ImportFinding(str(found.path.relative_to(source)), status, reason)


def _expression(
    ours: list[Found], source: Path, unit: str, patients: set[str]
) -> tuple[Expression | None, list[ImportFinding]]:
    """STAR counts if there are any, else the first matrix; other samples are set aside."""
    star, matrices = _samples(ours, "star"), _tables(ours, "matrix")
    instead = "the STAR counts were taken instead" if star else "another matrix was taken"
    rest = matrices if star else matrices[1:]
    findings = [_finding(each, source, "set aside", instead) for each in rest]
    if star:
        samples = {each.path: each.barcode for each in star}
        return from_star(samples, unit), findings + _unused(star, source)
    if not matrices:
        return None, findings
    made = from_matrix(matrices[0].table)
    kept = made.table.filter(pl.col("patient_id").is_in(list(patients)))
    return Expression(kept, made.unit, made.repeated), findings


def _unused(star: list[FoundSample], source: Path) -> list[ImportFinding]:
    """Samples that are not the first primary tumour of their patient."""
    taken: set[str] = set()
    findings = []
    for each in sorted(star, key=lambda one: (one.barcode.sample, one.path.name)):
        if not each.barcode.primary:
            findings.append(_finding(each, source, "set aside", "not of the primary tumour"))
        elif each.barcode.patient in taken:
            findings.append(_finding(each, source, "set aside", "a further sample of its patient"))
        taken.add(each.barcode.patient if each.barcode.primary else "")
    return findings


def _texts(ours: list[Found], patients: set[str]) -> pl.DataFrame:
    """The reports, of day 0: TCGA's are of the specimen that the diagnosis was made from."""
    told: list[tuple[Barcode, str]] = []
    for each in _samples(ours, "report"):
        told.append((each.barcode, each.path.read_text(encoding="utf-8", errors="replace")))
    for table in _tables(ours, "reports"):
        told += report_texts(table.table)
    rows: list[tuple[object, ...]] = []
    for barcode, text in told:
        if barcode.patient in patients and text.strip():
            number = sum(row[1] == barcode.patient for row in rows) + 1
            name = f"{barcode.patient}-report-{number}"
            rows.append((name, barcode.patient, 0, "pathology report", text, "en"))
    columns = ("text_id", "patient_id", "day", "kind", "text", "language")
    return pl.DataFrame(rows, schema=columns, orient="row")


def _slides(ours: list[Found], out: Path, transfer: Literal["link", "copy"]) -> pl.DataFrame:
    """A row a slide, with its picture, its features or both, which share the file's stem."""
    rows: dict[str, dict[str, str | None]] = {}
    for each in _samples(ours, "slide", "features"):
        name = each.path.name.removesuffix(each.path.suffix)
        row = rows.setdefault(name, {"patient_id": each.barcode.patient})
        column = "path" if each.kind == "slide" else "features"
        row[column] = str(_transferred(each.path, out, column, transfer))
    schema = dict.fromkeys(("slide_id", "patient_id", "path", "features"), pl.String)
    table = [{"slide_id": name, **row} for name, row in sorted(rows.items())]
    return pl.DataFrame(table, schema=schema)


def _transferred(path: Path, out: Path, column: str, transfer: Literal["link", "copy"]) -> Path:
    place = Path("slides" if column == "path" else "features") / path.name
    make_folder((out / place).parent)
    if transfer == "link":
        (out / place).symlink_to(path.resolve())
    else:
        with atomic(out / place) as temporary:
            shutil.copyfile(path, temporary)
    return place


def _write(
    out: Path,
    clinical: Clinical,
    texts: pl.DataFrame,
    slides: pl.DataFrame,
    expression: Expression | None,
) -> dict[str, int]:
    tables = {"patients": clinical.patients, "outcomes": clinical.outcomes}
    tables |= {name: each for name, each in (("texts", texts), ("slides", slides)) if len(each)}
    for name, table in tables.items():
        write_table(table, out / f"{name}.csv")
    counts = {name: len(table) for name, table in tables.items()}
    if expression is not None:
        with atomic(out / "expression.parquet") as temporary:
            expression.table.write_parquet(temporary)
        counts["expression"] = len(expression.table)
    return counts


def _write_manifest(
    out: Path,
    clinical: Clinical,
    counts: Mapping[str, int],
    expression: Expression | None,
    transfer: str,
) -> None:
    endpoints = clinical.outcomes["endpoint"].unique(maintain_order=True)
    files = {name: f"{name}.csv" for name in counts} | {"expression": "expression.parquet"}
    content: dict[str, object] = {
        "name": out.name,
        "description": _described(endpoints, expression),
        "licence": "TCGA open access; cite the TCGA Research Network and Liu et al., Cell 2018",
        "time_unit": "days",
        "links": "anywhere" if transfer == "link" and "slides" in counts else "inside",
        "endpoints": {name: {"causes": {1: MEANINGS[name]}} for name in endpoints},
        "clinical": dict(_covariates(clinical.patients)),
        "tables": {name: {"file": files[name]} for name in counts},
    }
    write_text(out / FILE_NAME, yaml.safe_dump(content, sort_keys=False, allow_unicode=True))


def _described(endpoints: Iterable[str], expression: Expression | None) -> str:
    parts = ["Days from the initial pathological diagnosis."]
    parts += [f"{name}: {MEANINGS[name]}." for name in endpoints]
    if expression is not None:
        parts.append(f"Expression: {expression.unit}, first primary tumour sample of a patient.")
    return " ".join(parts)


def _covariates(patients: pl.DataFrame) -> Iterator[tuple[str, dict[str, object]]]:
    for name, kind in _KINDS.items():
        if name not in patients.columns or patients[name].null_count() == len(patients):
            continue
        levels = sorted(patients[name].drop_nulls().unique())
        unit = {"unit": "years"} if name == "age" else {"levels": levels}
        yield name, {"kind": kind, **unit}
