from __future__ import annotations

import numpy as np
import polars as pl

from sequela.evaluation.curve_checks import RUN, contrary_curves

COUNT = 80


def table(**columns: np.ndarray) -> pl.DataFrame:
    run = dict.fromkeys(RUN, "one")
    return pl.DataFrame({**columns}).with_columns(**{name: pl.lit(run[name]) for name in run})


def test_curves_that_all_disagree_with_the_risk_are_named_by_row() -> None:
    risk = np.linspace(0, 1, COUNT)
    faults = contrary_curves(table(risk=risk, survival_365=risk, survival_730=risk / 2))
    assert len(faults) == 40  # twenty rows are shown of each day
    assert "row 41: risk and survival_365 are both high" in faults[0]


def test_curves_that_cross_agree_at_some_day_and_are_no_fault() -> None:
    """Who is struck early may be the safer one later; a risk is about one of the days."""
    risk = np.linspace(0, 1, COUNT)
    crossing = table(risk=risk, survival_365=0.8 + risk / 10, survival_730=0.7 - risk / 2)
    assert contrary_curves(crossing) == []


def test_a_day_without_differences_tells_nothing() -> None:
    risk = np.linspace(0, 1, COUNT)
    ones = np.ones(COUNT)
    assert contrary_curves(table(risk=risk, survival_0=ones, survival_365=1 - risk)) == []
    assert contrary_curves(table(risk=risk, survival_0=ones, survival_365=risk))
    assert contrary_curves(table(risk=risk, survival_365=ones)) == []
