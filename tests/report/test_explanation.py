from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from sequela.report.explanation import likeness, map_checks, read_examples


def exam(**fields: Any) -> dict[str, Any]:
    return {"patients": [{"exams": [{"day": 10.0, **fields}]}]}


def test_a_name_that_leads_out_of_the_folder_is_not_opened(tmp_path: Path) -> None:
    inside = tmp_path / "explanations"
    inside.mkdir()
    for path in (tmp_path / "secret.png", inside / "own.png"):
        Image.fromarray(np.zeros((8, 8), np.uint8)).save(path)
    views = [
        {"kind": "L CC", "image": "../secret.png"},
        {"kind": "L CC", "image": str(tmp_path / "secret.png")},
        {"kind": "R CC", "image": "own.png"},
    ]
    ((shown,),) = (patient.exams for patient in read_examples(exam(views=views), inside))
    assert [view.kind for view in shown.views] == ["R CC"]


def test_a_file_that_is_no_image_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "image.png").write_bytes(b"<script>")
    views = [{"kind": "L CC", "image": "image.png"}]
    ((shown,),) = (patient.exams for patient in read_examples(exam(views=views), tmp_path))
    assert shown.views == ()


def test_tokens_keep_the_text_and_the_sign(tmp_path: Path) -> None:
    tokens = [["Scar", 0.5], [" unchanged", -1.0], [".", 0]]
    ((shown,),) = (patient.exams for patient in read_examples(exam(tokens=tokens), tmp_path))
    assert "".join(token.text for token in shown.tokens) == "Scar unchanged."
    assert [token.strength for token in shown.tokens] == [0.5, 1.0, 0.0]
    assert [token.raises for token in shown.tokens] == [True, False, False]


def test_patients_are_numbers(tmp_path: Path) -> None:
    found = read_examples({"patients": [{"label": "MRN 77"}, {"label": "MRN 78"}]}, tmp_path)
    assert [patient.label for patient in found] == ["Patient 1", "Patient 2"]


def test_words_that_all_move_next_to_nothing_are_not_coloured(tmp_path: Path) -> None:
    tokens = [["Scar", 1e-5], [" unchanged", -2e-5]]
    ((shown,),) = (patient.exams for patient in read_examples(exam(tokens=tokens), tmp_path))
    assert max(token.strength for token in shown.tokens) < 0.01


def test_hits_stand_beside_chance_and_what_is_beyond_it() -> None:
    share = {"value": 0.75, "low": 0.3, "high": 0.95}
    overlap = {"value": 0.2, "low": 0.1, "high": 0.3}
    pointing = [
        {"name": "as trained", "hits": 3.0, "views": 4, "patients": 2}
        | {"share": share, "overlap": overlap}
    ]
    beyond = [{"name": "as trained − chance", "share": share, "overlap": overlap}]
    table = map_checks({"checks": {"pointing": pointing, "beyond": beyond, "likeness": None}})
    assert table is not None
    assert "2 patients" in table.caption
    assert [row[:2] for row in table.rows] == [
        ("as trained", "3 of 4"),
        ("as trained − chance", None),
    ]
    assert "0.300" in table.markdown()
    assert map_checks({"checks": {"pointing": [], "beyond": [], "likeness": None}}) is None


def test_the_likeness_is_said_in_words() -> None:
    assert "−0.045" in likeness({"checks": {"likeness": -0.045}})
    assert likeness({"checks": {"likeness": None}}) == likeness({}) == ""


def test_what_was_missing_is_a_sentence(tmp_path: Path) -> None:
    exams = [{"day": 0.0, "missing": ["L CC", "note"]}, {"day": 400.0, "missing": []}]
    (one,) = read_examples({"patients": [{"exams": exams}]}, tmp_path)
    assert one.missing == "Visit 1 lacks L CC, note."
    (whole,) = read_examples({"patients": [{"exams": exams[1:]}]}, tmp_path)
    assert whole.missing == "Nothing that the model reads."


def test_sums_stand_beside_what_they_should_be(tmp_path: Path) -> None:
    node = {
        "parts": {"score": 1.5, "baseline": 0.5, "exact": True}
        | {"weights": [["image@2", 0.75], ["varying", 0.25]]},
        "words": {"score": 1.5, "baseline": 1.0, "sum": 0.5},
        "change": {"since": 0.0, "then": 1.0, "now": 1.5}
        | {"steps": [{"what": "visit", "moved": 0.1}, {"what": "images", "moved": 0.4}]},
    }
    (one,) = read_examples({"patients": [node]}, tmp_path)
    assert one.parts_sum is not None
    assert one.parts_sum.expected == one.parts_sum.found == 1.0
    assert one.words_sum is not None
    assert one.words_sum.expected == one.words_sum.found == 0.5
    assert one.change is not None
    assert one.change.moved == 0.5
    assert one.change.steps[1] == ("its images", 0.4)


def test_an_explanation_of_an_earlier_version_is_still_read(tmp_path: Path) -> None:
    (one,) = read_examples(exam(tokens=[]), tmp_path)
    assert (one.risks, one.change, one.parts, one.words_sum) == ((), None, (), None)
