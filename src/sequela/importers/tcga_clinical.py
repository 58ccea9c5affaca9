"""TCGA's clinical tables, the curated one (TCGA-CDR) and the GDC's → patients and outcomes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from sequela.importers.barcodes import barcode_in

MEANINGS: Mapping[str, str] = {
    "os": "death from any cause",
    "dss": "death with or from this cancer",
    "dfi": "new tumour after having been free of disease",
    "pfi": "progression, new tumour, or death with this cancer",
}
"""What the endpoints of TCGA-CDR count as the event (Liu et al., Cell 2018)."""

_ABSENT = ("", "'--", "--", "NA", "#N/A", "N/A", "nan", "Not Reported", "not reported", "Unknown")
_COVARIATES = {
    "age": ("age_at_initial_pathologic_diagnosis", "age_at_index"),
    "sex": ("gender", "sex_at_birth"),
    "race": ("race",),
    "stage": ("ajcc_pathologic_tumor_stage", "ajcc_pathologic_stage", "figo_stage"),
    "clinical_stage": ("clinical_stage",),
    "grade": ("histological_grade", "tumor_grade"),
    "histology": ("histological_type", "primary_diagnosis"),
}


@dataclass(frozen=True)
class Clinical:
    """What a clinical table says.

    Attributes:
        patients: patient_id, site, cancer_type and the covariates it has, a row a patient.
        outcomes: patient_id, endpoint, time in days, event.
        unfollowed: Patient-endpoint pairs without an event code or a time above zero, which are
            left out of the outcomes.
    """

    patients: pl.DataFrame
    outcomes: pl.DataFrame
    unfollowed: int


def is_curated(columns: list[str]) -> bool:
    """Whether a table is TCGA-CDR, by its columns."""
    return {"bcr_patient_barcode", "OS", "OS.time"} <= set(columns)


def is_clinical(columns: list[str]) -> bool:
    """Whether a table is the GDC's `clinical.tsv`, of whichever release."""
    names = {_short(column) for column in columns}
    return "vital_status" in names and bool({"submitter_id", "case_submitter_id"} & names)


def curated(table: pl.DataFrame, cancer: str = "") -> Clinical:
    """Patients and the four endpoints of TCGA-CDR.

    Args:
        table: The sheet TCGA-CDR, every cell as text.
        cancer: A cancer type to keep, as KIRC; all without it.
    """
    table = _known(table).rename({"bcr_patient_barcode": "barcode", "type": "cancer_type"})
    patients = _patients(table, cancer)
    kept = table.join(patients.select("patient_id"), left_on="barcode", right_on="patient_id")
    outcomes = [
        kept.select(
            pl.col("barcode").alias("patient_id"),
            pl.lit(name).alias("endpoint"),
            pl.col(f"{name.upper()}.time").cast(pl.Float64, strict=False).alias("time"),
            pl.col(name.upper()).cast(pl.Float64, strict=False).cast(pl.Int64).alias("event"),
        )
        for name in MEANINGS
        if {name.upper(), f"{name.upper()}.time"} <= set(kept.columns)
    ]
    return _followed(patients, pl.concat(outcomes))


def clinical(table: pl.DataFrame, cancer: str = "") -> Clinical:
    """Patients and overall survival of the GDC's clinical table.

    Args:
        table: `clinical.tsv`, every cell as text; its rows are treatments and diagnoses.
        cancer: A cancer type to keep; all without it.
    """
    table = _shortened(_known(table))
    barcode = next(name for name in ("case_submitter_id", "submitter_id") if name in table.columns)
    project = (
        pl.col("project_id").str.replace("^TCGA-", "") if "project_id" in table.columns else None
    )
    table = table.with_columns(
        pl.col(barcode).alias("barcode"),
        (project if project is not None else pl.lit(None, pl.String)).alias("cancer_type"),
    )
    patients = _patients(table, cancer)
    columns = ("vital_status", "days_to_death", "days_to_last_follow_up")
    table = table.with_columns(
        pl.lit(None, pl.String).alias(name) for name in columns if name not in table.columns
    )
    dead = pl.col("vital_status").str.to_lowercase() == "dead"
    days = [pl.col(name).cast(pl.Float64, strict=False) for name in columns[1:]]
    outcomes = (
        table.join(patients.select("patient_id"), left_on="barcode", right_on="patient_id")
        .group_by(pl.col("barcode").alias("patient_id"), maintain_order=True)
        .agg(dead.any().alias("dead"), days[0].max(), days[1].max())
        .select(
            "patient_id",
            pl.lit("os").alias("endpoint"),
            pl.when("dead").then(columns[1]).otherwise(columns[2]).alias("time"),
            pl.col("dead").cast(pl.Int64).alias("event"),
        )
    )
    return _followed(patients, outcomes)


def _patients(table: pl.DataFrame, cancer: str) -> pl.DataFrame:
    """A row a patient: the first value that any of the patient's rows has."""
    covariates = [
        pl.coalesce(present).alias(name)
        for name, theirs in _COVARIATES.items()
        if (present := [column for column in theirs if column in table.columns])
    ]
    barcodes = [barcode_in(text or "") for text in table["barcode"]]
    told = table.with_columns(
        pl.Series("patient_id", [each.patient if each else None for each in barcodes], pl.String),
        pl.Series("site", [each.site if each else None for each in barcodes], pl.String),
    ).filter(pl.col("patient_id").is_not_null())
    if cancer:
        told = told.filter(pl.col("cancer_type") == cancer.upper())
    return (
        told.select("patient_id", "site", "cancer_type", *covariates)
        .group_by("patient_id", maintain_order=True)
        .agg(pl.all().drop_nulls().first())
        .sort("patient_id")
    )


def _followed(patients: pl.DataFrame, outcomes: pl.DataFrame) -> Clinical:
    usable = ((pl.col("time") > 0) & pl.col("event").is_in([0, 1])).fill_null(value=False)
    followed = outcomes.filter(usable).sort("endpoint", "patient_id")
    return Clinical(patients, followed, len(outcomes) - len(followed))


def _known(table: pl.DataFrame) -> pl.DataFrame:
    """The cells, null where the table says in one of its ways that it does not know."""
    cell = pl.all().str.strip_chars()
    return table.with_columns(cell).with_columns(
        pl.when(~(pl.all().is_in(_ABSENT) | pl.all().str.contains(r"^\[.*\]$"))).then(pl.all())
    )


def _short(column: str) -> str:
    """`demographic.vital_status` → `vital_status`, as older releases call it."""
    return column.rpartition(".")[2]


def _shortened(table: pl.DataFrame) -> pl.DataFrame:
    """The columns under their short names, the first one where two would be called alike."""
    first: dict[str, str] = {}
    for column in table.columns:
        first.setdefault(_short(column), column)
    # `submitter_id` is the patient's under `cases`, a sample's elsewhere.
    if "cases.submitter_id" in table.columns:
        first["submitter_id"] = "cases.submitter_id"
    return table.select(pl.col(column).alias(short) for short, column in first.items())
