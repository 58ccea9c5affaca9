"""What was read from a patient's report, field by field, beside the words that say so."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from typing import Any

from sequela.cohort.patient import Case
from sequela.knowledge.schema import FIELDS, Evidence, Finding, StructuredReport
from sequela.models.peer_config import PatientConfig


def report_evidence(
    case: Case, config: PatientConfig, report: StructuredReport | None, *, show: bool
) -> dict[str, Any]:
    """Fields with their values, and the report cut where the evidence stands.

    Args:
        case: Of the patient.
        config: Says which fields are read.
        report: As it was read; None where nobody read one.
        show: Whether words of the report may be shown.

    Returns:
        `fields`, those that the report says; `silent`, labels of those that it does not; `text`,
        pieces of the report, each with the labels of the fields that it is evidence for; and
        `withheld`, true where there is a report that may not be shown: no words of it are given.
    """
    if "report" not in config.reads or config.reports != "own":
        return {"fields": [], "silent": [], "text": [], "withheld": False}
    wanted = config.fields or tuple(FIELDS)
    findings = [one for one in report.known if one.field in wanted] if report else []
    text, said = _text(case, findings), {one.field for one in findings}
    return {
        "fields": [_field(one, show=show) for one in findings],
        "silent": [FIELDS[name].label for name in wanted if name not in said],
        "text": pieces(text, findings) if show else [],
        "withheld": bool(text) and not show,
    }


def pieces(text: str, findings: Iterable[Finding]) -> list[list[Any]]:
    """The text in pieces, each with the labels of the fields whose evidence it is; all of it."""
    spans = [(span, FIELDS[one.field].label) for one in findings if (span := _span(text, one))]
    edges = sorted({0, len(text), *(edge for span, _ in spans for edge in span)})
    return [
        [text[start:end], [label for (left, right), label in spans if left <= start < right]]
        for start, end in pairwise(edges)
    ]


def _text(case: Case, findings: Iterable[Finding]) -> str:
    """The report as it was read: of the ways to join several, the one in which evidence fits."""
    texts = [text.text for text in (*case.texts, *(t for exam in case.exams for t in exam.texts))]
    told = [one.evidence for one in findings if one.evidence is not None]
    ways = [joint.join(texts) for joint in ("\n", "\n\n")]
    return max(ways, key=lambda way: sum(_stands(way, evidence) for evidence in told))


def _stands(text: str, evidence: Evidence) -> bool:
    return text[evidence.start : evidence.end] == evidence.words


def _span(text: str, finding: Finding) -> tuple[int, int] | None:
    """Where the evidence stands; None where a person gave the value, or the words are not there."""
    evidence = finding.evidence
    if evidence is None:
        return None
    if _stands(text, evidence):
        return evidence.start, evidence.end
    found = text.find(evidence.words)
    return None if found < 0 else (found, found + len(evidence.words))


def _field(finding: Finding, *, show: bool) -> dict[str, Any]:
    field = FIELDS[finding.field]
    words = finding.evidence.words if finding.evidence is not None else ""
    own_words = field.kind == "words"
    return {
        "label": field.label,
        "value": finding.value if show or not own_words else "",
        "words": words if show else "",
        "review": finding.review,
    }
