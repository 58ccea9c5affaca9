"""Public data that nobody here made, by the commands that a user would type."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest
from lifelines import CoxPHFitter
from lifelines.utils import concordance_index
from spoken import Spoken, contents, speak

DOCS = Path(__file__).parents[2] / "docs" / "cohorts"
CLINICAL = (
    "protocol: {name: cross-validation, endpoint: ENDPOINT, horizon: 1826}\n"
    "split: SPLIT\n"
    "evaluation: {bootstraps: 20}\n"
)


def answered(*words: object) -> dict[str, object]:
    return speak("--json", *words).answer


@pytest.fixture
def mammograms(shared_data: Path, tmp_path: Path) -> Path:
    cohort = tmp_path / "mammograms"
    told = answered("import", "pictures", shared_data / "mammograms", "--out", cohort, "--keep-ids")
    assert told["counts"] == {"patients": 2, "exams": 2, "images": 4}
    assert answered("check", cohort)["errors"] == 0
    return cohort


def run_of(walked: tuple[Path, dict[str, Spoken]], name: str) -> Path:
    return walked[0] / "work" / "runs" / name


def test_real_mammograms_are_predicted_by_a_run_of_another_cohort(
    mammograms: Path, walked: tuple[Path, dict[str, Spoken]]
) -> None:
    run = run_of(walked, "st-i")
    assert answered("prepare", mammograms, "--run", run)["cases"] == 2
    assert answered("predict", mammograms, "--run", run)["patients"] == 2
    table = pl.read_parquet(mammograms / "work" / "predictions.parquet")
    assert table["patient_id"].to_list() == ["1", "2"]
    assert table["risk"].is_finite().all()
    assert table["time"].is_null().all()
    assert table["event"].is_null().all()
    assert not (mammograms / "work" / "splits.csv").exists()
    refused = speak("evaluate", mammograms)
    assert refused.code == 3
    assert "there is no outcome to evaluate" in refused.err
    assert not (mammograms / "work" / "evaluation.json").exists()


def test_other_pixels_than_the_run_saw_are_refused_with_what_mends_it(
    mammograms: Path, walked: tuple[Path, dict[str, Spoken]]
) -> None:
    run, other = run_of(walked, "st-i"), mammograms / "other"
    assert answered("prepare", mammograms, "--external", "--work", other, "images.size=48")
    refused = speak("predict", mammograms, "--run", run, "--work", other)
    assert refused.code == 4
    assert "another pixel policy" in refused.err
    assert "sequela prepare COHORT --run RUN --work ANOTHER-FOLDER" in refused.err
    assert answered("prepare", mammograms, "--run", run, "--work", mammograms / "mended")
    assert answered("predict", mammograms, "--run", run, "--work", mammograms / "mended")


def test_a_run_that_reads_what_the_cohort_lacks_is_refused(
    mammograms: Path, walked: tuple[Path, dict[str, Spoken]]
) -> None:
    answered("prepare", mammograms, "--run", run_of(walked, "st-i"))
    before = contents(mammograms)
    refused = speak("predict", mammograms, "--run", run_of(walked, "st-r"))
    assert refused.code == 3
    assert "no text" in refused.err
    assert contents(mammograms) == before


def test_real_notes_become_a_cohort_without_findings_that_stop_it(
    shared_data: Path, tmp_path: Path
) -> None:
    cohort = tmp_path / "notes"
    told = answered("import", "fhir", shared_data / "notes", "--out", cohort)
    assert told["counts"] == {"patients": 5, "texts": 223}
    assert answered("check", cohort)["errors"] == 0


def imported(shared_data: Path, folder: Path, file: str, split: str, endpoint: str) -> Path:
    name = file.partition("_")[0].partition(".")[0]
    cohort = folder / name
    mapping = DOCS / f"{name}.yaml"
    source = shared_data / "survival" / file
    answered("import", "table", source, "--out", cohort, "--mapping", mapping, "--keep-ids")
    assert answered("check", cohort)["errors"] == 0
    text = CLINICAL.replace("ENDPOINT", endpoint).replace("SPLIT", split)
    (cohort / "sequela.yaml").write_text(text, encoding="utf-8")
    return cohort


def numbers(cohort: Path) -> tuple[np.ndarray, pl.DataFrame]:
    """Covariates as numbers in the mapping's own coding, with time and event."""
    levels = {"<=20": "0", "20-50": "1", ">50": "2"}
    patients = pl.read_csv(cohort / "patients.csv", infer_schema=False)
    table = patients.with_columns(pl.col("size").replace(levels)).join(
        pl.read_csv(cohort / "outcomes.csv", schema_overrides={"patient_id": pl.String}).filter(
            endpoint="recurrence-free-survival"
        ),
        on="patient_id",
    )
    features = table.select(pl.exclude("patient_id", "endpoint", "time", "event", "entry"))
    return features.cast(pl.Float64, strict=False).to_numpy(), table


def direct_concordance(train: Path, test: Path) -> float:
    """Harrell's C in `test` of lifelines' Cox model of `train`."""
    features, table = numbers(train)
    followed = {name: table[name].to_numpy() for name in ("time", "event")}
    frame = pd.DataFrame(features).assign(**followed)
    model = CoxPHFitter().fit(frame, duration_col="time", event_col="event")
    other, outcomes = numbers(test)
    risk = model.predict_log_partial_hazard(pd.DataFrame(other)).to_numpy()
    return float(concordance_index(outcomes["time"], -risk, outcomes["event"]))


def test_rotterdam_predicts_gbsg_as_a_direct_cox_model_does(
    shared_data: Path, tmp_path: Path
) -> None:
    endpoint = "recurrence-free-survival"
    rotterdam = imported(
        shared_data, tmp_path, "rotterdam.csv", "{test: 0, validation: 0}", endpoint
    )
    gbsg = imported(shared_data, tmp_path, "gbsg.csv", "{}", endpoint)
    assert answered("prepare", rotterdam)["patients"] == 2982
    answered("train", rotterdam, "--variant", "cox-clinical")
    run = rotterdam / "work" / "runs" / "cox-clinical"
    assert answered("prepare", gbsg, "--run", run)["patients"] == 686
    assert answered("predict", gbsg, "--run", run)["rows"] == 686
    models = answered("evaluate", gbsg)["models"]
    assert isinstance(models, list)
    values = {name: estimate["value"] for name, estimate in models[0]["metrics"].items()}
    assert values["harrell_c"] == pytest.approx(direct_concordance(rotterdam, gbsg), abs=0.005)
    # Of the outcomes alone, so the same as riskRegression's in rotterdam-to-gbsg.json.
    assert values["brier_null"] == pytest.approx(0.2499301918, abs=1e-9)
    assert 0.6 < values["calibration_slope"] < 1.2
    assert 0.9 < values["observed_expected"] < 1.3
    assert answered("report", gbsg)["bytes"] > 10_000


def test_metabric_runs_as_its_own_cohort(shared_data: Path, tmp_path: Path) -> None:
    file, split = "metabric_clinical.tsv", "{folds: 3, validation: 0.2}"
    cohort = imported(shared_data, tmp_path, file, split, "recurrence")
    for command in ("prepare", "train", "predict"):
        options = ["--variant", "cox-clinical"] if command == "train" else []
        answered(command, cohort, *options)
    models = answered("evaluate", cohort)["models"]
    assert isinstance(models, list)
    estimate = models[0]["metrics"]["harrell_c"]
    assert 0.62 < estimate["low"] < estimate["value"] < estimate["high"] < 0.71
