"""Any folder of DICOM mammograms → patients, exams and images of a cohort."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

import polars as pl

from sequela.cohort.image_checks import within
from sequela.cohort.table_files import write_table
from sequela.errors import DataError, UsageError
from sequela.importers.dicom_header import Mammogram, NotTaken, read_header
from sequela.importers.dicom_transfer import HEADERS, Transfer, transferred
from sequela.importers.draft import draft_manifest
from sequela.importers.import_report import ImportFinding, ImportReport, files_beside, keys_told
from sequela.importers.index_dates import read_index_dates
from sequela.importers.pseudonyms import (
    Pseudonyms,
    default_key_file,
    open_pseudonyms,
    write_links,
)
from sequela.importers.unfinished import MARK, Filling
from sequela.progress import stage
from sequela.workers import Failure, Limits, available_cores, each

_TABLES = ("exams.csv", "images.csv")
_LIMITS = Limits(memory=2 << 30, seconds=20.0)


@dataclass(frozen=True)
class _Candidate:
    """A file that holds a standard mammogram, and the header that says so."""

    file: Path
    header: Mammogram

    @property
    def exam(self) -> tuple[str, date]:
        return self.header.patient, self.header.day

    @property
    def view(self) -> tuple[object, ...]:
        return *self.exam, self.header.side, self.header.view

    @property
    def worth(self) -> tuple[object, ...]:
        """Of the images of one view, the one with the highest worth is kept."""
        shot = self.header
        return (
            *(not shot.synthetic, not shot.displaced, not shot.partial),
            *(shot.pixels, shot.clock, shot.image),
        )


def import_dicom(
    source: Path,
    out: Path,
    *,
    key: Path | None = None,
    index_dates: Path | None = None,
    transfer: Transfer = "copy",
    workers: int | None = None,
) -> ImportReport:
    """Write the patients, exams and images of the mammograms found in `source` as tables.

    Only headers are read. An exam is what one patient had on one day. Of several images of the
    same view of an exam one is kept: full-field before synthetic, without before with implant
    displacement, whole before partial, more before fewer pixels, then the one taken last. Days
    are counted from the patient's index date, or else from the first exam; no date is written.
    Patients that another import has left in `patients.csv` are kept.

    Args:
        source: Searched to any depth; file names do not matter.
        out: The cohort folder. Files already inside it are referenced where they are.
        key: Key of the pseudonyms, outside `out`; made if absent. Default: beside `out`.
        index_dates: CSV with the columns patient_id (as in DICOM) and index_date.
        transfer: Whether files from elsewhere are copied, without what identifies the patient
            (PS3.15 Annex E), or linked as they are (from another disk the link is symbolic:
            `source` must stay, and `cohort.yaml` must say `links: anywhere`).
        workers: Processes that read headers; default, one a core.

    Raises:
        UsageError: If `source` is no folder, `out` has such tables, or the key lies in `out`.
        DataError: If the index dates or the key cannot be read, or nothing can be imported.
    """
    if not source.is_dir():
        raise UsageError(f"{source.name} is not a folder", hint="give the folder with the DICOM")
    key = key or default_key_file(out)
    filling = Filling(out, "import dicom", (source, key))
    filling.require_new(_TABLES)
    given = read_index_dates(index_dates) if index_dates else None
    pseudonyms = open_pseudonyms(key, out)
    headers = _read_headers(_files(source, out), workers or available_cores())
    index = given if given is not None else _first_exams(headers)
    kept, findings = _chosen(headers, index, source)
    files = {pseudonyms.name("image", shot.header.image): shot.file for shot in kept}
    paths, lost = transferred(files, out, pseudonyms, transfer, workers or available_cores())
    findings += [_finding(file, source, NotTaken("unreadable", why)) for file, why in lost.items()]
    report = ImportReport({}, tuple(sorted(findings, key=_by_file)))
    if not paths:
        report.write_unnamed(out, key, pseudonyms)
        raise DataError(
            f"none of the {len(headers)} files in {source.name} is a mammogram to import",
            hint=f"see import-report.csv for the reasons; {files_beside(key).name} names the files",
            items=tuple(f"{count} × {reason}" for reason, count in report.reasons().items()),
        )
    with filling.marked():
        counts = _write_cohort(kept, paths, out, pseudonyms, index)
        links = key.with_name(f"{key.stem}-links.csv")
        write_links(links, {shot.header.patient: _patient_id(pseudonyms, shot) for shot in kept})
        messages = (keys_told(key), HEADERS[transfer], *draft_manifest(out))
        report = replace(report, counts=counts, messages=messages)
        report.write_unnamed(out, key, pseudonyms)
    return report


def _files(source: Path, out: Path) -> list[Path]:
    """Every file under `source`, sorted; not those of a cohort folder that lies inside it.

    Links that lead out of the folder are not followed: whoever made it may not read for us.
    """
    inner = out.resolve() if out.resolve() != source.resolve() else None
    files, home = [], source.resolve()
    for folder, folders, names in os.walk(source):
        place = Path(folder)
        folders[:] = sorted(name for name in folders if (place / name).resolve() != inner)
        there = [place / name for name in sorted(names) if name != MARK]
        found = [file for file in there if file.is_file()]
        files += [file for file in found if within(file, home)]
    return files


def _read_headers(files: Sequence[Path], workers: int) -> dict[Path, Mammogram | NotTaken]:
    headers: dict[int, Mammogram | NotTaken] = {}
    tasks = [(file,) for file in files]
    with stage("Reading DICOM headers", len(files)) as advance:
        for done in each(read_header, tasks, workers=workers, limits=_LIMITS):
            value = done.value
            headers[done.index] = (
                NotTaken("unreadable", value.reason) if isinstance(value, Failure) else value
            )
            advance(1)
    return {file: headers[index] for index, file in enumerate(files)}


def _first_exams(headers: Mapping[Path, Mammogram | NotTaken]) -> dict[str, date]:
    first: dict[str, date] = {}
    for header in headers.values():
        if isinstance(header, Mammogram):
            first[header.patient] = min(header.day, first.get(header.patient, date.max))
    return first


def _chosen(
    headers: Mapping[Path, Mammogram | NotTaken], index: Mapping[str, date], source: Path
) -> tuple[list[_Candidate], list[ImportFinding]]:
    """The images to import, at most one a view of an exam, and a finding for every other file."""
    best: dict[tuple[object, ...], _Candidate] = {}
    findings: list[ImportFinding] = []

    def tell(file: Path, verdict: NotTaken) -> None:
        findings.append(_finding(file, source, verdict))

    for file, header in headers.items():
        if isinstance(header, NotTaken):
            tell(file, header)
        elif header.patient not in index:
            tell(file, NotTaken("refused", "its patient has no index date in the file given"))
        else:
            shot = _Candidate(file, header)
            rival = best.setdefault(shot.view, shot)
            if rival is not shot:
                better, worse = (shot, rival) if shot.worth > rival.worth else (rival, shot)
                best[shot.view] = better
                tell(worse.file, NotTaken("set aside", _why_worse(better, worse)))
    for shot in best.values():
        for remark in shot.header.remarks:
            findings.append(ImportFinding(_name(shot.file, source), "noted", remark))
    return list(best.values()), findings


def _why_worse(better: _Candidate, worse: _Candidate) -> str:
    if better.header.image == worse.header.image:
        return "is a second copy of an image that was imported"
    return "is one of several images of this view; another was kept"


def _finding(file: Path, source: Path, verdict: NotTaken) -> ImportFinding:
    return ImportFinding(_name(file, source), verdict.status, verdict.reason)


def _by_file(finding: ImportFinding) -> tuple[str, str]:
    return finding.file, finding.reason


def _name(file: Path, source: Path) -> str:
    relative = str(file.relative_to(source))
    return relative.encode("utf-8", "backslashreplace").decode()


def _patient_id(pseudonyms: Pseudonyms, shot: _Candidate) -> str:
    return pseudonyms.name("patient", shot.header.patient)


def _write_cohort(
    kept: Sequence[_Candidate],
    paths: Mapping[str, str],
    out: Path,
    pseudonyms: Pseudonyms,
    index: Mapping[str, date],
) -> dict[str, int]:
    """The tables of those images that have a path inside the cohort, by their ids."""
    images = [(shot, pseudonyms.name("image", shot.header.image)) for shot in kept]
    exams: dict[str, tuple[str, str, int, str, str]] = {}
    rows = []
    for shot, image_id in images:
        if image_id not in paths:
            continue
        header, patient_id = shot.header, _patient_id(pseudonyms, shot)
        exam_id = pseudonyms.name("exam", header.patient, header.day.isoformat())
        day = (header.day - index[header.patient]).days
        exams.setdefault(exam_id, (exam_id, patient_id, day, "MG", header.vendor))
        rows.append((image_id, exam_id, header.side, header.view, paths[image_id]))
    patients = sorted({exam[1] for exam in exams.values()})
    write_table(_with_patients(out / "patients.csv", patients), out / "patients.csv")
    exam_columns = ("exam_id", "patient_id", "day", "modality", "vendor")
    by_day = sorted(exams.values(), key=lambda exam: (exam[1], exam[2]))
    _write(out / "exams.csv", exam_columns, by_day)
    _write(out / "images.csv", ("image_id", "exam_id", "side", "view", "path"), sorted(rows))
    return {"patients": len(patients), "exams": len(exams), "images": len(rows)}


def _with_patients(path: Path, patients: Sequence[str]) -> pl.DataFrame:
    """The patients that another import left in the cohort, if any, and those found here."""
    found = pl.DataFrame({"patient_id": patients})
    if not path.exists():
        return found
    known = pl.read_csv(path, infer_schema=False)
    new = found.filter(~pl.col("patient_id").is_in(known["patient_id"].to_list()))
    return pl.concat([known, new], how="diagonal")


def _write(path: Path, columns: Sequence[str], rows: Sequence[tuple[object, ...]]) -> None:
    write_table(pl.DataFrame(rows, schema=list(columns), orient="row"), path)
