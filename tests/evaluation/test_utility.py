from __future__ import annotations

from collections.abc import Callable

import numpy as np

from sequela.evaluation.calibration import Forecast
from sequela.evaluation.outcome import Question
from sequela.evaluation.rows import Rows
from sequela.evaluation.uncertainty import Resampling
from sequela.evaluation.utility import decision_curve, net_benefit

RESAMPLING = Resampling(200, 3, 0.95)


def cohort(rows_of: Callable[..., Rows], count: int = 200) -> tuple[Rows, Forecast]:
    generator = np.random.default_rng(2)
    lean = generator.normal(size=count)
    time, censor = generator.exponential(np.exp(-lean)), generator.uniform(0.3, 4, count)
    survival = np.exp(-np.exp(lean))[:, None]
    event = (time <= censor).astype(int)
    rows = rows_of(np.minimum(time, censor), event, lean, survival=survival, grid=(1.0,))
    return rows, Forecast(Question(1, 1.0), 0)


def test_limits_enclose_the_benefit_and_are_those_of_resampled_tables(
    rows_of: Callable[..., Rows],
) -> None:
    rows, made = cohort(rows_of)
    curve = decision_curve(rows, made, (0.2, 0.5), RESAMPLING)
    generator = np.random.default_rng(11)
    for place, threshold in enumerate((0.2, 0.5)):
        value, low, high = (curve[name][place] for name in ("model", "low", "high"))
        assert low is not None
        assert high is not None
        assert value is not None
        assert low < value < high
        draws = []
        for _ in range(300):
            part = rows.take(generator.integers(len(rows), size=len(rows)))
            draws.append(net_benefit(made.risk(part), threshold, part, made))
        again = np.quantile(draws, [0.025, 0.975])
        np.testing.assert_allclose([low, high], again, atol=0.25 * (again[1] - again[0]))


def test_nobody_treated_has_no_limits(rows_of: Callable[..., Rows]) -> None:
    rows, made = cohort(rows_of)
    curve = decision_curve(rows, made, (0.9999999,), RESAMPLING)
    assert curve["model"] == [0.0]
    assert curve["low"] == curve["high"] == [None]
