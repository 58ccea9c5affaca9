"""Judgement of validation patients; refusal of patients who cannot judge."""

from __future__ import annotations

import numpy as np
import pytest

from sequela.errors import DataError
from sequela.survival.followup import Followup
from sequela.training.judgement import Target, judged, require_both


def test_patients_who_left_early_do_not_judge() -> None:
    target = Target(cause=1, horizon=10.0)
    followup = Followup(time=np.array([5.0, 20, 3, 10]), event=np.array([1, 0, 0, 2]))
    assert target.known(followup).tolist() == [True, True, False, True]
    assert target.happened(followup).tolist() == [True, False, False, False]
    values = judged(np.array([0.9, 0.1, 5.0, 0.2]), followup, target)
    assert values["auc"] == 1.0
    assert values["threshold"] == 0.55, "halfway, as evaluation sets it"
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
