from __future__ import annotations

import json
from pathlib import Path

import pytest

from sequela.errors import DataError
from sequela.knowledge.background import read_pack
from sequela.knowledge.frozen import FrozenKnowledge
from sequela.knowledge.rules import extract_report

REPORT = (
    "Kidney, nephrectomy: clear cell carcinoma, Fuhrman grade 3, 4.5 cm, pT1b N0 MX, margins free."
)


@pytest.fixture
def knowledge() -> FrozenKnowledge:
    reports = {"p1": extract_report(REPORT), "p2": extract_report("")}
    return FrozenKnowledge(reports, {"KIRC": read_pack("KIRC")}, {"reader": "rules"})


def test_what_is_read_equals_what_was_written(tmp_path: Path, knowledge: FrozenKnowledge) -> None:
    knowledge.write(tmp_path / "knowledge.json")
    read = FrozenKnowledge.read(tmp_path / "knowledge.json")
    assert read == knowledge
    assert read.fingerprint == knowledge.fingerprint


def test_the_fingerprint_follows_what_is_said_and_not_how_it_was_made(
    knowledge: FrozenKnowledge,
) -> None:
    made_elsewhere = FrozenKnowledge(knowledge.reports, knowledge.claims, {"reader": "other"})
    shorter = FrozenKnowledge(knowledge.reports, {"KIRC": read_pack("KIRC")[1:]})
    assert made_elsewhere.fingerprint == knowledge.fingerprint != shorter.fingerprint


@pytest.mark.parametrize("damage", ["value", "format", "text", "absent"])
def test_a_file_that_was_changed_is_refused(
    tmp_path: Path, knowledge: FrozenKnowledge, damage: str
) -> None:
    file = tmp_path / "knowledge.json"
    knowledge.write(file)
    content = json.loads(file.read_text())
    if damage == "value":
        content["reports"]["p1"][0]["value"] = "T4"
    if damage == "format":
        content["format"] = "sequela knowledge 0"
    file.write_text("{" if damage == "text" else json.dumps(content))
    if damage == "absent":
        file.unlink()
    with pytest.raises(DataError, match=r"knowledge\.json"):
        FrozenKnowledge.read(file)
