from __future__ import annotations

import numpy as np
import pytest

from sequela.interpretation.leakage import leakage
from sequela.interpretation.parts import Parts
from sequela.interpretation.scatter import scattered

GENERATOR = np.random.default_rng(0)
ROWS = 80
IMAGE, TEXT = GENERATOR.normal(size=(2, ROWS, 6))
HAPPENED = IMAGE[:, 0] + 0.3 * GENERATOR.normal(size=ROWS) > 0
PATIENT = [f"p{row}" for row in range(ROWS)]


@pytest.fixture(scope="module")
def parts() -> Parts:
    """`shared` is made of `image` alone, half have `varying`, visit 1's images stand elsewhere."""
    everybody = np.ones(ROWS, dtype=bool)
    vectors = {
        "image@1": IMAGE + 5.0,
        "text@1": TEXT,
        "image@2": IMAGE,
        "text@2": TEXT,
        "shared@2": IMAGE @ GENERATOR.normal(size=(6, 6)),
        "varying": GENERATOR.normal(size=(ROWS, 6)),
    }
    present = dict.fromkeys(vectors, everybody) | {"varying": np.arange(ROWS) % 2 == 0}
    return Parts(vectors, present)


@pytest.fixture(scope="module")
def found(parts: Parts):  # type: ignore[no-untyped-def]
    return leakage(parts, PATIENT, HAPPENED, np.arange(ROWS) < 70)


def test_a_part_that_is_made_of_another_tells_it_and_no_other(found) -> None:  # type: ignore[no-untyped-def]
    told = {(row["from"], row["to"]): row["r2"]["value"] for row in found["tells"]}
    assert told["shared", "image"] > 0.95
    assert told["image", "shared"] > 0.95
    assert told["shared", "text"] < 0.05
    assert told["text", "image"] < 0.05
    assert len(told) == 4 * 3


def test_only_patients_with_both_parts_are_counted(found) -> None:  # type: ignore[no-untyped-def]
    counts = {(row["from"], row["to"]): row["patients"] for row in found["tells"]}
    assert counts["image", "varying"] == counts["varying", "image"] == ROWS // 2
    assert counts["image", "text"] == ROWS


def test_alike_is_beside_its_chance(found) -> None:  # type: ignore[no-untyped-def]
    alike = {tuple(row["parts"]): row for row in found["alike"]}
    assert len(alike) == 6
    near, far = alike["image", "shared"], alike["image", "text"]
    assert near["cka"]["low"] > near["chance"]
    assert far["cka"]["low"] < far["chance"] < far["cka"]["high"] + 0.05


def test_the_visit_is_told_where_it_shows(found) -> None:  # type: ignore[no-untyped-def]
    assert found["visit"]["image"]["value"] > 0.95
    assert found["visit"]["text"]["low"] is None or found["visit"]["text"]["low"] <= 0.5
    assert "one visit" in found["visit"]["shared"]["reason"]
    assert "varying" not in found["visit"]


def test_the_outcome_is_told_where_it_stands(found) -> None:  # type: ignore[no-untyped-def]
    assert found["event"]["image"]["low"] > 0.7
    assert found["event"]["text"]["low"] < 0.5 < found["event"]["text"]["high"]


def test_too_few_patients_are_a_reason_and_no_number() -> None:
    few = Parts({"a": IMAGE[:4], "b": TEXT[:4]}, dict.fromkeys("ab", np.ones(4, dtype=bool)))
    found = leakage(few, PATIENT[:4], HAPPENED[:4], np.ones(4, dtype=bool))
    assert {row["r2"]["value"] for row in found["tells"]} == {None}
    assert "10 patients" in found["tells"][0]["r2"]["reason"]
    assert found["event"]["a"]["value"] is None


def test_the_same_seed_scatters_alike_and_groups_that_differ_stand_apart(parts: Parts) -> None:
    first, again = (scattered(parts, 20, 0) for _ in range(2))
    assert first == again
    (panel,) = first
    points = panel["points"]
    assert {name: len(found) for name, found in points.items()} == {
        "image": 20,
        "text": 20,
        "shared": 20,
    }
    assert scattered(parts, 3, 0) == []
