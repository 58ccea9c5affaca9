from __future__ import annotations

import json
from pathlib import Path

import pytest
from stub_server import serving

from sequela.cohort.cohort import read_cohort
from sequela.errors import InterruptedRunError
from sequela.knowledge.client import ModelClient, ModelSettings
from sequela.knowledge.frozen import FrozenKnowledge
from sequela.knowledge.prompts import Prompt
from sequela.knowledge.refine import CACHE, Refined, questions, refine
from sequela.knowledge.schema import FIELDS, UNKNOWN


def by_model(cohort: Path, url: str, seconds: float = 5.0) -> Refined:
    client = ModelClient(ModelSettings(model="stub", url=url, seconds=seconds), lambda _: None)
    return refine(read_cohort(cohort), cohort / "work", ask=client.answer, model="stub")


def frozen(cohort: Path) -> FrozenKnowledge:
    return FrozenKnowledge.read(cohort / "work" / "knowledge.json")


def test_every_patient_has_every_field_and_a_blank_report_none(cohort: Path) -> None:
    made = refine(read_cohort(cohort), cohort / "work")
    reports = frozen(cohort).reports
    assert (made.patients, made.empty, made.fingerprint) == (3, 1, frozen(cohort).fingerprint)
    assert {tuple(report.findings) for report in reports.values()} == {tuple(FIELDS)}
    assert reports["k-0001"].value("pT") == "T1b"
    assert {each.value for each in reports["k-0003"].findings.values()} == {UNKNOWN}


def test_a_report_that_was_not_there_yet_is_not_read(cohort: Path) -> None:
    assert refine(read_cohort(cohort), cohort / "work").later == 1
    assert frozen(cohort).reports["k-0001"].value("grade") == "3"
    later = refine(read_cohort(cohort), cohort / "work", until=400.0)
    assert later.later == 0


def test_a_good_model_reads_what_the_rules_read_and_says_where_it_is_from(cohort: Path) -> None:
    rules = refine(read_cohort(cohort), cohort / "work").fingerprint
    with serving("good") as (url, stub):
        assert by_model(cohort, url).fingerprint == rules
    assert len(stub.requests) == 2
    origin = frozen(cohort).provenance["reports"]
    assert origin["reader"] == "language model"
    assert {"model", "prompt", "instructions", "sequela", "fields"} <= origin.keys()


def test_no_prompt_and_no_kept_answer_holds_an_id(cohort: Path) -> None:
    with serving("good") as (url, stub):
        by_model(cohort, url)
    kept = [path.read_text() for path in (cohort / "work" / CACHE).rglob("*.json")]
    assert len(kept) == 2
    for text in (*kept, *map(json.dumps, stub.requests)):
        assert "k-000" not in text


@pytest.mark.parametrize("mood", ["slow", "babbling", "huge", "broken"])
def test_an_answer_that_cannot_be_used_leaves_the_report_unknown_with_its_reason(
    cohort: Path, mood: str
) -> None:
    with serving(mood) as (url, _):
        made = by_model(cohort, url, seconds=0.3)
    assert sum(made.failures.values()) == 2
    assert not any(made.known.values())


def test_a_run_that_was_stopped_goes_on_where_it_stood(cohort: Path) -> None:
    asked: list[Prompt] = []

    def dies_on_the_second(prompt: Prompt) -> str:
        asked.append(prompt)
        if len(asked) == 2:
            raise InterruptedRunError("stopped")
        return "{}"

    def goes_on(prompt: Prompt) -> str:
        asked.append(prompt)
        return "{}"

    opened, work = read_cohort(cohort), cohort / "work"
    with pytest.raises(InterruptedRunError):
        refine(opened, work, ask=dies_on_the_second, model="stub")
    assert questions(opened, work, "stub") == (2, 1)
    refine(opened, work, ask=goes_on, model="stub")
    assert len(asked) == 3
    assert questions(opened, work, "another") == (2, 0)
