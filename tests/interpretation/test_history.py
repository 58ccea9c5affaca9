from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import torch

from sequela.cohort.patient import Case, Exam, Image, Text
from sequela.interpretation.history import history, standpoints
from sequela.interpretation.portrait import Subject
from sequela.modalities.batch import Batch, Sample
from sequela.modalities.cases import CaseInputs
from sequela.models.heads import BinaryHead
from sequela.models.lumin import Lumin


def exam(number: int, *texts: tuple[float, float]) -> Exam:
    notes = tuple(
        Text(f"t{number}-{row}", day, available, "note", f"note {number}-{row}", "en")
        for row, (day, available) in enumerate(texts)
    )
    images = (Image(f"i{number}", "L", "CC", Path("x")),)
    return Exam(f"e{number}", 400.0 * number, "MG", "", images, notes)


CASE = Case(
    "p",
    800.0,
    (exam(0, (0.0, 0.0), (5.0, 500.0)), exam(1, (400.0, 400.0)), exam(2, (800.0, 800.0))),
)


@dataclass(frozen=True)
class Given(CaseInputs):
    """Samples cut from a batch's first patient: her first exam alone, then both."""

    batch: Batch | None = None

    def __getitem__(self, row: int, /) -> Sample:
        count = row + 1 if len(self.cases) > 1 else 2
        fields = {
            name: None if value is None else value[:1, :count]
            for name, value in vars(self.batch).items()
        }
        return Sample(**fields)


def subject(model: Lumin, batch: Batch, cases: list[Case]) -> Subject:
    return Subject(model, BinaryHead(None), 2, Given(cases, batch=batch), None, False)


def test_a_standpoint_sees_what_could_be_read_by_then() -> None:
    first, second, now = standpoints(CASE)
    assert [case.landmark for case in (first, second, now)] == [0.0, 400.0, 800.0]
    assert [len(case.exams) for case in (first, second, now)] == [1, 2, 3]
    assert [len(text.exams[0].texts) for text in (first, second, now)] == [1, 1, 2]
    assert now is CASE


def test_the_steps_sum_to_the_change(model: Lumin, batch: Batch) -> None:
    found = history(subject(model, batch, [replace(CASE, landmark=0.0), CASE]))
    change = found["change"]
    assert [step["what"] for step in change["steps"]] == ["visit", "images", "note"]
    total = sum(step["moved"] for step in change["steps"])
    assert total == pytest.approx(change["now"] - change["then"], abs=1e-6)
    assert max(abs(step["moved"]) for step in change["steps"]) > 1e-4
    with torch.no_grad():
        now = model(subject(model, batch, [CASE, CASE]).seen(1)).logits[0, 0]
    assert change["now"] == pytest.approx(now.item(), abs=1e-5)
    assert [risk["day"] for risk in found["risks"]] == [0.0, 800.0]


def test_what_the_visit_lacks_is_no_step(model: Lumin, batch: Batch) -> None:
    assert batch.view_mask is not None and batch.text_mask is not None
    views, texts = batch.view_mask.clone(), batch.text_mask.clone()
    views[0, 1], texts[0, 1] = False, False
    bare = replace(batch, view_mask=views, text_mask=texts)
    change = history(subject(model, bare, [replace(CASE, landmark=0.0), CASE]))["change"]
    assert [step["what"] for step in change["steps"]] == ["visit"]
    assert change["steps"][0]["moved"] == pytest.approx(change["now"] - change["then"], abs=1e-9)


def test_one_visit_has_no_change(model: Lumin, batch: Batch) -> None:
    found = history(subject(model, batch, [CASE]))
    assert found["change"] is None
    assert len(found["risks"]) == 1
