"""Which exams and texts may be seen, from which day, and what became of the patient after it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import assert_never

import numpy as np
import polars as pl

from sequela.cohort.cohort import Cohort
from sequela.cohort.patient import Case, Exam, Image, Patient, Text
from sequela.cohort.protocol import ProtocolSettings
from sequela.cohort.table_files import write_table
from sequela.errors import DataError
from sequela.survival.followup import Followup

_REASONS = {"patient_id": pl.String, "exam_id": pl.String, "reason": pl.String}


@dataclass(frozen=True)
class Selection:
    """The cases of a cohort, what became of each, and who and what was left out.

    Attributes:
        cases: What a model may see, by patient and landmark.
        followup: Outcomes in the order of `cases`, in days from each case's landmark.
        exclusions: patient_id, exam_id (null where the patient as a whole is meant) and reason.
        protocol: The settings that made it.
    """

    cases: tuple[Case, ...]
    followup: Followup
    exclusions: pl.DataFrame
    protocol: ProtocolSettings

    def write_exclusions(self, path: Path) -> None:
        """Write `exclusions.csv`, whole or not at all."""
        write_table(self.exclusions, path)


@dataclass(frozen=True)
class Outcome:
    """One patient's outcome of the endpoint, in days from the index date."""

    time: float
    event: int
    entry: float


@dataclass(frozen=True)
class Exclusion:
    """An exam, or (without one) a whole patient, that is not used, and why."""

    patient_id: str
    exam_id: str | None
    reason: str


Chosen = tuple[list[Case], list[Exclusion]]


def select_cases(cohort: Cohort, protocol: ProtocolSettings) -> Selection:
    """The cases that a protocol makes of a cohort.

    In a cohort without outcomes nobody's end is known: every exam makes a case, and its time is
    infinite.

    Raises:
        DataError: If the manifest lacks the endpoint, or no case is left.
    """
    outcomes = _outcomes(cohort, protocol.endpoint)
    cases: list[Case] = []
    ends: list[Outcome] = []
    exclusions: list[Exclusion] = []
    for patient in cohort.patients:
        outcome = outcomes.get(patient.patient_id)
        if outcome is None:
            exclusions.append(_whole(patient, f"no outcome for endpoint {protocol.endpoint}"))
            continue
        patient, doubled = _one_image_a_view(patient)
        chosen, left_out = _cases_of(patient, outcome, protocol)
        cases += chosen
        ends += [outcome] * len(chosen)
        exclusions += doubled + left_out
    if not cases:
        raise _nothing_left(exclusions)
    return Selection(tuple(cases), _followup(cases, ends), _table(exclusions), protocol)


def _outcomes(cohort: Cohort, endpoint: str) -> dict[str, Outcome]:
    if not cohort.manifest.endpoints:
        return {patient.patient_id: Outcome(math.inf, 0, 0.0) for patient in cohort.patients}
    if endpoint not in cohort.manifest.endpoints:
        raise DataError(
            f"the cohort has no endpoint {endpoint}, it has "
            + ", ".join(sorted(cohort.manifest.endpoints)),
            hint="set protocol.endpoint to one of them",
        )
    rows = cohort.outcomes.filter(endpoint=endpoint)
    columns = ("patient_id", "time", "event", "entry")
    return {
        patient_id: Outcome(time, event, max(entry or 0.0, 0.0))
        for patient_id, time, event, entry in rows.select(columns).iter_rows()
    }


def _cases_of(patient: Patient, outcome: Outcome, protocol: ProtocolSettings) -> Chosen:
    match protocol.name:
        case "paper":
            return _last_exams(patient, outcome, protocol)
        case "landmark":
            return _landmarks(patient, outcome, protocol)
        case "cross-validation":
            return _index_date(patient, outcome, protocol)
        case _:
            assert_never(protocol.name)


def _last_exams(patient: Patient, outcome: Outcome, protocol: ProtocolSettings) -> Chosen:
    """The last exams before the outcome, walking back until each gap holds (LUMIN, Dataset)."""
    before = [exam for exam in patient.exams if exam.day < outcome.time]
    late = [
        Exclusion(patient.patient_id, exam.exam_id, "not before the event or last contact")
        for exam in patient.exams
        if exam.day >= outcome.time
    ]
    if not before:
        return [], [*late, _whole(patient, "no exam before the event or last contact")]
    seen = _walk_back(before, protocol)
    if len(seen) < protocol.exams:
        reason = (
            f"fewer than {protocol.exams} exams at least {protocol.minimum_gap:g} days apart "
            "before the event or last contact"
        )
        return [], [*late, _whole(patient, reason)]
    landmark = seen[-1].day
    if refused := _not_at_risk(landmark, outcome, protocol):
        return [], [*late, _whole(patient, refused)]
    return [_case(patient, landmark, seen)], [*late, *_not_seen(patient, before, seen, protocol)]


def _landmarks(patient: Patient, outcome: Outcome, protocol: ProtocolSettings) -> Chosen:
    """A case at each exam on which the patient was under observation and at risk."""
    cases, exclusions = [], []
    for index, exam in enumerate(patient.exams):
        seen = _walk_back(patient.exams[: index + 1], protocol)
        refused = _not_at_risk(exam.day, outcome, protocol)
        if not refused and protocol.require_pair and len(seen) < protocol.exams:
            refused = f"no earlier exam at least {protocol.minimum_gap:g} days before"
        if refused:
            exclusions.append(Exclusion(patient.patient_id, exam.exam_id, refused))
        else:
            cases.append(_case(patient, exam.day, seen))
    if not cases:
        why = "no exam at which the patient was at risk" if patient.exams else "no exam"
        exclusions.append(_whole(patient, why))
    return cases, exclusions


def _index_date(patient: Patient, outcome: Outcome, protocol: ProtocolSettings) -> Chosen:
    """One case on day 0, with whatever was known by then."""
    by_then = [exam for exam in patient.exams if exam.day <= 0]
    later = [
        Exclusion(patient.patient_id, exam.exam_id, "after the index date")
        for exam in patient.exams
        if exam.day > 0
    ]
    if refused := _not_at_risk(0.0, replace(outcome, entry=0.0), protocol):
        return [], [*later, _whole(patient, refused)]
    seen = _walk_back(by_then, protocol)
    return [_case(patient, 0.0, seen)], [*later, *_not_seen(patient, by_then, seen, protocol)]


def _not_at_risk(landmark: float, outcome: Outcome, protocol: ProtocolSettings) -> str:
    """Why nothing can be predicted from this day, or nothing."""
    if landmark < outcome.entry:
        return "before the patient came under observation"
    if outcome.time <= landmark:
        return "not before the event or last contact"
    if outcome.time <= landmark + protocol.blackout:
        what = "event" if outcome.event else "last contact"
        return f"{what} within the blackout of {protocol.blackout:g} days"
    return ""


def _walk_back(exams: Sequence[Exam], protocol: ProtocolSettings) -> tuple[Exam, ...]:
    """The last exam, and earlier ones each at least the gap before the next; oldest first."""
    seen: list[Exam] = []
    for exam in reversed(exams):
        if len(seen) < protocol.exams and (
            not seen or seen[-1].day - exam.day >= protocol.minimum_gap
        ):
            seen.append(exam)
    return tuple(reversed(seen))


def _case(patient: Patient, landmark: float, exams: Sequence[Exam]) -> Case:
    """The patient as known on the day `landmark`: no text that could not be read by then."""
    loose = [text for text in patient.texts if _known_from(text) <= landmark]
    visible = []
    earlier = float("-inf")
    for exam in exams:
        own = [text for text in exam.texts if _known_from(text) <= landmark]
        own += [text for text in loose if earlier < _known_from(text) <= exam.day]
        visible.append(replace(exam, texts=tuple(sorted(own, key=_known_from))))
        earlier = exam.day
    rest = tuple(text for text in loose if _known_from(text) > earlier)
    return Case(patient.patient_id, landmark, tuple(visible), rest)


def _known_from(text: Text) -> float:
    return max(text.day, text.available_day)


def _one_image_a_view(patient: Patient) -> tuple[Patient, list[Exclusion]]:
    """Each exam with one image a side and view: the one whose id comes first."""
    exams, exclusions = [], []
    for exam in patient.exams:
        kept: dict[tuple[str, str], Image] = {}
        for image in sorted(exam.images, key=lambda image: image.image_id):
            if kept.setdefault((image.side, image.view), image) is not image:
                reason = f"view {image.side} {image.view} repeated: the first image id is used"
                exclusions.append(Exclusion(patient.patient_id, exam.exam_id, reason))
        exams.append(replace(exam, images=tuple(kept.values())))
    return replace(patient, exams=tuple(exams)), exclusions


def _not_seen(
    patient: Patient, candidates: Sequence[Exam], seen: Sequence[Exam], protocol: ProtocolSettings
) -> Iterator[Exclusion]:
    used = {exam.exam_id for exam in seen}
    reason = f"not among the last {protocol.exams} exams {protocol.minimum_gap:g} days apart"
    for exam in candidates:
        if exam.exam_id not in used:
            yield Exclusion(patient.patient_id, exam.exam_id, reason)


def _whole(patient: Patient, reason: str) -> Exclusion:
    return Exclusion(patient.patient_id, None, reason)


def _followup(cases: Sequence[Case], ends: Sequence[Outcome]) -> Followup:
    landmark = np.array([case.landmark for case in cases])
    entry = np.maximum(np.array([end.entry for end in ends]) - landmark, 0.0)
    return Followup(
        time=np.array([end.time for end in ends]) - landmark,
        event=np.array([end.event for end in ends], dtype=np.int64),
        entry=entry if entry.any() else None,
    )


def _table(exclusions: Sequence[Exclusion]) -> pl.DataFrame:
    rows = [(item.patient_id, item.exam_id, item.reason) for item in exclusions]
    table = pl.DataFrame(rows, schema=_REASONS, orient="row")
    return table.unique().sort("patient_id", "exam_id", "reason", nulls_last=False)


def _nothing_left(exclusions: Sequence[Exclusion]) -> DataError:
    counts = _table(exclusions)["reason"].value_counts(sort=True).iter_rows()
    return DataError(
        "the protocol leaves no case of this cohort",
        hint="choose another protocol, or fewer exams with a smaller gap",
        items=tuple(f"{count} × {reason}" for reason, count in counts),
    )


def describe_protocols() -> dict[str, str]:
    """What each protocol does, in a sentence."""
    return {
        "landmark": "a case at every exam while at risk, the event predicted within a horizon; the "
        "default for cohorts with exams",
        "paper": "the last exams before recurrence or last contact, as LUMIN's paper has it; "
        "optimistic, since the outcome chooses the exams",
        "cross-validation": "one case a patient on the index date; with split.folds the default "
        "for cohorts without exams",
    }
