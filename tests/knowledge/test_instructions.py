from __future__ import annotations

import time

import pytest
from injections import INJECTIONS, LATER, UNSEEN

from sequela.knowledge.instructions import without_instructions
from sequela.knowledge.reading import shown
from sequela.knowledge.rules import extract_report
from sequela.knowledge.schema import UNKNOWN, StructuredReport

PARTS = (
    "FINAL DIAGNOSIS: KIDNEY, LEFT, RADICAL NEPHRECTOMY.\n"
    "A. RENAL CELL CARCINOMA, CONVENTIONAL (CLEAR CELL) TYPE.\n",
    "B. FUHRMAN NUCLEAR GRADE IS 2/4. C. THE GREATEST DIAMETER OF THE NEOPLASM IS 5.2 CM.\n"
    "D. NO ANGIOLYMPHATIC INVASION IS IDENTIFIED. E. ALL SURGICAL MARGINS ARE FREE OF TUMOR.\n",
    "F. LYMPH NODES, NEGATIVE FOR MALIGNANCY (0/4). G. TNM STAGE: pT1b N0 MX. AJCC stage I.\n",
)


SILENT = {"perineural_invasion"}
"""Of the fields that a planted sentence claims, those that the report says nothing of."""


def values(report: StructuredReport) -> dict[str, str]:
    return {name: finding.value for name, finding in report.findings.items()}


@pytest.mark.parametrize("place", [0, 1, 2, 3])
@pytest.mark.parametrize("number", range(len(INJECTIONS)))
def test_a_planted_instruction_changes_no_field(number: int, place: int) -> None:
    planted = "".join((*PARTS[:place], INJECTIONS[number] + "\n", *PARTS[place:]))
    assert values(extract_report(planted)) == values(extract_report("".join(PARTS)))


@pytest.mark.parametrize("place", [0, 1, 2, 3])
def test_an_instruction_that_nobody_foresaw_can_make_a_stated_field_unknown_but_not_false(
    place: int,
) -> None:
    clean = values(extract_report("".join(PARTS)))
    for later in (*LATER, *UNSEEN):
        planted = values(extract_report("".join((*PARTS[:place], later + "\n", *PARTS[place:]))))
        wrong = {name for name in clean if planted[name] not in (clean[name], UNKNOWN)}
        assert {name for name in wrong if clean[name] != UNKNOWN} == set(), later
        assert wrong <= SILENT, later


def test_nobody_can_tell_a_planted_finding_from_one_of_which_the_report_is_silent() -> None:
    planted = values(extract_report("".join((*PARTS, "Perineural invasion: present.\n"))))
    assert planted["perineural_invasion"] == "present"


def test_text_made_to_cost_time_costs_little() -> None:
    for unit in ("<a ", "carc", "Aaa Bbb "):
        began = time.process_time()
        extract_report(shown(unit * 20_000))
        assert time.process_time() - began < 20


def test_the_clean_report_says_what_the_instructions_deny() -> None:
    clean = values(extract_report("".join(PARTS)))
    assert {"pT": "T1b", "grade": "2", "stage": "I", "margins": "negative"}.items() <= clean.items()
    assert len(INJECTIONS) == len(set(INJECTIONS)) == 60


def test_without_this_most_instructions_in_plain_words_would_change_a_field(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("sequela.knowledge.rules.without_instructions", lambda text: text)
    planted = ("".join((*PARTS[:1], each + "\n", *PARTS[1:])) for each in INJECTIONS[:50])
    changed = [
        values(extract_report(each)) != values(extract_report("".join(PARTS))) for each in planted
    ]
    assert sum(changed) > 25


def test_what_is_taken_out_leaves_every_other_character_in_its_place() -> None:
    planted = PARTS[0] + INJECTIONS[0] + "\n" + PARTS[1]
    left = without_instructions(planted)
    assert len(left) == len(planted)
    assert left.startswith(PARTS[0])
    assert left.endswith(PARTS[1])
    assert not left[len(PARTS[0]) : -len(PARTS[1])].strip()


def test_a_report_without_instructions_is_left_as_it_is() -> None:
    assert without_instructions("".join(PARTS)) == "".join(PARTS)
