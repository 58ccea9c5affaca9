from __future__ import annotations

import pytest

from sequela.knowledge.rules import extract_report
from sequela.knowledge.schema import FIELDS, UNKNOWN

KIDNEY = (
    "FINAL DIAGNOSIS: KIDNEY, LEFT, RADICAL NEPHRECTOMY. A. RENAL CELL CARCINOMA, CONVENTIONAL "
    "(CLEAR CELL) TYPE. B. FUHRMAN NUCLEAR GRADE IS III OF IV. C. THE GREATEST DIAMETER OF THE "
    "NEOPLASM IS 7.2 em. D. TNM STAGE: pTlb NX MX."
)


def test_every_value_stands_in_the_report() -> None:
    report = extract_report(KIDNEY)
    assert len(report.known) >= 4
    for finding in report.known:
        assert finding.evidence is not None
        start, end = finding.evidence.start, finding.evidence.end
        assert KIDNEY[start:end] == finding.evidence.words
        assert FIELDS[finding.field].admits(finding.value)


def test_codes_are_read_through_a_scanners_errors() -> None:
    report = extract_report(KIDNEY)
    read = {name: report.value(name) for name in ("pT", "pN", "pM", "grade", "size")}
    assert read == {"pT": "T1b", "pN": "NX", "pM": "MX", "grade": "3", "size": "7.2"}


@pytest.mark.parametrize("text", ["", "   \n", "pT2 N0 M0, grade 3, stage II"])
def test_a_report_of_under_fifty_characters_says_nothing(text: str) -> None:
    assert {finding.value for finding in extract_report(text).findings.values()} == {UNKNOWN}
