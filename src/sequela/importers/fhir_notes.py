"""FHIR resources → what a clinician would have written about each day, in sentences."""

from __future__ import annotations

import calendar
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date

from sequela.importers.fhir_bundle import Resource, items, text

_WHEN = {
    "Condition": ("onsetDateTime", "onsetPeriod.start", "recordedDate", "dateRecorded"),
    "Procedure": ("performedDateTime", "performedPeriod.start"),
    "MedicationOrder": (
        "dateWritten",
        "dosageInstruction.timing.repeat.boundsPeriod.start",
    ),
    "MedicationRequest": (
        "authoredOn",
        "dosageInstruction.timing.repeat.boundsPeriod.start",
    ),
    "MedicationDispense": ("whenHandedOver", "whenPrepared"),
    "MedicationAdministration": (
        "effectiveDateTime",
        "effectivePeriod.start",
        "effectiveTimeDateTime",
    ),
    "MedicationStatement": ("effectiveDateTime", "effectivePeriod.start"),
    "Observation": ("effectiveDateTime", "effectivePeriod.start", "issued"),
    "FamilyMemberHistory": ("date",),
}
"""Kinds that a note tells of, and where their day stands (DSTU 2 and R4)."""

_HEADING = {
    "Condition": "Diagnosed",
    "Procedure": "Procedures",
    "MedicationOrder": "Medication prescribed",
    "MedicationRequest": "Medication prescribed",
    "MedicationDispense": "Medication dispensed",
    "MedicationAdministration": "Medication given",
    "MedicationStatement": "Medication taken",
    "FamilyMemberHistory": "Family history",
}
_ORDER = (*dict.fromkeys(_HEADING.values()), "Observations", "Laboratory", "Vital signs")
_VOID = {"entered-in-error", "refuted", "cancelled", "not-done"}
_NAMED = ("text", "coding.display")
_LONGEST_WORDS = 60
_ABOUT_BREAST_CANCER = re.compile(
    r"(malignant|carcinoma|cancer|adenocarcinoma|paget).*\b(breast|mamm)"
    r"|\b(breast|mamm).*(malignant|carcinoma|cancer)",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Statement:
    """One thing said of a patient on a day, under a heading of the note."""

    day: date
    heading: str
    words: str


@dataclass(frozen=True)
class Told:
    """What a patient's resources say, and how many of each kind could not be placed in time."""

    statements: tuple[Statement, ...]
    undated: Mapping[str, int]
    unused: Mapping[str, int]


def told_by(resources: Iterable[Resource]) -> Told:
    """Everything dated that the resources say.

    Free text (narratives, documents, conclusions) is left out: it may name the patient.
    """
    statements: list[Statement] = []
    undated: defaultdict[str, int] = defaultdict(int)
    unused: defaultdict[str, int] = defaultdict(int)
    for resource in resources:
        kind = resource["resourceType"]
        if kind not in _WHEN:
            unused[kind] += 1
            continue
        words = [] if _void(resource) else list(_words(kind, resource))
        day = parsed_day(text(resource, *_WHEN[kind]))
        if day is None:
            undated[kind] += bool(words)
        else:
            heading = _HEADING.get(kind) or _observed(resource)
            statements += [Statement(day, heading, item) for item in words]
    return Told(tuple(dict.fromkeys(statements)), dict(undated), dict(unused))


def notes_by_day(statements: Iterable[Statement]) -> dict[date, str]:
    """One note a day, its headings always in the same order."""
    days: defaultdict[date, defaultdict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for item in statements:
        days[item.day][item.heading].append(item.words)
    return {
        day: " ".join(_sentence(name, said[name]) for name in _ORDER if name in said)
        for day, said in sorted(days.items())
    }


def _sentence(label: str, values: Iterable[str]) -> str:
    """`Label: value; value.`, each value once and in order; nothing where there is none."""
    said = "; ".join(dict.fromkeys(value.strip().rstrip(".") for value in values if value.strip()))
    return f"{label}: {said}." if said else ""


def first_diagnosis(statements: Iterable[Statement], *, of_breast_cancer: bool) -> date | None:
    """The day of the first diagnosis, of any or of breast cancer (in situ or invasive)."""
    diagnosed = (item for item in statements if item.heading == "Diagnosed")
    days = (
        item.day
        for item in diagnosed
        if not of_breast_cancer or _ABOUT_BREAST_CANCER.search(item.words)
    )
    return min(days, default=None)


def parsed_day(text: str) -> date | None:
    """The day of a FHIR date; of a month or year its last day, so that nothing is known early."""
    match = re.match(r"(\d{4})(?:-(\d\d)(?:-(\d\d))?)?(?:T|$)", text)
    if match is None:
        return None
    year, month, day = (int(part) if part else None for part in match.groups())
    if year is None:
        return None
    month = month or 12
    try:
        return date(year, month, day or calendar.monthrange(year, month)[1])
    except (ValueError, calendar.IllegalMonthError):
        return None


def _void(resource: Resource) -> bool:
    states = (
        text(resource, path, f"{path}.coding.code") for path in ("status", "verificationStatus")
    )
    return any(state in _VOID for state in states)


def _words(kind: str, resource: Resource) -> Iterator[str]:
    if kind == "Observation":
        yield from _measured(resource)
    elif kind == "FamilyMemberHistory":
        who = text(resource, *(f"relationship.{name}" for name in _NAMED))
        for condition in items(resource, "condition"):
            yield f"{who} {_name(condition, 'code')}".strip()
    elif kind.startswith("Medication"):
        yield _name(resource, "medicationCodeableConcept") or _name(resource, "medicationReference")
    else:
        yield _name(resource, "code")


def _name(element: Resource, field: str) -> str:
    return text(element, *(f"{field}.{name}" for name in _NAMED), f"{field}.display")


def _observed(resource: Resource) -> str:
    category = text(resource, "category.coding.code", "category.text").lower()
    if category == "laboratory":
        return "Laboratory"
    return "Vital signs" if category in ("vital-signs", "vital signs") else "Observations"


def _measured(resource: Resource) -> Iterator[str]:
    """The observation's value, or the values of its components, with its name."""
    for part in [resource, *items(resource, "component")]:
        value = _value(part)
        if value:
            yield f"{_name(part, 'code').replace('_', ' ')} {value}{_against(part)}".strip()


def _value(part: Resource) -> str:
    number = text(part, "valueQuantity.value")
    if number:
        return f"{_short(number)} {text(part, 'valueQuantity.unit')}".strip()
    words = text(part, *(f"valueCodeableConcept.{name}" for name in _NAMED), "valueString")
    return words if len(words) <= _LONGEST_WORDS else ""


def _short(number: str) -> str:
    try:
        return f"{float(number):.4g}"
    except ValueError:
        return ""


def _against(part: Resource) -> str:
    """Whether a number lies outside its reference range."""
    try:
        value = float(text(part, "valueQuantity.value"))
        low = float(text(part, "referenceRange.low.value") or "-inf")
        high = float(text(part, "referenceRange.high.value") or "inf")
    except ValueError:
        return ""
    return " (low)" if value < low else " (high)" if value > high else ""
