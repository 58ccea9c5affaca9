from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from scipy.stats import poisson

from sequela.audit.duplicates import at_least, image_findings, life_findings
from sequela.cohort.checks import checked_tables
from sequela.cohort.cohort import read_cohort
from sequela.cohort.findings import Finding

COLUMNS = ["image_id", "exam_id", "side", "view", "path"]


def with_images(folder: Path, changed: Callable[..., Path]) -> list[str]:
    """An image file an exam of the first forty patients; gives the image ids."""
    exams = pl.read_csv(folder / "exams.csv").unique("patient_id", maintain_order=True).head(40)
    rows = []
    for exam in exams["exam_id"]:
        (folder / f"{exam}.dcm").write_bytes(f"image of {exam}".encode())
        rows.append((f"{exam}-I", exam, "L", "CC", f"{exam}.dcm"))
    pl.DataFrame(rows, schema=COLUMNS, orient="row").write_csv(folder / "images.csv")
    changed("exams", lambda table: table, {"tables": {"images": {"file": "images.csv"}}})
    return [row[0] for row in rows]


def images_found(folder: Path) -> Iterator[Finding]:
    cohort = read_cohort(folder)
    tables, _ = checked_tables(folder, cohort.manifest)
    return image_findings(cohort, tables["images"], folder / "work")


def lives_found(folder: Path) -> list[Finding]:
    cohort = read_cohort(folder)
    tables, _ = checked_tables(folder, cohort.manifest)
    return list(life_findings(cohort, tables["patients"], folder / "work"))


def prepare(folder: Path, image_ids: list[str], pixels: np.ndarray) -> None:
    """What a preparation leaves, as far as an audit reads it."""
    prepared = folder / "work" / "prepared"
    prepared.mkdir(parents=True)
    np.save(prepared / "images.npy", pixels)
    quality = {"image_id": image_ids, "failed": [""] * len(image_ids), "row": range(len(image_ids))}
    pl.DataFrame(quality).write_parquet(prepared / "images.parquet")
    (prepared / "prepared.json").write_text(json.dumps({}))


def scenes(count: int) -> np.ndarray:
    """Images of smooth random structure, each its own."""
    coarse = np.random.default_rng(2).integers(20, 235, (count, 16, 16))
    return np.kron(coarse, np.ones((8, 8))).astype(np.uint8)


def test_a_copied_file_is_found_and_whether_the_split_parts_it(
    copied: Path, changed: Callable[..., Path]
) -> None:
    ids = with_images(copied, changed)
    assert list(images_found(copied)) == []
    paths = pl.read_csv(copied / "images.csv")["path"]
    (copied / paths[7]).write_bytes((copied / paths[3]).read_bytes())
    (leak,) = images_found(copied)
    assert (leak.code, leak.severity, leak.row) == ("A021", "error", 5)
    assert "lines 5, 9; no split is drawn yet" in leak.message
    names = read_cohort(copied)
    patients = [patient.patient_id for patient in names.patients if patient.exams]
    whose = {image: next(p for p in patients if image.startswith(p)) for image in ids}
    parts = {name: "test" if name == whose[ids[3]] else "train" for name in patients}
    table = pl.DataFrame({"patient_id": list(parts), "split": list(parts.values())})
    (copied / "work").mkdir()
    table.select(repeat=0, fold=0, patient_id="patient_id", split="split").write_csv(
        copied / "work" / "splits.csv"
    )
    (leak,) = images_found(copied)
    assert "1 of them in two parts of a split" in leak.message


def test_the_same_pixels_and_nearly_the_same_are_found(
    copied: Path, changed: Callable[..., Path]
) -> None:
    ids = with_images(copied, changed)
    pixels = scenes(len(ids))
    pixels[8] = pixels[2]
    brighter = pixels[5].astype(float) * 0.8 + np.random.default_rng(1).normal(0, 3, (128, 128))
    pixels[11] = np.clip(brighter, 1, 255)
    prepare(copied, ids, pixels)
    same, near = images_found(copied)
    assert (same.code, same.severity, near.code, near.severity) == (
        "A021",
        "error",
        "A022",
        "warning",
    )
    assert "lines 4, 10;" in same.message
    assert "lines 7, 13;" in near.message


def test_lives_that_are_copied_are_found(
    clean: Path, copied: Path, changed: Callable[..., Path]
) -> None:
    assert lives_found(clean) == []

    def doubled(table: pl.DataFrame) -> pl.DataFrame:
        again = table.head(4).with_columns(patient_id="copy-" + pl.col("patient_id"))
        return pl.concat([table, again])

    changed("patients", doubled)
    (leak,) = lives_found(changed("outcomes", doubled))
    assert (leak.code, leak.severity, leak.row) == ("A023", "error", 2)
    assert leak.message.startswith("4 pair(s)")


def test_coarse_lives_are_equal_by_chance(changed: Callable[..., Path]) -> None:
    changed("outcomes", lambda table: table.with_columns(time=pl.lit(4000), event=pl.lit(0)))
    folder = changed("patients", lambda table: table.with_columns(age=pl.lit(60.0)))
    assert lives_found(folder) == []


@pytest.mark.parametrize(("count", "mean"), [(0, 1.0), (1, 0.3), (4, 2.5)])
def test_the_chance_is_poissons(count: int, mean: float) -> None:
    assert at_least(count, mean) == pytest.approx(poisson.sf(count - 1, mean), rel=1e-9)


def test_the_chance_of_many_is_nearly_poissons() -> None:
    assert at_least(1050, 1000.0) == pytest.approx(poisson.sf(1049, 1000), rel=0.05)
    assert at_least(5000, 1000.0) < 1e-9


def test_one_person_whose_other_columns_were_filled_in_differently_is_found(
    changed: Callable[..., Path],
) -> None:
    def doubled(table: pl.DataFrame) -> pl.DataFrame:
        again = table.head(4).with_columns(patient_id="copy-" + pl.col("patient_id"))
        return pl.concat([table, again])

    def with_marks(table: pl.DataFrame) -> pl.DataFrame:
        sexes = pl.Series("sex", ["female", "male"] * (len(table) // 2))
        both = doubled(table.with_columns(sexes))
        return both.with_columns(pl.Series("marker", np.arange(len(both), dtype=float)))

    changed("outcomes", doubled)
    folder = changed(
        "patients",
        with_marks,
        {
            "clinical": {
                "marker": {"kind": "numeric"},
                "sex": {"kind": "binary", "levels": ["female", "male"]},
            }
        },
    )
    (found,) = lives_found(folder)
    assert (found.code, found.severity) == ("A023", "error")
    assert found.message.startswith("4 pair(s)")
