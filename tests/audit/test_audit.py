from __future__ import annotations

import json
from pathlib import Path

import pytest

from sequela.audit.audit import audit_cohort
from sequela.audit.findings import RULES
from sequela.cli import main as command_line
from sequela.cohort.protocol import ProtocolSettings

PAGES = Path(__file__).parents[2] / "docs" / "findings"
PAPER = ProtocolSettings(name="paper")


def exit_code(*words: str) -> int:
    with pytest.raises(SystemExit) as caught:
        command_line.main(words)
    return int(caught.value.code or 0)


def test_every_code_has_a_page() -> None:
    assert {page.stem for page in PAGES.glob("A*.md")} == set(RULES)
    index = (PAGES / "README.md").read_text(encoding="utf-8")
    for code, rule in RULES.items():
        page = (PAGES / f"{code}.md").read_text(encoding="utf-8")
        assert page.startswith(f"# {code}: ")
        assert f"\n*{rule.severity}*\n" in page
        for heading in ("## Why it matters", "## Mend", "## Example"):
            assert f"\n{heading}\n" in page, (code, heading)
        assert f"[{code}]" in page
        assert f"| [{code}]({code}.md) | {rule.severity} |" in index


def test_a_sound_cohort_has_no_finding(clean: Path) -> None:
    audit = audit_cohort(clean, ProtocolSettings())
    assert audit.findings == ()
    assert audit.leaks == 0
    assert 0 < audit.measured["timing"].low < 0.55


def test_exams_chosen_by_the_outcome_are_a_leak_that_can_be_accepted(
    yearly: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("audit", str(yearly), "--work", str(tmp_path), "protocol.name=paper", "--json")
    assert exit_code(*words) == 5
    found = json.loads(capsys.readouterr().out)["findings"]
    assert [(item["code"], item["severity"]) for item in found] == [("A001", "error")]
    assert "OUTCOME-DEPENDENT SAMPLING" in found[0]["message"]
    assert exit_code(*words, "--accept-biased-design") == 0
    written = json.loads((tmp_path / "audit.json").read_text())
    assert [(item["code"], item["severity"]) for item in written["findings"]] == [
        ("A001", "warning")
    ]
    assert exit_code("audit", str(yearly), "--work", str(tmp_path)) == 0


def test_few_events_are_said_and_not_judged(clean: Path) -> None:
    audit = audit_cohort(clean, ProtocolSettings(horizon=30.0))
    assert "A002" in {item.code for item in audit.findings}
    assert audit.leaks == 0
    assert audit.measured == {}


def test_an_endpoint_that_is_not_there_is_refused(
    clean: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert exit_code("audit", str(clean), "protocol.endpoint=os") == 3
    assert "it has recurrence" in capsys.readouterr().err


def test_a_patient_in_two_parts_of_a_split_is_a_leak(copied: Path) -> None:
    patient = (copied / "patients.csv").read_text().splitlines()[1].split(",")[0]
    (copied / "work").mkdir()
    split = f"repeat,fold,patient_id,split\n0,0,{patient},train\n0,0,{patient},test\n"
    (copied / "work" / "splits.csv").write_text(split)
    assert exit_code("audit", str(copied)) == 5


@pytest.mark.parametrize("patients", [1, 2, 12])
def test_a_tiny_cohort_without_exams_ends_in_findings(tmp_path: Path, patients: int) -> None:
    names = [f"P{number}" for number in range(patients)]
    (tmp_path / "patients.csv").write_text("patient_id\n" + "\n".join(names) + "\n")
    rows = [f"{name},death,{100 + 70 * place},{place % 2}" for place, name in enumerate(names)]
    outcomes = "patient_id,endpoint,time,event\n" + "\n".join(rows) + "\n"
    (tmp_path / "outcomes.csv").write_text(outcomes)
    (tmp_path / "cohort.yaml").write_text(
        "name: tiny\nendpoints: {death: {}}\n"
        "tables: {patients: {file: patients.csv}, outcomes: {file: outcomes.csv}}\n"
    )
    protocol = ProtocolSettings(name="cross-validation", endpoint="death", horizon=None)
    audit = audit_cohort(tmp_path, protocol, work=tmp_path / "work")
    assert {item.code for item in audit.findings} == {"A002", "A042"}
    assert audit.leaks == 0
