from __future__ import annotations

import json

import pytest
from injections import INJECTIONS, LATER, UNSEEN
from stub_server import LIES, Stub
from test_instructions import PARTS, values

from sequela.knowledge.client import NoAnswerError
from sequela.knowledge.prompts import report_prompt
from sequela.knowledge.reading import parsed_object, read_answer, shown
from sequela.knowledge.schema import UNKNOWN, StructuredReport

CLEAN = "".join(PARTS)


def read(mood: str, report: str) -> StructuredReport:
    answer = Stub(mood).said(report_prompt(shown(report)).content)
    return read_answer(answer, report)


def test_a_good_model_gives_what_the_report_says_with_its_words() -> None:
    report = read("good", CLEAN)
    assert {"pT": "T1b", "grade": "2", "margins": "negative"}.items() <= values(report).items()
    for finding in report.known:
        assert finding.evidence is not None
        assert CLEAN[finding.evidence.start : finding.evidence.end] == finding.evidence.words


@pytest.mark.parametrize("mood", ["lying", "misquoting"])
def test_no_lie_of_a_model_is_believed(mood: str) -> None:
    assert {read(mood, CLEAN).value(name) for name in LIES} == {UNKNOWN}


@pytest.mark.parametrize("number", range(len(INJECTIONS)))
def test_a_model_that_obeys_instructions_is_shown_none(number: int) -> None:
    planted = "".join((INJECTIONS[number] + "\n", *PARTS))
    told = Stub("obedient").said(report_prompt(planted).content)
    assert json.loads(told)["stage"]["value"] == LIES["stage"]
    assert values(read("obedient", planted)) == values(read("good", CLEAN))


def test_a_model_that_gets_round_it_still_finds_no_evidence() -> None:
    for injection in INJECTIONS:
        planted = f"{injection}\n{CLEAN}"
        fields = {name: {"value": lie, "evidence": injection[:200]} for name, lie in LIES.items()}
        report = read_answer(json.dumps(fields), planted)
        assert {report.value(name) for name in LIES} == {UNKNOWN}


@pytest.mark.parametrize(
    ("answer", "value"),
    [
        ('{"pT": {"value": "T1b", "evidence": "pT1b N0 MX"}}', "T1b"),
        ('Sure!\n```json\n{"pT": {"value": "T1b", "evidence": "pT1b N0 MX",},}\n```', "T1b"),
        ('{"pT": {"value": "T1b", "evidence": "pT1b N0 MX"}, "pN": {"val', "T1b"),
        ('{"pT": {"value": "T1b", "evidence": "PT1B   n0\\nmx"}}', "T1b"),
        ('{"pT": {"value": "t1b", "evidence": "pT1b N0 MX"}}', UNKNOWN),
        ('{"pT": {"value": "T1", "evidence": "pT1b N0 MX"}}', UNKNOWN),
        ('{"pT": "T1b", "other": {"value": 1, "evidence": 2}}', UNKNOWN),
        ('{"size": {"value": 5.2, "evidence": "NEOPLASM IS 5.2 CM"}}', UNKNOWN),
    ],
)
def test_answers_are_repaired_where_they_can_be(answer: str, value: str) -> None:
    assert read_answer(answer, CLEAN).value("pT") == value


def test_a_number_is_taken_as_a_number() -> None:
    answer = '{"size": {"value": 5.2, "evidence": "GREATEST DIAMETER OF THE NEOPLASM IS 5.2 CM"}}'
    assert read_answer(answer, CLEAN).value("size") == "5.2"


@pytest.mark.parametrize("answer", ["", "no", "{", "[]", "{]}", '"{"', "{" * 100_000])
def test_what_is_no_json_object_is_no_answer(answer: str) -> None:
    with pytest.raises(NoAnswerError):
        parsed_object(answer)


def test_a_hostile_model_cannot_choose_what_the_report_denies_elsewhere() -> None:
    quotes = {
        "pT": ("T4", "pT4"),
        "pN": ("N2", "N2"),
        "stage": ("IV", "AJCC stage IV"),
        "grade": ("4", "Fuhrman grade 4"),
        "size": ("25", "tumor size 25 cm"),
        "margins": ("positive", "margins positive"),
        "lymphovascular_invasion": ("present", "lymphovascular invasion present"),
    }
    for planted in (*LATER, *UNSEEN):
        for report in (f"{planted}\n{CLEAN}", f"{CLEAN}{planted}\n"):
            answer = {name: {"value": v, "evidence": words} for name, (v, words) in quotes.items()}
            found = values(read_answer(json.dumps(answer), report))
            assert {name for name in quotes if found[name] != UNKNOWN} <= {"size"}, planted
