"""How strong the ridges of Cox's model are, chosen within the patients that it is fitted to."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
from jaxtyping import Bool, Float, Int

from sequela.survival.cox import checked_scale, maximised
from sequela.survival.cox_likelihood import Exposure, exposure, partial_likelihood

RIDGES = (1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1000.0)
BLOCK_RIDGES = (*RIDGES, 10000.0)
"""Of a block of covariates; the strongest leaves it out, as good as."""
_PARTS = 5
_MOST_MOVES = 12


def chosen_ridge(
    covariates: Float[np.ndarray, "patient feature"],
    time: Float[np.ndarray, " patient"],
    event: Bool[np.ndarray, " patient"],
    *,
    entry: Float[np.ndarray, " patient"] | None = None,
    ridges: Sequence[float] = RIDGES,
) -> float:
    """The penalty of the largest cross-validated partial likelihood; of equals the strongest.

    Each of five parts of the patients, alike in events and times, is left out once; what it adds
    to the log-likelihood of all, at coefficients that never saw it, is summed. No other patient
    and no random number has a say.

    Args:
        covariates: One column a covariate, complete.
        time: Days to event or last contact.
        event: True where the event was observed.
        entry: Days at which observation began, for delayed entry.
        ridges: Penalties to choose among, as `fit_cox` takes them.

    Raises:
        UndefinedMetricError: If a part holds all events.

    Source: Verweij & van Houwelingen 1993, equation 3.
    """
    alike = np.zeros(covariates.shape[1], dtype=np.int64)
    chosen = chosen_ridges(covariates, alike, time, event, entry=entry, ridges=ridges)
    return float(chosen[0])


def chosen_ridges(
    covariates: Float[np.ndarray, "patient feature"],
    block: Int[np.ndarray, " feature"],
    time: Float[np.ndarray, " patient"],
    event: Bool[np.ndarray, " patient"],
    *,
    entry: Float[np.ndarray, " patient"] | None = None,
    ridges: Sequence[float] = BLOCK_RIDGES,
    relative: Float[np.ndarray, " feature"] | None = None,
) -> Float[np.ndarray, " feature"]:
    """The penalty of each covariate, alike in a block: chosen as `chosen_ridge` chooses one.

    Three clinical covariates and thirty components of expression do not want the same penalty. One
    for all is chosen first; then that of each block goes a step up or down, until none moves.

    Args:
        covariates: One column a covariate, complete.
        block: The block of each covariate.
        time: Days to event or last contact.
        event: True where the event was observed.
        entry: Days at which observation began, for delayed entry.
        ridges: Penalties to choose among.
        relative: What the penalty of each covariate is times that of its block; None for 1.

    Raises:
        UndefinedMetricError: If a part holds all events.

    Source: one penalty a kind of covariates as in Boulesteix et al. 2017 (IPF-LASSO), here squared.
    """
    names, place = np.unique(block, return_inverse=True)
    # In order of time every risk set is a stretch of memory, as in `fit_cox`.
    order = np.argsort(time, kind="stable")
    covariates, time, event = covariates[order], time[order], event[order]
    entry = None if entry is None else entry[order]
    part, sets = _parts(time, event), exposure(time, event, entry=entry, strata=None, ties="efron")

    times = np.ones(len(place)) if relative is None else relative

    @cache
    def gain(asked: tuple[float, ...]) -> float:
        each = np.array(asked)[place] * times
        kept = (part != left for left in range(_PARTS))
        return sum(_gain(covariates, time, event, entry, seen, each, sets) for seen in kept)

    def best(found: list[tuple[float, ...]]) -> tuple[float, ...]:
        most = max(map(gain, found))
        return max(asked for asked in found if gain(asked) >= most - 1e-9)

    chosen = best([(ridge,) * len(names) for ridge in ridges])
    for _ in range(_MOST_MOVES if len(names) > 1 else 0):
        before = chosen
        for one in range(len(names)):
            here = ridges.index(chosen[one])
            near = ridges[max(0, here - 1) : here + 2]
            chosen = best([(*chosen[:one], ridge, *chosen[one + 1 :]) for ridge in near])
        if chosen == before:
            break
    return np.array(chosen)[place] * times


def _parts(
    time: Float[np.ndarray, " patient"], event: Bool[np.ndarray, " patient"]
) -> Int[np.ndarray, " patient"]:
    part = np.empty(len(time), dtype=np.int64)
    part[np.lexsort((time, event))] = np.arange(len(time)) % _PARTS
    return part


def _gain(
    covariates: Float[np.ndarray, "patient feature"],
    time: Float[np.ndarray, " patient"],
    event: Bool[np.ndarray, " patient"],
    entry: Float[np.ndarray, " patient"] | None,
    kept: Bool[np.ndarray, " patient"],
    ridge: Float[np.ndarray, " feature"],
    sets: Exposure,
) -> float:
    """What the patients left out add to the log-likelihood at coefficients fitted without them."""
    seen = None if entry is None else entry[kept]
    varying = np.ptp(covariates[kept], axis=0) > 0
    of_use = covariates[:, varying]
    scaled = (of_use - of_use[kept].mean(axis=0)) / checked_scale(of_use[kept], event[kept])
    fitted_sets = exposure(time[kept], event[kept], entry=seen, strata=None, ties="efron")
    null = partial_likelihood(scaled[kept], np.zeros(scaled.shape[1]), fitted_sets)
    fitted, coefficients = maximised(scaled[kept], fitted_sets, null, ridge[varying])
    return partial_likelihood(scaled, coefficients, sets).log_likelihood - fitted.log_likelihood
