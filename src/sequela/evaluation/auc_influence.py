"""The standard error of a dynamic AUC from what each patient adds to it, without resampling."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float, Int

from sequela.evaluation.outcome import Question
from sequela.survival.risk_sets import risk_sets


def auc_standard_error(
    risk: Float[np.ndarray, " row"],
    time: Float[np.ndarray, " row"],
    event: Int[np.ndarray, " row"],
    question: Question,
    *,
    cluster: Int[np.ndarray, " row"] | None = None,
    entry: Float[np.ndarray, " row"] | None = None,
) -> float:
    """The infinitesimal jackknife's, with the censoring weights estimated, not known.

    For patients seen from the landmark on and one censoring curve; under delayed entry, and with a
    curve for each landmark number, `over_time.Watched.auc` has it.

    Args:
        risk: Higher is worse.
        time: Days to event or last contact.
        event: 0 censored, k >= 1 cause k.
        question: The cause and the horizon.
        cluster: Which rows belong to one patient.
        entry: Days at which observation began; None for from the start.

    Source: Blanche et al. 2013; R riskRegression::Score, which it meets to 1e-9.
    """
    influence = auc_influence(risk, time, event, question)
    if cluster is not None:
        influence = np.bincount(np.unique(cluster, return_inverse=True)[1], influence)
    count = len(influence)
    return float(np.sqrt((influence**2).sum() * count / (count - 1)))


def auc_influence(
    risk: Float[np.ndarray, " row"],
    time: Float[np.ndarray, " row"],
    event: Int[np.ndarray, " row"],
    question: Question,
) -> Float[np.ndarray, " row"]:
    """What each row adds to the AUC, to first order; sums to 0. O(n log n).

    As in R's riskRegression, who has an event at a moment is at risk of being censored at it, and
    the censoring hazard is that of Nelson and Aalen: the derivative of the AUC by the row's weight,
    but for one part in as many as are at risk.
    """
    weights = question.weights_of(time, event, np.ones((len(time), 1)))[:, 0]
    by_horizon = event == question.cause
    if question.horizon is not None:
        by_horizon = by_horizon & (time <= question.horizon)
    case, control = weights * by_horizon, weights * ~by_horizon
    wins, losses = case * _below(risk, control), control * _below(-risk, case)
    pairs = case.sum() * control.sum()
    value = wins.sum() / pairs
    gained, cases, controls = wins + losses, case, control
    if question.horizon is not None:
        horizon = question.horizon
        # Every pair won is counted by its case in `wins` and by its control in `losses`.
        gained = gained + _through_weights(time, event > 0, horizon, wins + losses)
        cases = cases + _through_weights(time, event > 0, horizon, case)
        controls = controls + _through_weights(time, event > 0, horizon, control)
    return gained / pairs - value * (cases / case.sum() + controls / control.sum())


def _below(
    risk: Float[np.ndarray, " row"], weight: Float[np.ndarray, " row"]
) -> Float[np.ndarray, " row"]:
    """For each row the weight of rows with a lower risk, ties a half."""
    values, place = np.unique(risk, return_inverse=True)
    sums = np.bincount(place, weight, len(values))
    return (sums.cumsum() - sums / 2)[place]


def _through_weights(
    time: Float[np.ndarray, " row"],
    event: Bool[np.ndarray, " row"],
    horizon: float,
    weighed: Float[np.ndarray, " row"],
) -> Float[np.ndarray, " row"]:
    """How the sum of `weighed` terms, each with a factor 1/G, moves with each row's presence.

    log G(t) moves by minus the row's own censoring over those at risk, plus the censoring hazard
    that the row helped to dilute while at risk.
    """
    sets = risk_sets(time, event)
    inverse = 1 / sets.at_risk
    diluted = np.append(0.0, (sets.censored * inverse**2).cumsum())
    moment = np.searchsorted(sets.time, time)
    # A term of a patient seen at T uses G(T-); a survivor's uses G(h).
    used = np.where(time > horizon, np.searchsorted(sets.time, horizon, side="right"), moment)
    terms = np.bincount(used, weighed, len(sets.time) + 1)
    later = np.append(terms[::-1].cumsum()[::-1], 0.0)
    earlier = np.append(0.0, (terms * diluted).cumsum())
    own = moment + 1
    left = np.where(event, 0.0, inverse[moment] * later[own])
    return left - earlier[own] - diluted[own] * later[own]
