"""Report fields as numbers: what is not said is a level, what is rare is left out."""

from __future__ import annotations

import json

import numpy as np
import pytest

from sequela.knowledge.schema import Evidence, Finding, StructuredReport
from sequela.modalities.report_numbers import ReportScaler


def report(**values: str) -> StructuredReport:
    evidence = Evidence(0, 1, "x")
    return StructuredReport.of(Finding(name, value, evidence) for name, value in values.items())


TRAIN = [
    *[report(grade="2", pT="T1a", size=str(1 + number)) for number in range(12)],
    *[report(grade="3", pT="T1b") for _ in range(10)],
    *[report(grade="4", pT="T3a", size="9.5") for _ in range(3)],
    *[None] * 11,
]


def test_training_patients_have_mean_zero_and_deviation_one() -> None:
    scaler = ReportScaler.fit(TRAIN)
    numbers = scaler.transform(TRAIN)
    np.testing.assert_allclose(numbers.mean(axis=0), 0, atol=1e-12)
    said = np.array([one is not None and one.value("size") != "unknown" for one in TRAIN])
    levels = [place for place, name in enumerate(scaler.features) if "=" in name]
    np.testing.assert_allclose(numbers[:, levels].std(axis=0), 1)
    size = scaler.features.index("size")
    np.testing.assert_allclose(numbers[said, size].std(), 1)
    assert (numbers[~said, size] == 0).all()


def test_a_rare_level_is_left_out_and_letters_are_not_told_apart() -> None:
    names = set(ReportScaler.fit(TRAIN).features)
    assert {"grade=2", "grade=3", "grade=unknown", "pT=T1", "size", "size=unknown"} <= names
    assert not names & {"grade=4", "pT=T1a", "pT=T3", "margins=unknown", "remark"}


def test_no_report_is_a_report_that_says_nothing() -> None:
    scaler = ReportScaler.fit(TRAIN)
    nothing = scaler.transform([None, StructuredReport.of(())])
    np.testing.assert_array_equal(nothing[0], nothing[1])
    place = scaler.features.index("grade=unknown")
    assert nothing[0, place] == pytest.approx(scaler.transform(TRAIN)[-1, place])
    assert nothing[0, place] > scaler.transform(TRAIN)[0, place]


def test_a_scaler_comes_back_from_its_state_as_json() -> None:
    scaler = ReportScaler.fit(TRAIN)
    assert ReportScaler.from_state(json.loads(json.dumps(scaler.state()))) == scaler
    assert ReportScaler.fit([None] * 30).transform([None]).shape == (1, 0)
