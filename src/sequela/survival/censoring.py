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
    entry: Float[np.ndarray, " patient"] | None = None,
) -> Float[np.ndarray, "patient resample"]:
    """`weight` times 1/G(T-) for events by `horizon`, 1/G(h) for survivors, 0 for the censored.

    Where nobody is followed beyond the horizon, patients last seen at the horizon itself are the
    survivors and weigh 1/G(h-): follow-up that was cut at the horizon loses nobody.

    1/G(t-) is written n S(t-) / Y(t), S being survival and Y those at risk: what an event stands
    for in the population. With delayed entry it still is, where 1/G is not.

    Args:
        time: Days to event or last contact.
        event: True where any event, competing ones too, ended follow-up.
        horizon: Day h at which status must be known.
        weight: How often each patient counts, a column a resample.
        strata: Groups with a censoring distribution each.
        entry: Days at which observation began; None for from the start.

    Returns:
        A column is NaN where a stratum has nobody left at the horizon.

    Source: Graf et al. 1999; Uno et al. 2007; R riskRegression::Score(cens.model = "km"); for
        delayed entry Wang 1991, section 2.
    """
    if strata is None or (strata == strata[:1]).all():
        return _one_stratum(time, event, horizon, weight, entry)
    result = np.empty_like(weight)
    for group in np.unique(strata):
        rows = strata == group
        late = None if entry is None else entry[rows]
        result[rows] = _one_stratum(time[rows], event[rows], horizon, weight[rows], late)
    result[:, np.isnan(result).any(axis=0)] = np.nan
    return result


def survivors(
    time: Float[np.ndarray, " patient"], event: Bool[np.ndarray, " patient"], horizon: float
) -> Bool[np.ndarray, " patient"]:
    """Who is known to be free of any event at `horizon`; see `censoring_weights`."""
    beyond = time > horizon
    return beyond if beyond.any() else (time == horizon) & ~event


def population(
    time: Float[np.ndarray, " patient"],
    event: Bool[np.ndarray, " patient"],
    weight: Float[np.ndarray, "patient resample"],
    *,
    until: float,
    entry: Float[np.ndarray, " patient"] | None = None,
) -> tuple[
    Float[np.ndarray, " moment"],
    Float[np.ndarray, "moment resample"],
    Float[np.ndarray, " resample"],
]:
    """What an event at each moment stands for in the population: n S(t-) / Y(t).

    Args:
        time: Days to event or last contact.
        event: True where the event was observed.
        weight: How often each patient counts.
        until: Later events are left out.
        entry: Days at which observation began.

    Returns:
        The distinct times of events, ascending; the number at each; n S after the last of them.
    """
    happened = np.flatnonzero(event & (time <= until))
    happened = happened[np.argsort(time[happened])]
    starts = np.flatnonzero(np.diff(time[happened], prepend=-np.inf))
    moments, whole = time[happened][starts], weight.sum(axis=0)
    if not len(moments):
        return moments, np.empty((0, len(whole))), whole
    events = np.add.reduceat(weight[happened], starts, axis=0)
    at_risk = whole - _sums_below(time, moments, weight)
    if entry is not None:
        at_risk -= whole - _sums_below(entry, moments, weight)
    here = at_risk > 0
    survival = (1 - np.divide(events, at_risk, out=np.zeros_like(events), where=here)).cumprod(0)
    before = np.concatenate([np.ones((1, len(whole))), survival[:-1]]) * whole
    stands = np.divide(before, at_risk, out=np.zeros_like(events), where=here)
    return moments, stands, survival[-1] * whole


def _sums_below(
    values: Float[np.ndarray, " patient"],
    bounds: Float[np.ndarray, " bound"],
    weight: Float[np.ndarray, "patient resample"],
) -> Float[np.ndarray, "bound resample"]:
    """The weight of the patients whose value is below each bound; bounds ascend."""
    place = np.searchsorted(bounds, values, side="right")
    inside = np.flatnonzero(place < len(bounds))
    inside = inside[np.argsort(place[inside])]
    starts = np.flatnonzero(np.diff(place[inside], prepend=-1))
    sums = np.zeros((len(bounds), weight.shape[1]))
    if len(starts):
        sums[place[inside][starts]] = np.add.reduceat(weight[inside], starts, axis=0)
    return sums.cumsum(axis=0)


def _one_stratum(
    time: Float[np.ndarray, " patient"],
    event: Bool[np.ndarray, " patient"],
    horizon: float,
    weight: Float[np.ndarray, "patient resample"],
    entry: Float[np.ndarray, " patient"] | None,
) -> Float[np.ndarray, "patient resample"]:
    moments, stands, left = population(time, event, weight, until=horizon, entry=entry)
    happened = np.flatnonzero(event & (time <= horizon))
    free = survivors(time, event, horizon)
    free = np.flatnonzero(free if entry is None else free & (entry <= horizon))
    result = np.zeros_like(weight)
    result[happened] = weight[happened] * stands[np.searchsorted(moments, time[happened])]
    seen = weight[free].sum(axis=0)
    share = np.divide(left, seen, out=np.full(len(left), np.nan), where=(seen > 0) & (left > 0))
    result[free] = weight[free] * share
    result[:, np.isnan(share)] = np.nan
    return result
