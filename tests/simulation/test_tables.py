import json
from pathlib import Path

import polars as pl
import pydicom
import pytest
from pydicom.pixels import apply_voi_lut

from sequela.simulation.cohort import simulate
from sequela.simulation.phantom import Lesion
from sequela.simulation.settings import SIGNALS, MammogramSettings, SimulationSettings

SETTINGS = SimulationSettings(
    patients=6,
    seed=2,
    mammogram=MammogramSettings(
        height=96, width=80, transfer_syntaxes=("rle",), displays=("linear", "linear-inverted")
    ),
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tables") / "cohort"
    simulate(SETTINGS, folder)
    return folder


def oracle_of(folder: Path, **changes: object) -> pl.DataFrame:
    simulate(SETTINGS.evolve(images=False, patients=120, **changes), folder)
    return pl.read_parquet(folder / "truth" / "oracle.parquet")


def test_the_oracle_has_a_row_at_the_index_date_and_one_at_every_exam(folder: Path) -> None:
    oracle = pl.read_parquet(folder / "truth" / "oracle.parquet")
    exams = pl.read_csv(folder / "exams.csv").select("exam_id", "patient_id", "day")
    at_exams = oracle.drop_nulls("exam_id").select(
        "exam_id", "patient_id", pl.col("landmark").cast(pl.Int64).alias("day")
    )
    assert at_exams.equals(exams)
    at_index = oracle.filter(pl.col("exam_id").is_null())
    assert at_index["patient_id"].n_unique() == len(at_index) == SETTINGS.patients


def test_the_terms_add_up_to_the_linear_predictor(tmp_path: Path) -> None:
    oracle = oracle_of(tmp_path / "all")
    terms = oracle.select(pl.sum_horizontal(pl.col("^term_.*$")).alias("sum"))["sum"]
    assert (terms - oracle["linear_predictor"]).abs().max() < 1e-12
    assert oracle["risk"].is_between(0, 1).all()
    assert oracle["risk"].n_unique() > 100


def test_the_oracle_of_the_null_cohort_knows_nothing_but_the_day(tmp_path: Path) -> None:
    oracle = oracle_of(tmp_path / "null", signals=SIGNALS["none"])
    assert set(oracle["linear_predictor"]) == {0.0}
    assert oracle.group_by("landmark").agg(pl.col("risk").n_unique())["risk"].max() == 1
    assert oracle.filter(pl.col("landmark") == 0)["risk"].n_unique() == 1


@pytest.mark.parametrize("name", ["image", "text", "shared", "interaction", "change", "clinical"])
def test_a_signal_that_is_off_has_no_term_in_the_oracle(name: str, tmp_path: Path) -> None:
    off = SIGNALS["all"].evolve(**{name: 0.0})
    oracle = oracle_of(tmp_path / "off", signals=off)
    assert oracle[f"term_{name}"].abs().max() == 0
    others = [f"term_{other}" for other in type(off).model_fields if other != name]
    assert all(oracle[other].abs().max() > 0 for other in others)


def test_the_stored_lesions_are_where_the_files_are_bright(folder: Path) -> None:
    lesions = pl.read_parquet(folder / "truth" / "lesions.parquet")
    images = pl.read_csv(folder / "images.csv").join(lesions, on="image_id")
    assert len(images) == len(lesions)
    assert set(images["present"]) == {True, False}
    for row in images.iter_rows(named=True):
        dataset = pydicom.dcmread(folder / row["path"])
        values = apply_voi_lut(dataset.pixel_array, dataset) / (2**dataset.BitsStored - 1)
        if dataset.PhotometricInterpretation == "MONOCHROME1":
            values = 1 - values
        bright = values > 0.7
        if not row["present"]:
            assert not bright.any()
            continue
        names = ("row", "column", "radius", "lobes", "depth", "phase")
        mask = Lesion(**{name: row[name] for name in names}).mask(*bright.shape)
        assert (mask & bright).sum() / (mask | bright).sum() > 0.7


def test_signals_json_states_the_settings(folder: Path) -> None:
    stated = json.loads((folder / "truth" / "signals.json").read_text())
    assert SimulationSettings.model_validate(stated) == SETTINGS


def test_declared_covariates_are_columns_and_some_values_are_blank(tmp_path: Path) -> None:
    oracle_of(tmp_path / "all")
    patients = pl.read_csv(tmp_path / "all" / "patients.csv")
    blank = patients.select("age", "grade", "nodes", "receptor").null_count()
    assert all(0 < count < 20 for count in blank.row(0))
    assert set(patients["receptor"].drop_nulls()) == {"positive", "negative"}
    assert set(patients["grade"].drop_nulls()) == {1, 2, 3}
    assert patients["site"].n_unique() == SETTINGS.sites
