"""One wide survival table, as registries and R packages have it → a clinical cohort."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import polars as pl
import yaml
from pydantic import ConfigDict, Field

from sequela.cohort.findings import errors
from sequela.cohort.manifest import FILE_NAME, Covariate, Endpoint, Manifest, TableSource
from sequela.cohort.table_files import ROW, read_rows, write_table
from sequela.cohort.tables import MISSING, mapped_table
from sequela.errors import DataError, UsageError
from sequela.importers.import_report import ImportFinding, ImportReport, keys_told
from sequela.importers.pseudonyms import default_key_file, open_pseudonyms, write_links
from sequela.importers.unfinished import Filling
from sequela.settings import Settings, read_settings
from sequela.storage import write_text

_FILES = (FILE_NAME, "patients.csv", "outcomes.csv")


class EventColumns(Settings):
    """Two columns that say whether and when one thing happened.

    Attributes:
        time: Column of the time to the event or to the last contact.
        event: Column that says whether it happened.
        happened: Its values where it did.
        censored: Its values where it did not.
        cause: The number of the cause in the endpoint.
    """

    model_config = ConfigDict(coerce_numbers_to_str=True)

    time: str
    event: str
    happened: tuple[str, ...] = ("1",)
    censored: tuple[str, ...] = ("0",)
    cause: int = 1


class TableEndpoint(Settings):
    """An endpoint put together from columns: the first thing that happened counts.

    Attributes:
        causes: Names by number.
        cause: The one that is predicted.
        events: Where each thing is; two of one cause make a composite, as in disease-free
            survival. Where nothing happened, the patient is censored at the earliest last contact.
    """

    causes: dict[int, str] = Field(default_factory=lambda: {1: "event"})
    cause: int = 1
    events: tuple[EventColumns, ...] = Field(min_length=1)


class TableMapping(Settings):
    """What the columns of a survival table mean.

    Attributes:
        patient_id: Column of the patient's id.
        endpoints: Outcomes by name.
        clinical: Covariates, as in a manifest.
        columns: Our covariate's name to the table's column, where they differ.
        values: Our covariate's name to {their value: our value}.
        cuts: Numeric columns made into ordered levels: upper ends of all levels but the last.
    """

    name: str
    description: str = ""
    licence: str = "unstated"
    time_unit: Literal["days", "weeks", "months", "years"] = "days"
    patient_id: str = "patient_id"
    endpoints: dict[str, TableEndpoint]
    clinical: dict[str, Covariate] = Field(default_factory=dict)
    columns: dict[str, str] = Field(default_factory=dict)
    values: dict[str, dict[str, str | int | float | None]] = Field(default_factory=dict)
    cuts: dict[str, tuple[float, ...]] = Field(default_factory=dict)

    def manifest(self) -> Manifest:
        """The manifest of the cohort that the table becomes."""
        return Manifest(
            name=self.name,
            description=self.description,
            licence=self.licence,
            time_unit=self.time_unit,
            endpoints={
                name: Endpoint(causes=item.causes, cause=item.cause)
                for name, item in self.endpoints.items()
            },
            clinical=self.clinical,
            tables={name: TableSource(file=f"{name}.csv") for name in ("patients", "outcomes")},
        )

    def source(self, file: str) -> TableSource:
        """How the patients table is found in the file."""
        columns = {"patient_id": self.patient_id, **self.columns}
        return TableSource(file=file, columns=columns, values=self.values)


def import_table(
    source: Path, out: Path, mapping: Path, *, key: Path | None = None, keep_ids: bool = False
) -> ImportReport:
    """Write a cohort folder from one table with a row a patient.

    A patient without the time or event of an endpoint has no outcome of it, and is a row of
    `import-report.csv`.

    Args:
        source: CSV, TSV or Parquet.
        out: The cohort folder.
        mapping: YAML with the entries of `TableMapping`.
        key: Key of the pseudonyms, outside `out`; made if absent. Default: beside `out`.
        keep_ids: Whether ids are pseudonyms already, and stay.

    Raises:
        UsageError: If the mapping cannot be used, `out` has such files, or the key lies in it.
        DataError: If the table cannot be read, lacks a column, or holds an unknown event code.
    """
    filling = Filling(out, "import table", (source, mapping))
    filling.require_new(_FILES)
    meaning = read_settings(TableMapping, mapping)
    frame = _read(source, meaning)
    patients = _patients(frame, source.name, meaning)
    outcomes, findings = _outcomes(frame, source.name, meaning)
    key = key or default_key_file(out)
    links = {} if keep_ids else _links(patients, key, out)
    manifest = meaning.manifest().model_dump(mode="json", exclude_defaults=True)
    counts = {"patients": len(patients), "outcomes": len(outcomes)}
    report = ImportReport(counts, tuple(findings), () if keep_ids else (keys_told(key),))
    with filling.marked():
        write_table(_renamed(patients, links), out / "patients.csv")
        write_table(_renamed(outcomes, links), out / "outcomes.csv")
        write_text(out / FILE_NAME, yaml.safe_dump(manifest, sort_keys=False, allow_unicode=True))
        report.write(out)
    return report


def _links(patients: pl.DataFrame, key: Path, out: Path) -> dict[str, str]:
    """The pseudonym of each patient, which is also written beside the key."""
    pseudonyms = open_pseudonyms(key, out)
    ids = patients["patient_id"].drop_nulls()
    links = {name: pseudonyms.name("patient", name.strip()) for name in ids}
    write_links(key.with_name(f"{key.stem}-links.csv"), links)
    return links


def _renamed(table: pl.DataFrame, links: Mapping[str, str]) -> pl.DataFrame:
    return table.with_columns(pl.col("patient_id").replace(dict(links)))


def _read(source: Path, meaning: TableMapping) -> pl.DataFrame:
    if not source.is_file():
        raise UsageError(f"there is no file {source.name}", hint="give a CSV, TSV or Parquet file")
    frame, findings = read_rows(source.parent, "patients", meaning.source(source.name))
    if frame is None:
        items = tuple(str(item) for item in findings)
        raise DataError(f"{source.name} cannot be read", items=items)
    needed = {column for item in meaning.endpoints.values() for column in _columns(item)}
    missing = sorted(needed - set(frame.columns))
    if missing:
        raise DataError(
            f"{source.name} lacks the column(s) {', '.join(missing)} that the mapping names",
            hint="correct endpoints in the mapping",
        )
    return frame.with_columns(_cut(meaning, name, cuts) for name, cuts in meaning.cuts.items())


def _columns(endpoint: TableEndpoint) -> list[str]:
    return [column for item in endpoint.events for column in (item.time, item.event)]


def _cut(meaning: TableMapping, name: str, cuts: tuple[float, ...]) -> pl.Expr:
    """The level of a number; a number on a cut belongs to the lower level."""
    column = meaning.columns.get(name, name)
    levels = meaning.clinical[name].levels if name in meaning.clinical else ()
    if len(levels) != len(cuts) + 1:
        raise UsageError(
            f"cuts.{name} makes {len(cuts) + 1} levels, clinical.{name} names {len(levels)}",
            hint="name one level more than there are cuts",
        )
    number = pl.col(column).str.strip_chars().cast(pl.Float64, strict=False)
    level = pl.lit(levels[-1])
    for end, name_of in reversed(list(zip(cuts, levels, strict=False))):
        level = pl.when(number <= end).then(pl.lit(name_of)).otherwise(level)
    return pl.when(number.is_not_null()).then(level).alias(column)


def _patients(frame: pl.DataFrame, file: str, meaning: TableMapping) -> pl.DataFrame:
    table, findings = mapped_table(frame, "patients", meaning.source(file), meaning.manifest())
    if faults := errors(findings):
        raise DataError(
            f"{file} does not hold what the mapping names",
            hint="correct columns and clinical in the mapping",
            items=tuple(str(fault) for fault in faults),
        )
    return table.raw.drop(ROW)


def _outcomes(
    frame: pl.DataFrame, file: str, meaning: TableMapping
) -> tuple[pl.DataFrame, list[ImportFinding]]:
    tables, findings = [], []
    for name, endpoint in meaning.endpoints.items():
        table = frame.select(
            ROW,
            pl.col(meaning.patient_id).alias("patient_id"),
            pl.lit(name).alias("endpoint"),
            _first(frame, file, endpoint).alias("first"),
        ).unnest("first")
        usable = (pl.col("time") > 0) & pl.col("event").is_not_null()
        left_out = table.filter(usable.not_().fill_null(value=True))
        findings += [
            ImportFinding(f"{file}:{row}", "noted", f"no time above zero, or no event, of {name}")
            for row in left_out[ROW]
        ]
        tables.append(table.filter(usable).drop(ROW))
    return pl.concat(tables), findings


def _first(frame: pl.DataFrame, file: str, endpoint: TableEndpoint) -> pl.Series:
    """Time and event of each patient: the first thing that happened, else the last contact."""
    times, happened = [], []
    for number, item in enumerate(endpoint.events):
        times.append(_number(frame[item.time]).alias(f"time {number}"))
        happened.append(_happened(frame, file, item).alias(f"happened {number}"))
    told = pl.DataFrame([*times, *happened])
    known = pl.all_horizontal(pl.all().is_not_null())
    at = [
        pl.when(pl.col(f"happened {number}")).then(pl.col(f"time {number}"))
        for number in range(len(times))
    ]
    first = pl.min_horizontal(*at)
    event = pl.coalesce(
        pl.when(at[number] == first).then(pl.lit(item.cause, dtype=pl.Int64))
        for number, item in enumerate(endpoint.events)
    ).fill_null(0)
    time = first.fill_null(pl.min_horizontal(*(series.name for series in times)))
    return told.select(
        pl.struct(
            pl.when(known).then(time).alias("time"), pl.when(known).then(event).alias("event")
        )
    ).to_series()


def _happened(frame: pl.DataFrame, file: str, item: EventColumns) -> pl.Series:
    cells = _known(frame[item.event]).str.replace(r"^(\d+)\.0+$", "$1")
    unknown = frame[ROW].filter(~cells.is_in([*item.happened, *item.censored]))
    if len(unknown):
        raise DataError(
            f"{file}, column {item.event}: {len(unknown)} value(s) are neither happened nor "
            "censored in the mapping",
            hint="name every value of the column in happened or censored",
            items=tuple(f"line {row}" for row in unknown),
        )
    return cells.is_in(item.happened)


def _number(cells: pl.Series) -> pl.Series:
    return _known(cells).cast(pl.Float64, strict=False)


def _known(cells: pl.Series) -> pl.Series:
    cells = cells.str.strip_chars()
    return cells.set(cells.is_in(MISSING), None)
