"""The day from which each patient's time counts, kept outside the cohort folder."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from pathlib import Path

import polars as pl

from sequela.errors import DataError
from sequela.importers.dicom_header import parsed_date
from sequela.storage import write_text


def read_index_dates(path: Path) -> dict[str, date]:
    """The index date of each patient, by the identifier that the source uses.

    Args:
        path: CSV with the columns patient_id and index_date.

    Raises:
        DataError: If it is no such table, or a patient stands in it twice.
    """
    columns = {"patient_id", "index_date"}
    try:
        table = pl.read_csv(path, infer_schema=False)
    except (OSError, pl.exceptions.PolarsError):
        raise DataError(f"{path.name} cannot be read as CSV") from None
    if not columns <= set(table.columns):
        raise DataError(f"{path.name} needs the columns patient_id and index_date")
    days = [parsed_date(text or "") for text in table["index_date"]]
    bad = [f"row {row}" for row, day in enumerate(days, start=2) if day is None]
    if bad:
        raise DataError(
            f"{path.name}, column index_date: {len(bad)} row(s) hold no date",
            hint="write dates as 2024-01-31",
            items=tuple(bad),
        )
    patients = [str(patient or "").strip() for patient in table["patient_id"]]
    if len(set(patients)) < len(patients):
        raise DataError(f"{path.name} names a patient twice", hint="keep one index date each")
    return {patient: day for patient, day in zip(patients, days, strict=True) if day}


def write_index_dates(path: Path, dates: Mapping[str, date]) -> None:
    """Write what `read_index_dates` reads, readable by its owner alone.

    Args:
        path: A file outside the cohort folder.
        dates: Index date of each patient identifier.
    """
    rows = [(patient, day.isoformat()) for patient, day in sorted(dates.items())]
    table = pl.DataFrame(rows, schema=["patient_id", "index_date"], orient="row")
    write_text(path, table.write_csv())
