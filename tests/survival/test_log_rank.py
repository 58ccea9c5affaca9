from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from lifelines.statistics import multivariate_logrank_test

from sequela.errors import UndefinedMetricError
from sequela.survival.log_rank import log_rank


def test_three_groups_agree_with_lifelines(made: Any) -> None:
    ours = log_rank(made.time, made.event == 1, made.stratum)
    theirs = multivariate_logrank_test(made.time, made.stratum, made.event == 1)
    assert ours.statistic == pytest.approx(theirs.test_statistic, rel=1e-10)
    assert ours.p == pytest.approx(theirs.p_value, rel=1e-9)


@pytest.mark.parametrize(("rho", "gamma"), [(1.0, 0.0), (0.0, 1.0), (0.5, 2.0)])
def test_weighted_tests_agree_with_lifelines(made: Any, rho: float, gamma: float) -> None:
    ours = log_rank(made.time, made.event == 1, made.stratum, rho=rho, gamma=gamma)
    theirs = multivariate_logrank_test(
        made.time, made.stratum, made.event == 1, weightings="fleming-harrington", p=rho, q=gamma
    )
    assert ours.statistic == pytest.approx(theirs.test_statistic, rel=1e-9)


def test_names_of_groups_do_not_matter(made: Any) -> None:
    one = log_rank(made.time, made.event == 1, made.stratum)
    other = log_rank(made.time, made.event == 1, 50 - 7 * made.stratum)
    assert one.statistic == pytest.approx(other.statistic, rel=1e-12)
    assert one.freedom == other.freedom == 2


def test_patients_who_enter_late_are_not_at_risk_before(made: Any) -> None:
    group = (made.covariates[:, 0] > 0).astype(int)
    entry = np.where(made.entry > 3, made.entry, -1.0)
    delayed = log_rank(made.time, made.event == 1, group, entry=entry)
    from_start = log_rank(made.time, made.event == 1, group, entry=np.full(len(group), -1.0))
    plain = log_rank(made.time, made.event == 1, group)
    assert from_start.statistic == pytest.approx(plain.statistic, rel=1e-12)
    assert delayed.statistic != pytest.approx(plain.statistic, rel=1e-3)


def test_one_group_or_no_event_is_undefined(made: Any) -> None:
    with pytest.raises(UndefinedMetricError, match="two groups"):
        log_rank(made.time, made.event == 1, np.zeros(len(made.time), dtype=int))
    with pytest.raises(UndefinedMetricError, match="an event"):
        log_rank(made.time, made.event == 9, made.stratum)
