from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

from sequela.cohort.patient import Case, Exam, Image, Text
from sequela.modalities.augmentation import Augmentation
from sequela.modalities.batch import Sample, collate
from sequela.modalities.cases import CaseInputs, ExamInputs, TokenisedTexts, read_views
from sequela.modalities.text import TextSettings


class Store:
    """Images whose every pixel is their number."""

    def __init__(self, images: dict[str, np.ndarray]) -> None:
        self.images = images

    def __contains__(self, image_id: object, /) -> bool:
        return image_id in self.images

    def pixels(self, image_id: str, /) -> np.ndarray:
        return self.images[image_id]


def image(name: str, side: str = "L", view: str = "CC") -> Image:
    return Image(name, side, view, Path(name))  # type: ignore[arg-type]


def text(name: str, words: str, day: float = 0.0) -> Text:
    return Text(name, day, day, "note", words, "en")


def exam(name: str, day: float, images: tuple[Image, ...] = (), *texts: Text) -> Exam:
    return Exam(name, day, "MG", "", images, texts)


@pytest.fixture
def store() -> Store:
    return Store({f"i{k}": np.full((8, 8), k, dtype=np.uint8) for k in range(6)})


TEXTS = TokenisedTexts({"a": np.array([0, 7, 2]), "b": np.array([0, 8, 9, 2])}, 0.0)


def same(one: Sample, other: Sample) -> bool:
    return all(
        torch.equal(getattr(one, field.name), getattr(other, field.name))
        for field in dataclasses.fields(Sample)
        if getattr(one, field.name) is not None
    )


def test_a_sample_holds_what_its_case_may_see_and_masks_the_rest(store: Store) -> None:
    views = (image("i1", "R", "MLO"), image("i2", "L", "CC"), image("not-prepared", "R", "CC"))
    case = Case("p", 400.0, (exam("e1", 0.0, views, text("t", "b")), exam("e2", 400.0)))
    sample = CaseInputs([case], store, TEXTS)[0]
    assert sample.day.tolist() == [[-400.0, 0.0]]
    assert sample.view_mask is not None and sample.view_kind is not None
    assert sample.view_mask.tolist() == [[[True, True], [False, False]]]
    assert sample.view_kind[0, 0].tolist() == [0, 3]
    assert sample.views is not None and sample.views[0, 0, :, 0, 0].tolist() == [2, 1]
    assert sample.text_mask is not None and sample.text_mask.tolist() == [[True, False]]
    assert sample.tokens is not None and sample.tokens[0, 0].tolist() == [0, 8, 9, 2]
    assert sample.token_mask is not None and sample.token_mask.sum().item() == 4


def test_samples_of_unequal_patients_make_one_batch(store: Store) -> None:
    cases = [
        Case("p", 0.0, (exam("e1", -200.0, (image("i1"),)), exam("e2", 0.0, (), text("t", "a")))),
        Case("q", 0.0, (exam("e3", 0.0),)),
    ]
    inputs = CaseInputs(cases, store, TEXTS)
    batch = collate([inputs[0], inputs[1]])
    assert batch.exam_mask.tolist() == [[True, True], [True, False]]
    assert batch.view_mask is not None and batch.view_mask.sum().item() == 1
    assert batch.views is not None and batch.views.shape == (2, 2, 1, 8, 8)


def test_texts_of_an_exam_are_joined_in_order_of_date() -> None:
    case = Case("p", 0.0, (exam("e", 0.0, (), text("t2", "later", 2.0), text("t1", "first", 1.0)),))
    seen: list[str] = []

    def tokenizer(texts: list[str], **_: object) -> dict[str, list[list[int]]]:
        seen.extend(texts)
        return {"input_ids": [[0, 2]], "special_tokens_mask": [[1, 1]]}

    TokenisedTexts.of([case], tokenizer, TextSettings())
    assert seen == ["first\nlater"]


def test_augmentation_depends_on_seed_epoch_and_index_alone(store: Store) -> None:
    store.images["i1"] = np.arange(64, dtype=np.uint8).reshape(8, 8) * 3
    cases = [Case("p", 0.0, (exam("e", 0.0, (image("i1"),)),))] * 2
    inputs = CaseInputs(cases, store, augmentation=Augmentation(), seed=3)
    assert same(inputs[1], inputs[1])
    assert not same(inputs[0], inputs[1])
    assert not same(inputs[1], inputs.at(1)[1])
    assert same(inputs.at(1)[1], inputs.at(1)[1])


def test_a_mirrored_patient_changes_sides(store: Store) -> None:
    store.images["i1"] = np.tile(np.arange(8, dtype=np.uint8) * 30, (8, 1))
    case = Case("p", 0.0, (exam("e", 0.0, (image("i1", "L", "MLO"),)),))
    still = Augmentation(shift=0, rotation=0, brightness=0)
    plain = CaseInputs([case], store, augmentation=still)[0]
    mirrored = CaseInputs([case], store, augmentation=still.evolve(mirror=1.0))[0]
    assert plain.view_kind is not None and mirrored.view_kind is not None
    assert (plain.view_kind.item(), mirrored.view_kind.item()) == (1, 3)
    assert plain.views is not None and mirrored.views is not None
    assert torch.equal(plain.views.flip(-1), mirrored.views)
    assert torch.equal(plain.views[0, 0, 0], torch.from_numpy(store.images["i1"]))


def test_alignment_pairs_are_exams_with_image_and_text_each_taken_once(store: Store) -> None:
    first = exam("e1", 0.0, (image("i1"),), text("t", "a"))
    second = exam("e2", 300.0, (image("i2"),), text("t", "b"))
    silent = exam("e3", 400.0, (image("i3"),))
    cases = [Case("p", 0.0, (first,)), Case("p", 400.0, (first, second, silent))]
    inputs = ExamInputs(cases, store, TEXTS)
    assert len(inputs) == 2
    assert inputs.patients == ("p", "p")
    assert [inputs[row].views[0, 0, 0, 0, 0].item() for row in range(2)] == [1, 2]  # type: ignore[index]


def test_exams_without_any_prepared_image_have_no_view_slot(store: Store) -> None:
    views, kind, mask = read_views([exam("e", 0.0, (image("lost"),))], store)
    assert views.shape == (1, 0, 0, 0)
    assert kind.shape == mask.shape == (1, 0)
