"""Take a patient out of a cohort and of all that was made of it, and look whether it worked."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from sequela.cohort.manifest import Manifest
from sequela.cohort.table_files import read_rows, separator_of
from sequela.errors import DataError
from sequela.parquet import parquet_metadata, read_parquet
from sequela.seal import SEAL, seal, unseal
from sequela.storage import atomic
from sequela.traces import traces

_LINKED = ("exam_id", "image_id", "text_id", "slide_id")
_FILES = ("path", "features")
_FINDING = ("images", "exams", "patients")
"""Tables from which the patient's other names are read: images by their exam, exams by patient."""
_KEPT = {"runs", "studies", "predictions.parquet"}
_KEPT_OF_A_STUDY = {"runs", "predictions.parquet"}
_SHORTEST = 6  # shorter names occur by chance


@dataclass(frozen=True)
class Purged:
    """What was taken away.

    Attributes:
        rows: How many rows of which table.
        files: Files of the patient that were deleted.
        remade: What was deleted since it was made of all patients: commands make it again.
        trained: Runs whose weights have seen the patient, and cannot forget.
        left: Files that still hold one of the patient's names, and how.
        short: Names of under six characters: they occur by chance, and were sought in columns of
            ids alone.
    """

    rows: dict[str, int]
    files: int
    remade: tuple[str, ...]
    trained: tuple[str, ...]
    left: tuple[str, ...]
    short: int = 0


def purge(cohort: Path, work: Path, patient: str) -> Purged:
    """Delete the rows and files of a patient, and whatever is made anew from all patients.

    Args:
        cohort: The cohort folder.
        work: The folder of what was made of it.
        patient: As the tables name the patient.

    Raises:
        DataError: If no table names the patient.
    """
    manifest = Manifest.load(cohort)
    ids, paths = _belongings(cohort, manifest, patient)
    sought = _Sought(ids, _columns(cohort, manifest))
    trained = tuple(sorted(_trained(work, patient)))
    # The tables by which all else is found come last, for whoever has to begin again.
    finding = [manifest.tables[name].file for name in _FINDING if name in manifest.tables]
    rows = _without(work, sought)
    remade = tuple(sorted(_clear(work)))
    for path in paths:
        (cohort / path).unlink(missing_ok=True)
        _leave(cohort / path, cohort)
    rows |= _without(cohort, sought, aside=(work, *(cohort / file for file in finding)))
    for file in finding:
        rows |= _without(cohort / file, sought, cohort)
    names = [patient, *sorted(set().union(*ids.values()) - {patient})]
    wanted = [name for name in names if len(name) >= _SHORTEST]
    left = [f"{name} ({how})" for name, how in traces(cohort, wanted)]
    if not work.resolve().is_relative_to(cohort.resolve()):
        left += [f"{name} ({how})" for name, how in traces(work, wanted)]
    return Purged(rows, len(paths), remade, trained, tuple(left), len(names) - len(wanted))


def _columns(cohort: Path, manifest: Manifest) -> dict[Path, dict[str, str]]:
    """Of each file of the manifest, our name of its columns by theirs."""
    columns: dict[Path, dict[str, str]] = {}
    for source in manifest.tables.values():
        ours = {theirs: column for column, theirs in source.columns.items()}
        columns.setdefault(cohort / source.file, {}).update(ours)
    return columns


def _belongings(
    cohort: Path, manifest: Manifest, patient: str
) -> tuple[dict[str, set[str]], list[str]]:
    """Every id of the patient by what it names, and the paths of the patient's files."""
    names: dict[str, set[str]] = {"patient_id": {patient}}
    paths: set[str] = set()
    for _ in range(2):  # images belong to exams, which belong to patients
        for name, source in manifest.tables.items():
            frame, _ = read_rows(cohort, name, source)
            if frame is None:
                continue
            mapped = {a: b for a, b in source.columns.items() if b in frame.columns}
            frame = frame.with_columns(pl.col(theirs).alias(a) for a, theirs in mapped.items())
            key = next((one for one in ("patient_id", "exam_id") if one in frame.columns), None)
            if key is None:
                continue
            rows = frame.filter(pl.col(key).is_in(list(names.get(key, ()))))
            for column in (*_LINKED, *_FILES):
                if column in rows.columns:
                    values = set(rows[column].drop_nulls())
                    (paths if column in _FILES else names.setdefault(column, set())).update(values)
            if name == "patients" and rows.is_empty():
                raise DataError(
                    "no patient of the cohort has this id",
                    hint="give the id as the table patients has it; importers make pseudonyms",
                )
    inside = [path for path in paths if (cohort / path).resolve().is_relative_to(cohort.resolve())]
    return names, sorted(inside)


def _leave(path: Path, home: Path) -> None:
    """Remove the folders that the file leaves empty: they may bear the patient's name."""
    for folder in path.parents:
        if folder == home or not folder.is_dir() or any(folder.iterdir()):
            return
        folder.rmdir()


@dataclass(frozen=True)
class _Sought:
    """What is taken out of tables.

    Attributes:
        ids: Of the patient, by the column that bears them: an exam may be called as another
            patient is.
        columns: Of each file of the manifest, our name of its columns by theirs.
    """

    ids: Mapping[str, set[str]]
    columns: Mapping[Path, Mapping[str, str]]

    def rows(self, path: Path, table: pl.DataFrame) -> pl.Expr:
        """Where an id stands in its own column, or a long one in any column of texts."""
        ours = self.columns.get(path, {})
        long = {name for names in self.ids.values() for name in names if len(name) >= _SHORTEST}
        found = [pl.lit(value=False)]
        for column, kind in table.schema.items():
            wanted = self.ids.get(ours.get(column, column), set())
            wanted = wanted | long if kind == pl.String else wanted
            if wanted and not kind.is_nested():
                found.append(pl.col(column).cast(pl.String).is_in(sorted(wanted)))
        return pl.any_horizontal(found).fill_null(value=False)


def _without(
    place: Path, sought: _Sought, home: Path | None = None, *, aside: tuple[Path, ...] = ()
) -> dict[str, int]:
    """Every table in a place written without the patient's rows.

    Args:
        place: A folder, or one table.
        sought: The patient's.
        home: From where tables are named in what is returned; the place itself if not given.
        aside: Folders and tables that are left as they are.
    """
    removed = {}
    for path in [place] if place.is_file() else sorted(place.rglob("*")):
        if any(path.is_relative_to(each) for each in aside) or not path.is_file():
            continue
        told = path in sought.columns or path.suffix in (".csv", ".tsv", ".parquet")
        if told and (count := _without_rows(path, sought)):
            removed[path.relative_to(home or place).as_posix()] = count
    return removed


def _without_rows(path: Path, sought: _Sought) -> int:
    separator = ","
    try:
        if path.suffix == ".parquet":
            table = read_parquet(path)
        else:
            data = path.read_bytes().removeprefix(b"\xef\xbb\xbf")
            separator = separator_of(data, path.suffix)
            table = pl.read_csv(data, infer_schema=False, separator=separator)
    except (DataError, UnicodeDecodeError, pl.exceptions.PolarsError):
        return 0
    kept = table.filter(~sought.rows(path, table))
    sealed = (path.parent / SEAL).exists()
    if len(kept) == len(table):
        if sealed:
            seal(path.parent)  # of a purge that was cut short after the table was written
        return 0
    if sealed:
        unseal(path.parent, path.name)
    _write(kept, path, separator)
    if sealed:
        seal(path.parent)
    return len(table) - len(kept)


def _write(table: pl.DataFrame, path: Path, separator: str) -> None:
    told = parquet_metadata(path) if path.suffix == ".parquet" else {}
    told = {key: value for key, value in told.items() if not key.startswith("ARROW")}
    with atomic(path) as temporary:
        if path.suffix == ".parquet":
            table.write_parquet(temporary, metadata=told or None)
        else:
            table.write_csv(temporary, separator=separator)


def _trained(work: Path, patient: str) -> Iterator[str]:
    """Runs of the folds in which the patient trained or chose the epoch."""
    if not (work / "splits.csv").is_file():
        return
    table = pl.read_csv(work / "splits.csv", infer_schema=False).filter(patient_id=patient)
    seen = table.filter(pl.col("split") != "test").select("repeat", "fold").rows()
    for path in work.rglob("runs/*/identity.json"):
        identity = json.loads(path.read_text(encoding="utf-8"))
        if (str(identity.get("repeat", 0)), str(identity.get("fold", 0))) in seen:
            yield path.parent.relative_to(work).as_posix()


def _clear(work: Path) -> Iterator[str]:
    """Delete what holds all patients together: pixels, pages, answers of models, the division.

    The division is drawn of all patients, so another cohort has another; its runs begin anew.
    """
    if not work.is_dir():
        return
    for folder, kept in [(work, _KEPT), *((s, _KEPT_OF_A_STUDY) for s in work.glob("studies/*"))]:
        for path in sorted(folder.iterdir()):
            if path.name in kept or path.name.startswith("."):
                continue
            shutil.rmtree(path) if path.is_dir() else path.unlink()
            yield path.relative_to(work).as_posix()
