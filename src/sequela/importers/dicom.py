"""Any folder of DICOM mammograms → patients, exams and images of a cohort."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Literal

import polars as pl

from sequela.cohort.tables import write_table
from sequela.errors import DataError, UsageError
from sequela.importers.dicom_header import Mammogram, NotTaken, read_header
from sequela.importers.draft import draft_manifest
from sequela.importers.import_report import ImportFinding, ImportReport
from sequela.importers.index_dates import read_index_dates
from sequela.importers.pseudonyms import (
    Pseudonyms,
    default_key_file,
    open_pseudonyms,
    write_links,
)
from sequela.importers.unfinished import MARK, Filling
from sequela.progress import stage
from sequela.storage import atomic, make_folder, require_space
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
    transfer: Literal["copy", "link"] = "copy",
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
        transfer: Whether files from elsewhere are copied, or linked (from another disk the link
            is symbolic: `source` must stay, and `cohort.yaml` must say `links: anywhere`).
            Either way their headers keep what identifies the patient.
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
    report = ImportReport({}, tuple(sorted(findings, key=lambda f: (f.file, f.reason))))
    if not kept:
        report.write(out)
        raise DataError(
            f"none of the {len(headers)} files in {source.name} is a mammogram to import",
            hint="see import-report.csv, which has the reason for each file",
            items=tuple(f"{count} × {reason}" for reason, count in report.reasons().items()),
        )
    with filling.marked():
        counts = _write_cohort(kept, out, pseudonyms, index, transfer)
        links = key.with_name(f"{key.stem}-links.csv")
        write_links(links, {shot.header.patient: _patient_id(pseudonyms, shot) for shot in kept})
        messages = (
            f"pseudonyms: the key is in {key.name}, who is who in {links.name}, both outside the "
            "cohort folder; keep them safe and apart",
            "the DICOM files still hold what identifies the patients; the tables do not",
            *draft_manifest(out),
        )
        report = ImportReport(counts, report.findings, messages)
        report.write(out)
    return report


def _files(source: Path, out: Path) -> list[Path]:
    """Every file under `source`, sorted; not those of a cohort folder that lies inside it."""
    inner = out.resolve() if out.resolve() != source.resolve() else None
    files = []
    for folder, folders, names in os.walk(source):
        place = Path(folder)
        folders[:] = sorted(name for name in folders if (place / name).resolve() != inner)
        files += [
            place / name for name in sorted(names) if name != MARK and (place / name).is_file()
        ]
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
        findings.append(ImportFinding(_name(file, source), verdict.status, verdict.reason))

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


def _name(file: Path, source: Path) -> str:
    relative = str(file.relative_to(source))
    return relative.encode("utf-8", "backslashreplace").decode()


def _patient_id(pseudonyms: Pseudonyms, shot: _Candidate) -> str:
    return pseudonyms.name("patient", shot.header.patient)


def _write_cohort(
    kept: Sequence[_Candidate],
    out: Path,
    pseudonyms: Pseudonyms,
    index: Mapping[str, date],
    transfer: Literal["copy", "link"],
) -> dict[str, int]:
    images = _transferred(kept, out, pseudonyms, transfer)
    exams: dict[str, tuple[str, str, int, str, str]] = {}
    rows = []
    for shot, image_id, path in images:
        header, patient_id = shot.header, _patient_id(pseudonyms, shot)
        exam_id = pseudonyms.name("exam", header.patient, header.day.isoformat())
        day = (header.day - index[header.patient]).days
        exams.setdefault(exam_id, (exam_id, patient_id, day, "MG", header.vendor))
        rows.append((image_id, exam_id, header.side, header.view, path))
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


def _transferred(
    kept: Sequence[_Candidate],
    out: Path,
    pseudonyms: Pseudonyms,
    transfer: Literal["copy", "link"],
) -> Iterator[tuple[_Candidate, str, str]]:
    """Each image with its id and its path inside the cohort, where its file now is."""
    home = out.resolve()
    foreign = [shot for shot in kept if not shot.file.resolve().is_relative_to(home)]
    if transfer == "copy":
        make_folder(out)
        require_space(out, sum(shot.file.stat().st_size for shot in foreign))
    with stage("Taking the images in", len(kept)) as advance:
        for shot in kept:
            image_id = pseudonyms.name("image", shot.header.image)
            path = f"dicom/{image_id}.dcm"
            if shot.file.resolve().is_relative_to(home):
                path = shot.file.resolve().relative_to(home).as_posix()
            elif transfer == "copy":
                with atomic(out / path) as temporary:
                    shutil.copyfile(shot.file, temporary)
            else:
                _link(shot.file.resolve(), out / path)
            advance(1)
            yield shot, image_id, path


def _link(file: Path, path: Path) -> None:
    """A hard link, or where the file lies on another disk, a symbolic one."""
    make_folder(path.parent)
    path.unlink(missing_ok=True)
    try:
        path.hardlink_to(file)
    except OSError:
        path.symlink_to(file)


def _write(path: Path, columns: Sequence[str], rows: Sequence[tuple[object, ...]]) -> None:
    write_table(pl.DataFrame(rows, schema=list(columns), orient="row"), path)
