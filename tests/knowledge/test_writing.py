from __future__ import annotations

import json
from pathlib import Path

import pytest

from sequela.errors import DataError
from sequela.knowledge.background import MAXIMUM_WORDS, read_pack
from sequela.knowledge.frozen import FrozenKnowledge
from sequela.knowledge.sources import cancer_types
from sequela.knowledge.writing import claims_in, write_background

CLAIM = {
    "modality": "slide",
    "direction": "higher",
    "feature": "necrosis",
    "text": "Necrosis raises the risk.",
    "citation": "Frank et al., Journal of Urology 2002",
}


def test_the_packaged_claims_of_the_patients_cancers_are_frozen(cohort: Path) -> None:
    made = write_background(cancer_types(cohort), cohort / "work")
    knowledge = FrozenKnowledge.read(cohort / "work" / "knowledge.json")
    assert knowledge.claims == {"KIRC": read_pack("KIRC")}
    assert "No pathologist has reviewed" in made.review["KIRC"]
    assert knowledge.fingerprint == made.fingerprint


def test_a_models_claims_are_taken_where_they_are_whole() -> None:
    broken = [{**CLAIM, "direction": "sideways"}, {**CLAIM, "citation": None}, "text", None]
    claims = claims_in(json.dumps({"claims": [CLAIM, *broken, CLAIM]}), "GBM")
    assert [claim.text for claim in claims] == [CLAIM["text"]] * 2
    assert len({claim.id for claim in claims}) == 2


def test_a_models_claims_end_at_a_hundred_words() -> None:
    claims = claims_in(json.dumps({"claims": [CLAIM] * 100}), "GBM")
    assert 0 < sum(len(claim.text.split()) for claim in claims) <= MAXIMUM_WORDS


def test_a_model_that_writes_nothing_of_use_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no claim about GBM"):
        write_background(("GBM",), tmp_path, ask=lambda _: "I cannot", model="stub")
    assert not (tmp_path / "knowledge.json").exists()
