"""A report read by a language model, and what of its answer holds against the report."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

from sequela.knowledge.client import NoAnswerError
from sequela.knowledge.evidence import supported
from sequela.knowledge.identifiers import without_identifiers
from sequela.knowledge.instructions import without_instructions
from sequela.knowledge.rules import sighted
from sequela.knowledge.schema import FIELDS, MAXIMUM_LENGTH, Finding, StructuredReport
from sequela.knowledge.suspicion import contradicting, unopposed, within

_VOICES = {
    "margins": (1, 2, 3),
    "lymphovascular_invasion": (1,),
    "perineural_invasion": (1,),
}
"""How many values of a field a report may hold; none are left where it contradicts itself."""


def shown(text: str, known: Iterable[str] = ()) -> str:
    """What a model sees of a report: no instruction, no identifier, every place where it was.

    Args:
        text: The report.
        known: Identifiers of the patient, from the cohort's tables.
    """
    return without_identifiers(without_instructions(text[:MAXIMUM_LENGTH]), known)


def read_answer(answer: str, text: str, known: Iterable[str] = ()) -> StructuredReport:
    """The findings of an answer whose evidence stands in the report.

    Args:
        answer: What the model said to `shown(text, known)`.
        text: The report as it is.
        known: The same identifiers.

    Raises:
        NoAnswerError: If the answer is no JSON object, not even after repair.
    """
    report, fields = shown(text, known), parsed_object(answer)
    found = (_finding(name, fields[name], report) for name in FIELDS if name in fields)
    return StructuredReport.of(_undisputed(found, report))


def _undisputed(found: Iterable[Finding], report: str) -> Iterator[Finding]:
    """Unknown where the report contradicts itself: a model does not decide between two tellers."""
    seen = sighted(report)
    suspect, left = contradicting(seen, report), unopposed(seen, report)
    for finding in found:
        told = {each.value for each in left[finding.field]} if finding.field in left else set()
        disputed = len(told) not in _VOICES.get(finding.field, (len(told),))
        opposed = finding.evidence is not None and within(finding.evidence, suspect)
        yield Finding(finding.field) if disputed or opposed else finding


def _finding(name: str, item: Any, report: str) -> Finding:
    if not isinstance(item, dict):
        return Finding(name)
    value, quote = item.get("value"), item.get("evidence")
    if isinstance(value, float | int) and not isinstance(value, bool):
        value = f"{value:g}"
    if not isinstance(value, str) or not isinstance(quote, str):
        return Finding(name)
    return supported(name, value.strip(), quote, report)


def parsed_object(answer: str) -> dict[str, Any]:
    """The JSON object in an answer, which may stand in prose or fences or miss its end.

    Raises:
        NoAnswerError: If there is none.
    """
    start = answer.find("{")
    whole = answer[start : answer.rfind("}") + 1]
    for text in (whole, _repaired(whole), _closed(answer[start:])):
        try:
            value = json.loads(text)
        except (ValueError, RecursionError):
            continue
        if isinstance(value, dict):
            return value
    raise NoAnswerError("the answer is not JSON")


def _repaired(text: str) -> str:
    """Without comments and commas too many, with JSON's names of the constants."""
    text = re.sub(r"(?m)//[^\n\"]*$", "", text)
    text = re.sub(r",\s*([}\]])", r"\1", text)
    return re.sub(r":\s*(None|True|False)\b", lambda match: f": {_CONSTANTS[match[1]]}", text)


_CONSTANTS = {"None": "null", "True": "true", "False": "false"}


def _closed(text: str) -> str:
    """An answer that broke off, cut after its last whole field and closed."""
    end = text.rfind("}")
    return _repaired(text[: end + 1] + "}") if end > 0 else text
