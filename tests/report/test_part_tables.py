from __future__ import annotations

from typing import Any

import pytest

from sequela.report.part_tables import part_tables, scatter_figures

PARTS = ("complementary", "image", "text")


def estimate(value: float | None) -> dict[str, Any]:
    if value is None:
        return {"value": None, "reason": "a probe needs 10 patients, got 4"}
    return {"value": value, "low": value - 0.1, "high": value + 0.1}


def model(name: str, value: float | None) -> dict[str, Any]:
    pairs = [(a, b) for a in PARTS for b in PARTS if a != b]
    return {
        "name": name,
        "tells": [{"from": a, "to": b, "patients": 30, "r2": estimate(value)} for a, b in pairs],
        "alike": [
            {"parts": [a, b], "patients": 30, "cka": estimate(value), "chance": 0.125}
            for a, b in pairs
            if a < b
        ],
        "visit": {name: estimate(value) for name in PARTS},
        "event": {name: estimate(value) for name in PARTS},
        "panels": [
            {"title": "modalities", "points": {name: [[0.0, 1.0], [1.0, 0.0]] for name in PARTS}}
        ],
    }


def study(value: float | None) -> dict[str, Any]:
    models = [model("as trained", value), model("weights shuffled", 0.25)]
    return {"parts": {"patients": 30, "models": models}}


def test_every_number_has_that_of_shuffled_weights_beside_it() -> None:
    leakage, probes, similarity = part_tables(study(0.75))
    for table in (leakage, probes, similarity):
        text = table.markdown()
        assert "0.750" in text
        assert "0.250" in text
        assert all(len(row) == len(table.columns) for row in table.rows)
    assert "30 test patients" in leakage.caption
    assert "0.125" in similarity.markdown()


def test_parts_stand_in_the_order_of_the_model() -> None:
    leakage, probes, _ = part_tables(study(0.75))
    assert [row[0] for row in leakage.rows] == ["image", "text", "complementary"]
    assert [row[:2] for row in probes.rows][:2] == [("image", "text"), ("image", "complementary")]


def test_what_is_undefined_says_why() -> None:
    leakage, *_ = part_tables(study(None))
    assert "a probe needs 10 patients" in leakage.markdown()
    assert "NaN" not in leakage.markdown()


@pytest.mark.parametrize("found", [{}, {"parts": {}}])
def test_a_model_without_parts_has_no_tables(found: dict[str, Any]) -> None:
    assert part_tables(found) == ()
    assert scatter_figures(found) == []


def test_trained_and_shuffled_are_drawn_side_by_side() -> None:
    drawn = scatter_figures(study(0.75))
    assert [name for _, name, _ in drawn] == ["modalities-trained", "modalities-shuffled"]
    for _, _, svg in drawn:
        assert svg.startswith("<svg")
        assert "complementary" in svg
