"""One patient under two ids: the same image, nearly the same, or the same life."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from itertools import combinations
from pathlib import Path

from sequela.audit.findings import finding, in_lines, softened
from sequela.audit.image_hashes import PreparedImages, same_files
from sequela.cohort.cohort import Cohort
from sequela.cohort.findings import Finding
from sequela.cohort.split_files import read_table
from sequela.cohort.table_files import ROW
from sequela.cohort.tables import Table

Pair = frozenset[str]

_LEAK, _DOUBT = 0.001, 0.05
"""The chance of as many equal lives among strangers below which they are a leak, or a doubt."""

_LASTING = ("birth_year", "year_of_birth", "age", "age_at_diagnosis", "sex", "gender")
"""Covariates that one person keeps, whoever writes them down."""

_MANY = 200.0
"""Mean from which a Poisson variable is as good as normal."""


def image_findings(cohort: Cohort, images: Table, work: Path | None) -> Iterator[Finding]:
    """Images that two patients share: byte for byte, pixel for pixel, or nearly."""
    whose = {
        image.image_id: patient.patient_id
        for patient in cohort.patients
        for exam in patient.exams
        for image in exam.images
    }
    lines = dict(images.typed.select("image_id", ROW).iter_rows())
    groups = same_files(cohort.image_paths)
    near: set[Pair] = set()
    prepared = PreparedImages.open(work / "prepared") if work else None
    if prepared is not None:
        groups += prepared.same_pixels()
        near = {frozenset(pair) for pair in prepared.near_pairs()}
    same = {frozenset(pair) for group in groups for pair in combinations(group, 2)}
    for code, pairs in (("A021", same), ("A022", near - same)):
        known = [pair for pair in pairs if pair <= whose.keys()]
        found = [pair for pair in known if len({whose[image] for image in pair}) > 1]
        if found:
            rows = sorted({lines[image] for pair in found for image in pair})
            patients = {frozenset(whose[image] for image in pair) for pair in found}
            yield finding(
                code,
                images.file,
                rows[0],
                "path",
                where=in_lines(rows),
                pairs=len(patients),
                apart=_apart(patients, work),
            )


def life_findings(cohort: Cohort, patients: Table, work: Path | None) -> Iterator[Finding]:
    """Patients who share what describes them, and outcomes, more often than chance has it.

    Asked first of all covariates and the site; then of year of birth or age, sex and site alone,
    which one person keeps where other columns were filled in differently.
    """
    found = (_alike(cohort, patients, told, work) for told in _descriptions(cohort))
    yield from sorted((item for item in found if item), key=lambda item: item.severity)[:1]


def _alike(
    cohort: Cohort, patients: Table, described: Mapping[str, tuple[object, ...]], work: Path | None
) -> Finding | None:
    """What the pairs of equal description and outcomes amount to, None where chance makes them."""
    ended = _ends(cohort)
    told = {name: values for name, values in described.items() if name in ended}
    count, expected = 0, 0.0
    groups: list[list[str]] = []
    # Within a site, where last contacts fall on the same days more often than elsewhere.
    for site in _grouped({name: cohort.patient(name).site for name in told}):
        both = _grouped({name: (told[name], ended[name]) for name in site})
        groups += both
        count += _pairs_in(both)
        told_alike = _pairs_in(_grouped({name: told[name] for name in site}))
        ended_alike = _pairs_in(_grouped({name: ended[name] for name in site}))
        expected += told_alike * ended_alike / max(_pairs_in([site]), 1)
    by_chance = at_least(count, expected)
    if by_chance >= _DOUBT:
        return None
    found = {frozenset(pair) for group in groups for pair in combinations(group, 2)}
    lines = dict(patients.typed.select("patient_id", ROW).iter_rows())
    rows = sorted({lines[patient] for pair in found for patient in pair})
    item = finding(
        "A023",
        patients.file,
        rows[0],
        where=in_lines(rows),
        pairs=count,
        expected=f"{expected:.2g}",
        apart=_apart(found, work),
    )
    return item if by_chance < _LEAK else softened(item)


def at_least(count: int, expected: float) -> float:
    """The chance that a Poisson variable of mean `expected` is `count` or more."""
    if not count:
        return 1.0
    if expected > _MANY:
        return math.erfc((count - 0.5 - expected) / math.sqrt(2 * expected)) / 2
    term = below = math.exp(-expected)
    for number in range(1, count):
        term *= expected / number
        below += term
    return max(0.0, 1 - below)


def _descriptions(cohort: Cohort) -> Iterator[dict[str, tuple[object, ...]]]:
    """Site and covariates of each patient, where at least two are known: all, then who it is."""
    declared = cohort.covariates.columns[1:]
    lasting = [name for name in declared if name.lower() in _LASTING]
    for chosen in [declared] if lasting == declared else [declared, lasting]:
        rows = cohort.covariates.select("patient_id", *chosen).iter_rows()
        covariates = {row[0]: tuple(_whole(value) for value in row[1:]) for row in rows}
        told = {
            patient.patient_id: (patient.site or None, *covariates[patient.patient_id])
            for patient in cohort.patients
        }
        yield {
            name: values
            for name, values in told.items()
            if sum(value is not None for value in values) > 1
        }


def _whole(value: object) -> object:
    """Ages that were rounded in one place and not in the other are one age."""
    return math.floor(value) if isinstance(value, float) and math.isfinite(value) else value


def _ends(cohort: Cohort) -> dict[str, tuple[object, ...]]:
    """Time and event of every endpoint of each patient."""
    ends: dict[str, list[object]] = defaultdict(list)
    for row in cohort.outcomes.sort("patient_id", "endpoint").iter_rows():
        ends[row[0]].append(row[1:4])
    return {patient: tuple(rows) for patient, rows in ends.items()}


def _grouped(values: Mapping[str, object]) -> list[list[str]]:
    """Patients by value."""
    groups: dict[object, list[str]] = defaultdict(list)
    for patient, value in values.items():
        groups[value].append(patient)
    return list(groups.values())


def _pairs_in(groups: Collection[Collection[str]]) -> int:
    """How many pairs there are within the groups."""
    return sum(len(group) * (len(group) - 1) // 2 for group in groups)


def _apart(patients: Collection[Pair], work: Path | None) -> str:
    """How many of the pairs the split has put into two parts of a fold, in words.

    Raises:
        LeakageError: If the split has one patient in two parts of a fold.
    """
    if work is None or not (work / "splits.csv").is_file():
        return "no split is drawn yet"
    parts: dict[str, set[object]] = defaultdict(set)
    for *place, patient, part in (
        read_table(work / "splits.csv").select("repeat", "fold", "patient_id", "split").iter_rows()
    ):
        parts[patient].add((*place, part))
    divided = sum(len({frozenset(parts[patient]) for patient in pair}) > 1 for pair in patients)
    return f"{divided} of them in two parts of a split"
