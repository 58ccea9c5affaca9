from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from sequela.errors import DataError, UsageError
from sequela.evaluation.evaluate import evaluate
from sequela.evaluation.foreign import read_predictions
from sequela.evaluation.predictions import Predictions
from sequela.evaluation.settings import EvaluationSettings

MAPPING = {"patient": "MRN", "time": "days", "event": "relapsed", "risk": "score"}


def write(folder: Path, text: str) -> Path:
    path = folder / "colleague.csv"
    path.write_text(text)
    return path


def test_a_table_with_other_names_is_read_and_nothing_is_claimed_of_it(tmp_path: Path) -> None:
    path = write(tmp_path, "MRN,days,relapsed,score,survival_365\na,10,1,0.9,0.2\nb,20,0,0.1,0.8\n")
    predictions = read_predictions(path, MAPPING)
    assert predictions.table["patient_id"].to_list() == ["a", "b"]
    assert predictions.table["event"].to_list() == [1, 0]
    assert predictions.grid == (365.0,)
    assert predictions.provenance.epoch_chosen_on == "unknown"
    model = evaluate([predictions], EvaluationSettings(bootstraps=0)).as_json()["models"][0]
    assert model["metrics"]["auc"]["value"] == 1.0
    assert model["warnings"] == ["how the model was selected is not known"]


@pytest.mark.parametrize("words", [("TRUE", "FALSE"), ("yes", "No"), ("1", "0"), ("1.0", " 0")])
def test_events_may_be_words(tmp_path: Path, words: tuple[str, str]) -> None:
    yes, no = words
    path = write(tmp_path, f"MRN,days,relapsed,score\na,10,{yes},1\nb,20,{no},0\n")
    assert read_predictions(path, MAPPING).table["event"].to_list() == [1, 0]


def test_every_bad_row_is_named_and_no_value_is_shown(tmp_path: Path) -> None:
    path = write(tmp_path, "MRN,days,relapsed,score\na,2019-05-01,1,x\nb,20,0,0\nc,secret,1,3\n")
    with pytest.raises(DataError) as caught:
        read_predictions(path, MAPPING)
    assert caught.value.items == (
        "row 1, time: not a number",
        "row 3, time: not a number",
        "row 1, risk: not a number",
    )
    assert "secret" not in str(caught.value.as_json())


def test_missing_negative_and_repeated_rows_are_named(tmp_path: Path) -> None:
    path = write(tmp_path, "MRN,days,relapsed,score\na,-1,1,1\nb,,0,0\nc,3,1,3\nc,4,0,3\nd,5,0,\n")
    with pytest.raises(DataError) as caught:
        read_predictions(path, MAPPING)
    assert set(caught.value.items) == {
        "row 1: time is not a number of days >= 0",
        "row 2: time is missing",
        "row 3: patient and landmark stand twice",
        "row 4: patient and landmark stand twice",
        "row 5: risk is missing",
    }


def test_events_coded_one_and_two_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path, "MRN,days,relapsed,score\na,1,1,1\nb,2,2,0\n")
    with pytest.raises(DataError, match="never 0"):
        read_predictions(path, MAPPING)


def test_an_absent_column_and_an_unknown_name_say_what_to_do(tmp_path: Path) -> None:
    path = write(tmp_path, "MRN,days,relapsed\na,1,1\n")
    with pytest.raises(DataError, match="score"):
        read_predictions(path, MAPPING)
    with pytest.raises(UsageError, match="hazard"):
        read_predictions(path, {"hazard": "score"})
    with pytest.raises(UsageError, match="no predictions table"):
        read_predictions(tmp_path / "absent.csv")


def test_our_own_file_keeps_its_provenance(tmp_path: Path, predictions: Predictions) -> None:
    path = tmp_path / "predictions.parquet"
    predictions.write(path)
    read = read_predictions(path, {})
    assert read.provenance == predictions.provenance
    assert read.table.equals(predictions.table)


def test_a_broken_parquet_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "broken.parquet"
    path.write_bytes(b"PAR1 not really")
    with pytest.raises(DataError, match="is no Parquet file, or is damaged"):
        read_predictions(path)


def test_parquet_is_read_too(tmp_path: Path) -> None:
    path = tmp_path / "table.parquet"
    frame = {"patient": [1, 2], "time": [3.0, 4.0], "event": [True, False], "risk": [0.5, 0.25]}
    pl.DataFrame(frame).write_parquet(path)
    assert read_predictions(path).table["event"].to_list() == [1, 0]
