"""Texts that know too much: they tell the outcome, or were written after it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import exp, lgamma

import polars as pl

from sequela.audit.findings import finding, in_lines
from sequela.audit.labels import Labelled
from sequela.audit.outcome_words import tells_outcome
from sequela.cohort.cohort import Cohort
from sequela.cohort.findings import Finding
from sequela.cohort.table_files import ROW
from sequela.cohort.tables import Table

_FEWEST_TELLING = 5
_BY_CHANCE = 0.001
_LATE_DAYS = 30.0
"""Days after an exam within which a report of it is usually written."""


def text_findings(
    cohort: Cohort, texts: Table, labelled: Labelled | None, endpoint: str
) -> Iterator[Finding]:
    """What is wrong with the texts; without labels, only what their days show."""
    lines = dict(texts.typed.select("text_id", ROW).iter_rows())
    if labelled is not None:
        yield from _telling(labelled, texts.file, lines)
    yield from _after_their_exam(cohort, texts.file, lines)
    yield from _after_the_event(cohort, texts.file, lines, endpoint)


def _telling(labelled: Labelled, file: str, lines: Mapping[str, int]) -> Iterator[Finding]:
    """Texts that a model would see and that affirm the outcome."""
    verdict: dict[str, bool] = {}
    having: dict[str, bool] = {}
    telling: set[str] = set()
    for case, event in zip(labelled.cases, labelled.event, strict=True):
        having[case.patient_id] = having.get(case.patient_id, False) or bool(event)
        for text in (*case.texts, *(text for exam in case.exams for text in exam.texts)):
            if text.text_id not in verdict:
                verdict[text.text_id] = tells_outcome(text.text)
            if verdict[text.text_id]:
                telling.add(case.patient_id)
    rows = [lines[text_id] for text_id, tells in verdict.items() if tells]
    if not rows:
        return
    right = sum(having[patient] for patient in telling)
    events = sum(having.values())
    by_chance = chance_of_as_many(right, len(telling), events, len(having))
    leak = len(telling) >= _FEWEST_TELLING and by_chance < _BY_CHANCE
    yield finding(
        "A031" if leak else "A032",
        file,
        min(rows),
        "text",
        where=in_lines(rows),
        patients=len(telling),
        right=right,
        share=f"{events} of {len(having)}",
        p=f"{by_chance:.1g}",
    )


def chance_of_as_many(right: int, drawn: int, events: int, patients: int) -> float:
    """The chance that of `drawn` patients at least `right` have the event (Fisher, one-sided)."""
    fewest = max(right, drawn - (patients - events))
    logs = [
        _log_ways(events, count)
        + _log_ways(patients - events, drawn - count)
        - _log_ways(patients, drawn)
        for count in range(fewest, min(drawn, events) + 1)
    ]
    return min(1.0, sum(exp(log) for log in logs))


def _log_ways(of: int, chosen: int) -> float:
    return lgamma(of + 1) - lgamma(chosen + 1) - lgamma(of - chosen + 1)


def _after_their_exam(cohort: Cohort, file: str, lines: Mapping[str, int]) -> Iterator[Finding]:
    rows = [
        lines[text.text_id]
        for patient in cohort.patients
        for exam in patient.exams
        for text in exam.texts
        if text.day > exam.day + _LATE_DAYS
    ]
    if rows:
        yield finding("A033", file, min(rows), "day", where=in_lines(rows), days=f"{_LATE_DAYS:g}")


def _after_the_event(
    cohort: Cohort, file: str, lines: Mapping[str, int], endpoint: str
) -> Iterator[Finding]:
    happened = cohort.outcomes.filter((pl.col("endpoint") == endpoint) & (pl.col("event") > 0))
    ends = dict(happened.select("patient_id", "time").iter_rows())
    rows = [
        lines[text.text_id]
        for patient in cohort.patients
        if patient.patient_id in ends
        for text in (*patient.texts, *(text for exam in patient.exams for text in exam.texts))
        if text.day > ends[patient.patient_id]
    ]
    if rows:
        yield finding("A034", file, min(rows), "day", where=in_lines(rows), endpoint=endpoint)
