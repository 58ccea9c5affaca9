"""Judgement of validation patients, against scikit-learn; refusal of patients who cannot judge."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_curve

from sequela.errors import DataError, UndefinedMetricError
from sequela.survival.followup import Followup
from sequela.training.judgement import Target, judged, require_both, youden_threshold


@given(st.lists(st.tuples(st.integers(0, 5), st.booleans()), min_size=2, max_size=40))
def test_no_threshold_has_a_larger_j(rows: list[tuple[int, bool]]) -> None:
    risk = np.array([float(risk) for risk, _ in rows])
    happened = np.array([event for _, event in rows])
    if happened.all() or not happened.any():
        with pytest.raises(UndefinedMetricError):
            youden_threshold(risk, happened)
        return
    fall_out, sensitivity, _ = roc_curve(happened, risk, drop_intermediate=False)
    called = risk >= youden_threshold(risk, happened)
    j = called[happened].mean() - called[~happened].mean()
    assert j == pytest.approx((sensitivity - fall_out).max())


def test_patients_who_left_early_do_not_judge() -> None:
    target = Target(cause=1, horizon=10.0)
    followup = Followup(time=np.array([5.0, 20, 3, 10]), event=np.array([1, 0, 0, 2]))
    assert target.known(followup).tolist() == [True, True, False, True]
    assert target.happened(followup).tolist() == [True, False, False, False]
    values = judged(np.array([0.9, 0.1, 5.0, 0.2]), followup, target)
    assert values["auc"] == 1.0
    assert values["threshold"] == 0.9
    assert values["concordance"] == 1.0


@pytest.mark.parametrize("event", [0, 1])
def test_a_part_with_one_class_is_refused_before_training(event: int) -> None:
    followup = Followup(time=np.array([1.0, 2.0]), event=np.array([event, event]))
    with pytest.raises(DataError, match=r"validation patients of fold 2: \d case.*both kinds"):
        require_both(followup, Target(), "validation patients of fold 2")
    with pytest.raises(DataError):
        require_both(followup[np.array([0])], Target(), "x")


def test_an_auc_that_does_not_exist_is_left_out() -> None:
    followup = Followup(time=np.array([1.0, 2.0]), event=np.array([0, 0]))
    assert set(judged(np.array([1.0, 2.0]), followup, Target())) == {"median_risk"}
