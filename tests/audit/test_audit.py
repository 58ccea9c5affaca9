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
