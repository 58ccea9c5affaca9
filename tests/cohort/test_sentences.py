from __future__ import annotations

from sequela.cohort.manifest import Manifest
from sequela.cohort.sentences import covariate_sentences, sentence

MANIFEST = Manifest.model_validate(
    {
        "name": "n",
        "endpoints": {"recurrence": {}},
        "tables": {},
        "clinical": {
            "age": {"kind": "numeric", "unit": "years"},
            "lymph_nodes": {"kind": "numeric"},
            "chemo": {"kind": "binary", "label": "chemotherapy"},
            "grade": {"kind": "ordinal", "levels": ["1", "2", "3"]},
        },
    }
)


def test_covariates_are_said_in_the_manifests_order_and_words() -> None:
    row = {"patient_id": "P1", "grade": "2", "age": 61.0, "chemo": 0.0, "lymph_nodes": 3.5}
    assert covariate_sentences(row, MANIFEST) == (
        "Age: 61 years. Lymph nodes: 3.5. Chemotherapy: no. Grade: 2."
    )


def test_what_is_not_known_is_not_said_and_ids_never_are() -> None:
    assert covariate_sentences({"patient_id": "P1", "age": None, "chemo": 1.0}, MANIFEST) == (
        "Chemotherapy: yes."
    )
    assert covariate_sentences({"patient_id": "P1"}, MANIFEST) == ""


def test_a_sentence_says_each_value_once() -> None:
    assert sentence("diagnosed", ["a", "b.", "a", " "]) == "Diagnosed: a; b."
    assert sentence("diagnosed", []) == ""
