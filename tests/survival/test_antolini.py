from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from sequela.errors import UndefinedMetricError
from sequela.survival.antolini import antolini
from sequela.survival.concordance import concordance


def crossing_curves(made: Any) -> tuple[np.ndarray, np.ndarray]:
    """Weibull curves whose shape varies, so that they cross; rounded so that some are tied."""
    moments = np.arange(2.0, 60.0, 3.0)
    scale, shape = np.exp(-made.covariates[:, 0]), np.exp(0.5 * made.covariates[:, 1])
    survival = np.exp(-((moments / 30 / scale[:, None]) ** shape[:, None]))
    return np.round(survival, 2), moments


def by_definition(
    made: Any, survival: np.ndarray, moments: np.ndarray, *, late: bool
) -> list[float]:
    event = made.event == 1
    counts = [0.0, 0.0, 0.0]
    for one in np.flatnonzero(event):
        place = np.searchsorted(moments, made.time[one], side="right") - 1
        level = survival[:, place] if place >= 0 else np.ones(len(event))
        for other in range(len(event)):
            outlived = made.time[other] > made.time[one] or (
                made.time[other] == made.time[one] and not event[other]
            )
            if outlived and (not late or made.entry[other] < made.time[one]):
                counts[int(np.sign(level[one] - level[other])) + 1] += 1
    return counts


@pytest.mark.parametrize("late", [False, True])
def test_it_counts_the_pairs_of_the_definition(made: Any, late: bool) -> None:
    survival, moments = crossing_curves(made)
    entry = made.entry if late else None
    ours = antolini(made.time, made.event == 1, survival, moments, entry=entry)
    counts = by_definition(made, survival, moments, late=late)
    assert [ours.concordant, ours.tied_risk, ours.discordant] == counts
    assert counts[1] > 0


def test_proportional_curves_have_harrells_c_and_its_standard_error(made: Any) -> None:
    moments = np.unique(made.time)
    hazard = np.exp(made.covariates[:, 0])
    survival = np.exp(-hazard[:, None] * moments / 500)
    ours = antolini(made.time, made.event == 1, survival, moments)
    theirs = concordance(made.time, made.event == 1, hazard)
    assert ours.value == pytest.approx(theirs.value, rel=1e-12)
    assert ours.standard_error() == pytest.approx(theirs.standard_error(), rel=1e-10)


def test_the_unit_of_time_and_the_order_of_patients_do_not_matter(made: Any) -> None:
    survival, moments = crossing_curves(made)
    one = antolini(made.time, made.event == 1, survival, moments)
    turned = np.random.default_rng(0).permutation(len(made.time))
    other = antolini(
        made.time[turned] * 30, made.event[turned] == 1, survival[turned] ** 3, moments * 30
    )
    assert other.value == pytest.approx(one.value, rel=1e-12)
    assert other.standard_error() == pytest.approx(one.standard_error(), rel=1e-9)


def test_without_events_it_is_undefined(made: Any) -> None:
    survival, moments = crossing_curves(made)
    with pytest.raises(UndefinedMetricError, match="with the event"):
        antolini(made.time, made.event == 9, survival, moments)
