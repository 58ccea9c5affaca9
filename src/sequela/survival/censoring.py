"""Inverse probability of censoring weights, for many resamples of the patients at once."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float, Int


def censoring_survival(
    time: Float[np.ndarray, " patient"],
    event: Bool[np.ndarray, " patient"],
    weight: Float[np.ndarray, "patient resample"],
) -> tuple[Float[np.ndarray, " moment"], Float[np.ndarray, "moment resample"]]:
    """The reverse Kaplan-Meier curve G of staying uncensored, for each column of weights.

    Events precede censorings at a tied time, so those with the event have left when the censored
    are compared with the patients at risk.

    Args:
        time: Days to event or last contact.
        event: True where any event, competing ones too, ended follow-up.
        weight: How often each patient counts.

    Returns:
        The distinct times, ascending, and G after each of them.

    Source: Graf et al. 1999; conventions of R prodlim(reverse = TRUE).
    """
    order = np.argsort(time, kind="stable")
    starts = np.flatnonzero(np.diff(time[order], prepend=-np.inf))
    left = np.add.reduceat(weight[order], starts, axis=0)
    events = np.add.reduceat((weight * event[:, None])[order], starts, axis=0)
    at_risk = left[::-1].cumsum(axis=0)[::-1] - events
    lost = np.divide(left - events, at_risk, out=np.zeros_like(left), where=at_risk > 0)
    return time[order][starts], (1 - lost).cumprod(axis=0)


def censoring_weights(
    time: Float[np.ndarray, " patient"],
    event: Bool[np.ndarray, " patient"],
    horizon: float,
    *,
    weight: Float[np.ndarray, "patient resample"],
    strata: Int[np.ndarray, " patient"] | None = None,
) -> Float[np.ndarray, "patient resample"]:
    """`weight` times 1/G(T-) for events by `horizon`, 1/G(h) for survivors, 0 for the censored.

    Where nobody is followed beyond the horizon, patients last seen at the horizon itself are the
    survivors and weigh 1/G(h-): follow-up that was cut at the horizon loses nobody.

    Args:
        time: Days to event or last contact.
        event: True where any event, competing ones too, ended follow-up.
        horizon: Day h at which status must be known.
        weight: How often each patient counts, a column a resample.
        strata: Groups with a censoring distribution each.

    Returns:
        A column is NaN where a stratum has nobody left at the horizon.

    Source: Graf et al. 1999; Uno et al. 2007; R riskRegression::Score(cens.model = "km").
    """
    result = np.empty_like(weight)
    groups = np.zeros(len(time), dtype=np.int64) if strata is None else strata
    for group in np.unique(groups):
        rows = groups == group
        result[rows] = _one_stratum(time[rows], event[rows], horizon, weight[rows])
    result[:, np.isnan(result).any(axis=0)] = np.nan
    return result


def survivors(
    time: Float[np.ndarray, " patient"], event: Bool[np.ndarray, " patient"], horizon: float
) -> Bool[np.ndarray, " patient"]:
    """Who is known to be free of any event at `horizon`; see `censoring_weights`."""
    beyond = time > horizon
    return beyond if beyond.any() else (time == horizon) & ~event


def _one_stratum(
    time: Float[np.ndarray, " patient"],
    event: Bool[np.ndarray, " patient"],
    horizon: float,
    weight: Float[np.ndarray, "patient resample"],
) -> Float[np.ndarray, "patient resample"]:
    moments, uncensored = censoring_survival(time, event, weight)
    curve = np.concatenate([np.ones((1, weight.shape[1])), uncensored])
    free = survivors(time, event, horizon)
    before = np.searchsorted(moments, np.minimum(time, horizon), side="left")
    after = np.searchsorted(moments, horizon, side="right")
    place = np.where(time > horizon, after, before)
    counted = ((event & (time <= horizon)) | free)[:, None] & (weight > 0)
    result = np.divide(weight, curve[place], out=np.zeros_like(weight), where=counted)
    result[:, weight[free].sum(axis=0) == 0] = np.nan
    return result
