"""The reports of a cohort, read into the fixed schema by rules or by a language model."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from sequela.cohort.cohort import Cohort
from sequela.knowledge.cache import AnswerCache
from sequela.knowledge.client import NoAnswerError
from sequela.knowledge.frozen import FILE_NAME, FrozenKnowledge
from sequela.knowledge.prompts import REPORT_PROMPT, Prompt, report_prompt
from sequela.knowledge.reading import read_answer, shown
from sequela.knowledge.rules import VERSION, extract_report
from sequela.knowledge.schema import FIELDS, MINIMUM_LENGTH, StructuredReport
from sequela.knowledge.sources import Report, reports
from sequela.progress import stage
from sequela.storage import fingerprint, owned

CACHE = "knowledge-cache"
Ask = Callable[[Prompt], str]


@dataclass(frozen=True)
class Refined:
    """What came of reading a cohort's reports.

    Attributes:
        patients: All of the cohort.
        empty: Those without a report of fifty characters, of whom every field is unknown.
        later: Reports left out, for they were available only after the day asked for.
        known: Of the patients with a report, how many have each field.
        failures: Reports whose answer could not be used, by reason.
        kept: Findings that a person had reviewed and that stay as they are.
        fingerprint: The hash of the frozen file.
    """

    patients: int
    empty: int
    later: int
    known: Mapping[str, int]
    failures: Mapping[str, int]
    kept: int
    fingerprint: str


def refine(
    cohort: Cohort, work: Path, *, ask: Ask | None = None, model: str = "", until: float = 0.0
) -> Refined:
    """Read every report and freeze what was found in WORK/knowledge.json.

    Answers of a model are kept one by one, so that a run that was stopped goes on where it stood.

    Args:
        cohort: Whose reports.
        work: Where the frozen file and the answers go.
        ask: Puts a prompt to a language model; rules read the reports without one.
        model: The model's name.
        until: The day from the index date until which reports may be read.
    """
    sources, failures = reports(cohort, until), Counter[str]()
    found: dict[str, StructuredReport] = {}
    with owned(work), stage("Reading reports", len(sources)) as advance:
        for source in sources:
            found[source.patient_id] = _read(source, work, ask, model, failures)
            advance(1)
        before = known_so_far(work)
        kept, found = _with_reviewed(found, before)
        origin = _origin(ask, model)
        knowledge = FrozenKnowledge(
            found, before.claims, {**before.provenance, "reports": {**origin, "until": until}}
        )
        knowledge.write(work / FILE_NAME)
    return Refined(
        patients=len(sources),
        empty=sum(_is_empty(source) for source in sources),
        later=sum(source.later for source in sources),
        known={name: sum(each.findings[name].known for each in found.values()) for name in FIELDS},
        failures=dict(failures),
        kept=kept,
        fingerprint=knowledge.fingerprint,
    )


def known_so_far(work: Path) -> FrozenKnowledge:
    """The frozen file, or an empty one where there is none yet."""
    file = work / FILE_NAME
    return FrozenKnowledge.read(file) if file.is_file() else FrozenKnowledge()


def questions(cohort: Cohort, work: Path, model: str, until: float = 0.0) -> tuple[int, int]:
    """How many reports a model would be asked about, and how many of them it has answered."""
    cache = AnswerCache(work / CACHE, model)
    asked = [source for source in reports(cohort, until) if not _is_empty(source)]
    answered = (cache.get(_prompt(source)) is not None for source in asked)
    return len(asked), sum(answered)


def _read(
    source: Report, work: Path, ask: Ask | None, model: str, failures: Counter[str]
) -> StructuredReport:
    if ask is None or _is_empty(source):
        return extract_report(source.text, source.identifiers)
    answered = AnswerCache(work / CACHE, model).ask(_prompt(source), ask)
    try:
        if answered.failure:
            raise NoAnswerError(answered.failure)
        return read_answer(answered.text, source.text, source.identifiers)
    except NoAnswerError as error:
        failures[error.message] += 1
        return StructuredReport.of(())


def _prompt(source: Report) -> Prompt:
    return report_prompt(shown(source.text, source.identifiers))


def _is_empty(source: Report) -> bool:
    return len(source.text.strip()) < MINIMUM_LENGTH


def _with_reviewed(
    found: dict[str, StructuredReport], before: FrozenKnowledge
) -> tuple[int, dict[str, StructuredReport]]:
    """What was found now, but for what a person has looked at before."""
    kept, merged = 0, {}
    for patient, report in found.items():
        old = before.reports[patient].findings if patient in before.reports else {}
        seen = {name: each for name, each in old.items() if each.review != "unreviewed"}
        kept += len(seen)
        merged[patient] = StructuredReport.of({**report.findings, **seen}.values())
    return kept, merged


def _origin(ask: Ask | None, model: str) -> dict[str, Any]:
    origin = {"sequela": version("sequela"), "fields": fingerprint(*FIELDS)}
    if ask is None:
        return {**origin, "reader": "rules", "version": VERSION}
    prompt = report_prompt("")
    return {
        **origin,
        "reader": "language model",
        "model": model,
        "prompt": REPORT_PROMPT,
        "instructions": fingerprint(prompt.instructions),
    }
