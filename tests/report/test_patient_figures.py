from __future__ import annotations

from sequela.report.patient_figures import part_name, parts_figure, timeline_figure


def test_the_time_line_says_each_risk() -> None:
    svg = timeline_figure([(0.0, 0.12), (400.0, 0.305)], [(0.0, "note")], "one", "Patient 1")
    assert "12%" in svg
    assert "30%" in svg or "31%" in svg
    assert "Patient 1" in svg


def test_risks_that_are_no_probabilities_are_numbers() -> None:
    svg = timeline_figure([(0.0, 0.5), (400.0, 3.25)], [], "one", "Patient 1")
    assert "3.25" in svg
    assert "risk, %" not in svg


def test_the_strongest_part_is_named_first_and_by_its_visit() -> None:
    svg = parts_figure([("image@1", 0.1), ("shared@2", -0.5)], "one", "Patient 1")
    assert "shared, last visit -0.50, image, first visit +0.10" in svg


def test_the_last_slot_is_the_last_visit() -> None:
    names = [part_name(token, 3) for token in ("image@1", "image@2", "image@3", "varying")]
    assert names == ["image, first visit", "image, 2. visit", "image, last visit", "varying"]
    assert part_name("image@1", 1) == "image, last visit"
