from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from sequela.report.explanation import map_checks, read_examples


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


def test_hits_are_said_with_their_denominator() -> None:
    pointing = [{"name": "as trained", "hits": 3.0, "views": 4}]
    rows = map_checks({"checks": {"pointing": pointing, "likeness": None}})
    assert rows == [("Maps that peak on the simulated lesion, as trained", "3 of 4")]
