"""Rules for outcomes, and for the order of exams, texts and outcomes in time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import polars as pl

from sequela.cohort.findings import Finding, finding
from sequela.cohort.manifest import DAYS, FILE_NAME, Manifest
from sequela.cohort.table_files import ROW
from sequela.cohort.tables import Table

_FEW = 10
"""Outcomes below which the size of times says nothing of their unit."""
_TOO_SHORT, _TOO_LONG = 300.0, 80 * 365.25
"""The longest follow-up of a cohort: 300 months are 25 years, which many reach as days."""


def time_findings(tables: Mapping[str, Table], manifest: Manifest) -> Iterator[Finding]:
    """What is wrong with outcomes and with the order of time across the tables."""
    outcomes, exams, texts = (tables.get(name) for name in ("outcomes", "exams", "texts"))
    if outcomes is not None:
        yield from _endpoint_findings(outcomes, manifest)
        yield from _followup_findings(outcomes, manifest)
    if outcomes is not None and exams is not None:
        yield from _late_exams(outcomes, exams)
    if texts is not None:
        yield from _text_findings(texts, exams)


def _endpoint_findings(outcomes: Table, manifest: Manifest) -> Iterator[Finding]:
    if outcomes.typed.is_empty() or not outcomes.has("endpoint", "event"):
        return
    names = ", ".join(manifest.endpoints)
    unknown = ~pl.col("endpoint").is_in(list(manifest.endpoints))
    yield from outcomes.where(unknown, "C028", "endpoint", endpoints=names)
    for name, endpoint in manifest.endpoints.items():
        of_it = pl.col("endpoint") == name
        events = set(outcomes.typed.filter(of_it)["event"].drop_nulls())
        if not len(outcomes.typed.filter(of_it)):
            yield finding("C029", FILE_NAME, None, name, endpoint=name)
        elif events <= {1, 2} and (2 in events) and (1 in events or 2 not in endpoint.causes):
            yield finding("C026", outcomes.file, None, "event", endpoint=name)
        else:
            bad = of_it & ~pl.col("event").is_in([0, *endpoint.causes])
            words = {"causes": _causes(endpoint.causes), "endpoint": name}
            yield from outcomes.where(bad | (of_it & _fraction()), "C027", "event", **words)


def _causes(causes: Mapping[int, str]) -> str:
    return ", ".join(f"{code}: {name}" for code, name in causes.items())


def _fraction() -> pl.Expr:
    """True where the code is a number, but not a whole one."""
    number = pl.col("event as text").str.strip_chars().cast(pl.Float64, strict=False)
    return number.is_finite() & pl.col("event").is_null()


def _followup_findings(outcomes: Table, manifest: Manifest) -> Iterator[Finding]:
    if outcomes.has("patient_id", "endpoint"):
        yield from outcomes.repeated(("patient_id", "endpoint"), "C033", "patient_id")
    if not outcomes.has("time"):
        return
    yield from outcomes.where(pl.col("time") <= 0, "C031", "time")
    if outcomes.has("entry"):
        yield from outcomes.where(pl.col("entry") >= pl.col("time"), "C032", "entry")
    times = outcomes.typed["time"].drop_nulls()
    longest = times.filter(times.is_finite()).max()
    if len(times) < _FEW or not isinstance(longest, float):
        return
    size = "under a year" if longest <= _TOO_SHORT else "more than a lifetime"
    fits = _TOO_SHORT < longest <= _TOO_LONG
    if not fits and (longest > _TOO_LONG or DAYS[manifest.time_unit] == 1.0):
        words = {"unit": manifest.time_unit, "size": size}
        yield finding("C036", outcomes.file, None, "time", **words)


def _late_exams(outcomes: Table, exams: Table) -> list[Finding]:
    if not (outcomes.has("patient_id", "time") and exams.has("patient_id", "day")):
        return []
    last = outcomes.typed.group_by("patient_id").agg(pl.col("time").max())
    rows = exams.typed.join(last, on="patient_id", how="left", maintain_order="left")
    late = rows.filter(pl.col("day") > pl.col("time"))[ROW]
    return [finding("C034", exams.file, row, "day") for row in late]


def _text_findings(texts: Table, exams: Table | None) -> Iterator[Finding]:
    if texts.has("day", "available_day"):
        yield from texts.where(pl.col("available_day") < pl.col("day"), "C035", "available_day")
    pair = ("exam_id", "patient_id")
    if exams is None or not (texts.has(*pair) and exams.has(*pair)):
        return
    whose = exams.typed.unique("exam_id").select("exam_id", pl.col("patient_id").alias("whose"))
    rows = texts.typed.join(whose, on="exam_id", how="left", maintain_order="left")
    for row in rows.filter(pl.col("patient_id") != pl.col("whose"))[ROW]:
        yield finding("C016", texts.file, row, "exam_id")
