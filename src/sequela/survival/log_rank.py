"""The log-rank test of several groups, with strata and Fleming-Harrington weights."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float, Int

from sequela.errors import UndefinedMetricError
from sequela.survival.cox import ChiSquared, chi_squared_test
from sequela.survival.risk_sets import risk_sets


def log_rank(
    time: Float[np.ndarray, " patient"],
    event: Bool[np.ndarray, " patient"],
    group: Int[np.ndarray, " patient"],
    *,
    entry: Float[np.ndarray, " patient"] | None = None,
    strata: Int[np.ndarray, " patient"] | None = None,
    rho: float = 0.0,
    gamma: float = 0.0,
) -> ChiSquared:
    """Whether groups have the same hazard.

    Args:
        time: Days to event or last contact.
        event: True where the event was observed.
        group: To which group each patient belongs.
        entry: Days at which observation began; None for from the start.
        strata: Within which groups are compared.
        rho: Weight survival^rho, which looks at early differences: 0 log-rank, 1 Peto & Peto.
        gamma: Weight (1 - survival)^gamma, which looks at late ones.

    Raises:
        UndefinedMetricError: If there is one group only, or no event while two are at risk.

    Source: Mantel 1966; Peto & Peto 1972; Fleming & Harrington 1991, section 7.4; R survdiff.
    """
    names, code = np.unique(group, return_inverse=True)
    if len(names) < 2:
        raise UndefinedMetricError(f"a log-rank test needs two groups, found {len(names)}")
    stratum = np.zeros(len(time), dtype=np.int64) if strata is None else strata
    difference = np.zeros(len(names))
    variance = np.zeros((len(names), len(names)))
    for one in np.unique(stratum):
        rows = stratum == one
        begun = None if entry is None else entry[rows]
        parts = _one_stratum(time[rows], event[rows], code[rows], len(names), begun, (rho, gamma))
        difference, variance = difference + parts[0], variance + parts[1]
    informative = np.diag(variance) > 0
    kept = np.flatnonzero(informative)[:-1]
    if not len(kept):
        raise UndefinedMetricError("a log-rank test needs an event while two groups are at risk")
    inner = variance[np.ix_(kept, kept)]
    statistic = difference[kept] @ np.linalg.solve(inner, difference[kept])
    return chi_squared_test(float(statistic), len(kept))


def _one_stratum(
    time: Float[np.ndarray, " patient"],
    event: Bool[np.ndarray, " patient"],
    code: Int[np.ndarray, " patient"],
    groups: int,
    entry: Float[np.ndarray, " patient"] | None,
    powers: tuple[float, float],
) -> tuple[Float[np.ndarray, " group"], Float[np.ndarray, "group group"]]:
    """Observed minus expected events of each group, and their hypergeometric variance."""
    member = [(code == number).astype(float) for number in range(groups)]
    sets = [risk_sets(time, event, entry=entry, weight=weight) for weight in member]
    at_risk = np.stack([one.at_risk for one in sets], axis=1)
    events = np.stack([one.events for one in sets], axis=1)
    total, happened = at_risk.sum(axis=1), events.sum(axis=1)
    seen = happened > 0
    at_risk, events, total, happened = at_risk[seen], events[seen], total[seen], happened[seen]
    survival = np.append(1.0, np.cumprod(1 - happened / total))[:-1]
    weight = survival ** powers[0] * (1 - survival) ** powers[1]
    share = at_risk / total[:, None]
    difference = (weight[:, None] * (events - happened[:, None] * share)).sum(axis=0)
    spare = np.divide(total - happened, total - 1, out=np.zeros(len(total)), where=total > 1)
    scale = weight**2 * happened * spare
    variance = np.diag((scale[:, None] * share).sum(axis=0)) - (share * scale[:, None]).T @ share
    return difference, variance
