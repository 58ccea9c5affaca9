"""Fields stand beside the words they were read from, and those stand where the report has them."""

from __future__ import annotations

from sequela.cohort.patient import Case, Text
from sequela.interpretation.report_evidence import pieces, report_evidence
from sequela.knowledge.rules import extract_report
from sequela.knowledge.schema import Evidence, Finding, StructuredReport
from sequela.models.kemm_config import KemmConfig

TEXTS = (
    "Kidney, left: clear cell renal cell carcinoma, Fuhrman grade 3. Necrosis is present.",
    "pT3a N0 MX. Margins are negative. Lymphovascular invasion is not identified.",
)


def case(*texts: str) -> Case:
    told = tuple(Text(str(n), 0.0, 0.0, "report", text, "en") for n, text in enumerate(texts))
    return Case("P", 0.0, (), told)


def test_every_piece_of_the_report_is_kept_and_evidence_is_marked_where_it_stands() -> None:
    for joint in ("\n", "\n\n"):
        text = joint.join(TEXTS)
        report = extract_report(text)
        found = report_evidence(case(*TEXTS), KemmConfig(), report, show=True)
        assert "".join(piece for piece, _ in found["text"]) == text
        marked = {label: piece for piece, labels in found["text"] for label in labels}
        assert len(found["fields"]) > 5
        for field in found["fields"]:
            assert marked[field["label"]] in field["words"]
            assert field["words"] in text


def test_what_is_not_shown_leaves_no_word() -> None:
    report = extract_report("\n".join(TEXTS))
    found = report_evidence(case(*TEXTS), KemmConfig(), report, show=False)
    assert found["withheld"]
    assert found["text"] == []
    assert {field["words"] for field in found["fields"]} == {""}


def test_what_a_model_does_not_read_is_not_told() -> None:
    report = extract_report("\n".join(TEXTS))
    stage = report_evidence(case(*TEXTS), KemmConfig(fields=("pT",)), report, show=True)
    assert [field["value"] for field in stage["fields"]] == ["T3a"]
    for config in (KemmConfig(reads=("genes",)), KemmConfig(reports="shuffled")):
        found = report_evidence(case(*TEXTS), config, report, show=True)
        assert found == {"fields": [], "silent": [], "text": [], "withheld": False}


def test_no_report_is_silent_in_every_field() -> None:
    found = report_evidence(case(), KemmConfig(), None, show=True)
    assert (found["fields"], found["text"], found["withheld"]) == ([], [], False)
    assert len(found["silent"]) == 17


def test_evidence_that_has_moved_is_found_and_a_persons_word_has_none() -> None:
    moved = Finding("grade", "3", Evidence(0, 7, "grade 3"))
    own = Finding("necrosis", "present", None, "corrected")
    gone = Finding("pT", "T1", Evidence(0, 3, "pT1"))
    assert pieces("A tumour of grade 3.", [moved, own, gone]) == [
        ["A tumour of ", []],
        ["grade 3", ["grade"]],
        [".", []],
    ]
    config, report = KemmConfig(), StructuredReport.of([own])
    (field,) = report_evidence(case("x"), config, report, show=True)["fields"]
    assert (field["value"], field["words"], field["review"]) == ("present", "", "corrected")
