from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from sequela.cohort.patient import Case, Exam, Text
from sequela.cohort.patient import Image as Mammogram
from sequela.interpretation.pointing import Lesion
from sequela.interpretation.portrait import Subject, portrait
from sequela.interpretation.sanity import check_maps
from sequela.modalities.cases import CaseInputs, TokenisedTexts
from sequela.modalities.text import (
    TextSettings,
    TinyEncoderSettings,
    load_tokenizer,
    train_tiny_encoder,
)
from sequela.models.heads import BinaryHead
from sequela.models.lumin import Lumin

NOTES = ("scar unchanged", "new mass in the left breast")
SETTINGS = TextSettings(
    tokens=32, tiny=TinyEncoderSettings(vocabulary=300, layers=1, dim=4, heads=1)
)


class Images(dict[str, np.ndarray]):
    def pixels(self, image_id: str) -> np.ndarray:
        return self[image_id]


def exam(number: int, views: str, note: str) -> Exam:
    day = 400.0 * number
    kinds = [("L", "CC"), ("R", "MLO")][: len(views)]
    images = tuple(
        Mammogram(f"secret-{number}-{side}", side, view, Path("x"))  # type: ignore[arg-type]
        for side, view in kinds
    )
    texts = (Text(f"t{number}", day, day, "note", note, "en"),) if note else ()
    return Exam(f"e{number}", day, "MG", "", images, texts)


CASES = (
    Case("secret", 400.0, (exam(0, "ab", NOTES[0]), exam(1, "ab", NOTES[1]))),
    Case("alone", 0.0, (exam(0, "a", ""),)),
)


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("encoder")
    train_tiny_encoder(NOTES, folder, SETTINGS)
    return load_tokenizer(str(folder))


@pytest.fixture
def subject(model: Lumin, tokenizer: Any) -> Subject:
    generator = np.random.default_rng(0)
    names = {image.image_id for case in CASES for exam in case.exams for image in exam.images}
    images = Images(
        {name: generator.integers(0, 256, (64, 64)).astype(np.uint8) for name in sorted(names)}
    )
    texts = TokenisedTexts.of(CASES, tokenizer, SETTINGS)
    # The small model knows 40 tokens.
    texts = replace(texts, ids={text: ids % 35 + 5 for text, ids in texts.ids.items()})
    return Subject(model, BinaryHead(None), 2, CaseInputs(CASES, images, texts), tokenizer, False)


def test_every_view_of_every_visit_is_written_with_its_map(
    subject: Subject, tmp_path: Path
) -> None:
    found = portrait(subject, 0, tmp_path, "patient-1")
    assert [exam["day"] for exam in found["exams"]] == [0.0, 400.0]
    assert [view["kind"] for view in found["exams"][1]["views"]] == ["L CC", "R MLO"]
    for exam in found["exams"]:
        for view in exam["views"]:
            assert Image.open(tmp_path / view["image"]).mode == "L"
            assert Image.open(tmp_path / view["map"]).mode == "RGBA"
    assert 0 < found["risk"] < 1


def test_the_brightest_place_of_a_patient_is_bright(subject: Subject, tmp_path: Path) -> None:
    found = portrait(subject, 0, tmp_path, "patient-1")
    maps = [
        np.asarray(Image.open(tmp_path / view["map"]))
        for exam in found["exams"]
        for view in exam["views"]
    ]
    assert max(int(image[:, :, 3].max()) for image in maps) > 180


def test_the_picture_written_is_the_one_the_model_saw(subject: Subject, tmp_path: Path) -> None:
    found = portrait(subject, 1, tmp_path, "patient-2")
    ((view,),) = (exam["views"] for exam in found["exams"])
    assert subject.inputs.images is not None
    shown = np.asarray(Image.open(tmp_path / view["image"]))
    np.testing.assert_array_equal(shown, subject.inputs.images.pixels("secret-0-L"))


def test_no_identifier_leaves(subject: Subject, tmp_path: Path) -> None:
    found = portrait(subject, 0, tmp_path, "patient-1")
    names = [path.name for path in tmp_path.iterdir()]
    assert names
    assert "secret" not in repr(found) + repr(names)


def test_notes_are_withheld_unless_they_may_be_shown(subject: Subject, tmp_path: Path) -> None:
    first, second = portrait(subject, 0, tmp_path, "patient-1")["exams"]
    assert (first["text"], first["withheld"]) == ("", True)
    assert "mass" not in repr(second)
    (silent,) = portrait(subject, 1, tmp_path, "patient-2")["exams"]
    assert not silent["withheld"]


def test_weights_sum_to_what_they_explain(subject: Subject, tmp_path: Path) -> None:
    found = portrait(replace(subject, show_texts=True), 0, tmp_path, "patient-1")
    words, parts = found["words"], found["parts"]
    assert words["sum"] == pytest.approx(words["score"] - words["baseline"], abs=1e-3)
    assert len(parts["weights"]) == 12
    total = sum(weight for _, weight in parts["weights"])
    assert total == pytest.approx(parts["score"] - parts["baseline"], abs=1e-12)
    assert words["score"] == pytest.approx(parts["score"], abs=1e-5)
    for exam in found["exams"]:
        pieces = [text for text, _ in exam["tokens"]]
        assert [text for text, _ in exam["attention"]] == pieces
        assert min(weight for _, weight in exam["attention"]) >= 0


def test_gradient_attention_can_be_left_out(subject: Subject, tmp_path: Path) -> None:
    found = portrait(replace(subject, show_texts=True, attention=False), 0, tmp_path, "patient-1")
    assert all(exam["tokens"] and not exam["attention"] for exam in found["exams"])


def test_what_a_visit_lacks_is_named(subject: Subject, tmp_path: Path) -> None:
    first, _ = portrait(subject, 0, tmp_path, "patient-1")["exams"]
    assert first["missing"] == ["L MLO", "R CC"]
    (alone,) = portrait(subject, 1, tmp_path, "patient-2")["exams"]
    assert alone["missing"] == ["L MLO", "R CC", "R MLO", "note"]


def test_a_patient_without_a_note_has_no_words(subject: Subject, tmp_path: Path) -> None:
    assert portrait(replace(subject, show_texts=True), 1, tmp_path, "patient-2")["words"] == {}


def test_a_model_without_text_shows_the_note_without_weights(
    subject: Subject, tmp_path: Path
) -> None:
    deaf = replace(subject, inputs=replace(subject.inputs, texts=None), show_texts=True)
    first, _ = portrait(deaf, 0, tmp_path, "patient-1")["exams"]
    assert first["text"] == NOTES[0]
    assert first["tokens"] == []


def test_the_checks_count_lesions_and_compare_with_shuffled_weights(subject: Subject) -> None:
    everywhere = {name: Lesion(32.0, 32.0, 100.0) for name in ("secret-0-L", "secret-1-R")}
    found = check_maps(subject, [0, 1], everywhere)
    assert {one["views"] for one in found["pointing"]} == {3}
    names = [one["name"] for one in found["pointing"]]
    assert names[:2] == ["as trained", "weights shuffled"]
    assert found["pointing"][2]["hits"] == 3.0
    assert found["pointing"][2]["share"]["value"] == 1.0
    assert {one["patients"] for one in found["pointing"]} == {2}
    for one in found["pointing"]:
        assert 0 <= one["overlap"]["value"] <= 1
    assert [one["name"] for one in found["beyond"]] == [
        "as trained − weights shuffled",
        "as trained − chance",
    ]
    assert -1 <= found["likeness"] < 0.999
    assert not check_maps(subject, [0], {})["pointing"]


def test_the_checks_leave_the_model_alone(subject: Subject) -> None:
    before = [parameter.clone() for parameter in subject.model.parameters()]
    check_maps(subject, [0], {})
    for parameter, kept in zip(subject.model.parameters(), before, strict=True):
        assert torch.equal(parameter, kept)
