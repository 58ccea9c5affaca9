"""The Cox partial likelihood and its derivatives: ties, strata, delayed entry."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float, Int

Ties = Literal["efron", "breslow"]


@dataclass(frozen=True)
class Lingering:
    """Patients who stay at risk after their own time, with a weight that falls (Fine-Gray).

    Attributes:
        since: For each patient, how many moments lie at or before the own time.
        share: 1/G(T-) of those who stay, 0 of the others.
        level: G(t-) at each moment; a patient who stays weighs `share * level` there.
        start: The first moment of each moment's stratum.
        end: For each patient, past the last moment of the own stratum.
    """

    since: Int[np.ndarray, " patient"]
    share: Float[np.ndarray, " patient"]
    level: Float[np.ndarray, " moment"]
    start: Int[np.ndarray, " moment"]
    end: Int[np.ndarray, " patient"]

    def at_risk(
        self, values: Float[np.ndarray, "patient *dim"]
    ) -> Float[np.ndarray, "moment *dim"]:
        """Weighted sum of `values` over those who stay, at each moment."""
        joined = np.zeros((len(self.level) + 1, *values.shape[1:]))
        staying = self.since < self.end
        np.add.at(joined, self.since[staying] + 1, _times(self.share, values)[staying])
        before = joined.cumsum(axis=0)
        return _times(self.level, before[1:] - before[self.start])

    def endured(
        self, increments: Float[np.ndarray, "moment *dim"]
    ) -> Float[np.ndarray, "patient *dim"]:
        """Weighted sum of `increments` over the moments at which each patient stayed."""
        weighed = _times(self.level, increments)
        tails = np.concatenate([weighed[::-1].cumsum(axis=0)[::-1], np.zeros_like(weighed[:1])])
        return _times(self.share, tails[self.since] - tails[self.end])


def _times(
    factor: Float[np.ndarray, " any"], values: Float[np.ndarray, "any *dim"]
) -> Float[np.ndarray, "any *dim"]:
    return factor.reshape(-1, *[1] * (values.ndim - 1)) * values


@dataclass(frozen=True)
class Exposure:
    """Who is at risk at which event time, fixed before any coefficient is known.

    A moment is a distinct event time within a stratum. Times are coded as integers that ascend
    over strata and, within them, over time, so that one sort serves all strata.

    Attributes:
        order: Patients by coded time; `entry_order` by coded entry (None without entry).
        from_moment: Rank in `order` of the first patient whose time is at or after each moment.
        to_moment: Rank in `order` past the last patient of the moment's stratum.
        entry_from: The same by entry: those ranked from here to `entry_to` have not entered.
        first: For each patient, how many moments lie before observation began.
        last: For each patient, how many moments lie at or before the end of observation.
        moment: For each event in time order, its moment.
        gone: For each event, the part of the tied events already taken out (Efron), else 0.
        event: Patients with the event, in the order of `moment`.
        time: Day of each moment.
        stratum: Stratum of each moment.
        lingering: Who stays at risk after the own time; None for nobody.
    """

    order: Int[np.ndarray, " patient"]
    entry_order: Int[np.ndarray, " patient"] | None
    from_moment: Int[np.ndarray, " moment"]
    to_moment: Int[np.ndarray, " moment"]
    entry_from: Int[np.ndarray, " moment"] | None
    entry_to: Int[np.ndarray, " moment"] | None
    first: Int[np.ndarray, " patient"]
    last: Int[np.ndarray, " patient"]
    moment: Int[np.ndarray, " event"]
    gone: Float[np.ndarray, " event"]
    event: Int[np.ndarray, " event"]
    time: Float[np.ndarray, " moment"]
    stratum: Int[np.ndarray, " moment"]
    lingering: Lingering | None = None

    def at_risk(
        self, values: Float[np.ndarray, "patient *dim"]
    ) -> Float[np.ndarray, "moment *dim"]:
        """Sum of `values` over those at risk at each moment."""
        total = _tail_sums(values[self.order], self.from_moment, self.to_moment)
        if self.lingering is not None:
            total = total + self.lingering.at_risk(values)
        if self.entry_order is None or self.entry_from is None or self.entry_to is None:
            return total
        return total - _tail_sums(values[self.entry_order], self.entry_from, self.entry_to)

    def at_event(
        self, values: Float[np.ndarray, "patient *dim"]
    ) -> Float[np.ndarray, "moment *dim"]:
        """Sum of `values` over those with the event at each moment."""
        return self.by_moment(values[self.event])

    def by_moment(
        self, values: Float[np.ndarray, "event *dim"]
    ) -> Float[np.ndarray, "moment *dim"]:
        """Sum over the events of each moment."""
        starts = np.flatnonzero(np.diff(self.moment, prepend=-1))
        return np.add.reduceat(values, starts, axis=0)

    def endured(
        self, increments: Float[np.ndarray, "moment *dim"]
    ) -> Float[np.ndarray, "patient *dim"]:
        """Sum of `increments` over the moments at which each patient was at risk."""
        zero = np.zeros((1, *increments.shape[1:]))
        running = np.concatenate([zero, increments.cumsum(axis=0)])
        endured = running[self.last] - running[self.first]
        return endured if self.lingering is None else endured + self.lingering.endured(increments)


def exposure(
    time: Float[np.ndarray, " patient"],
    event: Bool[np.ndarray, " patient"],
    *,
    entry: Float[np.ndarray, " patient"] | None = None,
    strata: Int[np.ndarray, " patient"] | None = None,
    ties: Ties = "efron",
) -> Exposure:
    """Sort once what every Newton step needs. At least one event must be there."""
    stratum = np.zeros(len(time), dtype=np.int64) if strata is None else strata
    stratum = np.unique(stratum, return_inverse=True)[1]
    begun = np.full(len(time), -np.inf) if entry is None else entry
    days, code = np.unique(np.concatenate([begun, time]), return_inverse=True)
    base = stratum * len(days)
    coded_entry, coded = base + code[: len(time)], base + code[len(time) :]
    order = np.argsort(coded, kind="stable")
    happened = order[event[order]]
    moments, moment = np.unique(coded[happened], return_inverse=True)
    stratum_end = (moments // len(days) + 1) * len(days)
    ranked, entry_order, entry_from, entry_to = coded[order], None, None, None
    if entry is not None:
        entry_order = np.argsort(coded_entry, kind="stable")
        entry_from = np.searchsorted(coded_entry[entry_order], moments)
        entry_to = np.searchsorted(coded_entry[entry_order], stratum_end)
    first = np.searchsorted(moments, coded_entry, side="right")
    return Exposure(
        order=order,
        entry_order=entry_order,
        from_moment=np.searchsorted(ranked, moments),
        to_moment=np.searchsorted(ranked, stratum_end),
        entry_from=entry_from,
        entry_to=entry_to,
        first=first,
        last=np.maximum(first, np.searchsorted(moments, coded, side="right")),
        moment=moment,
        gone=_gone(moment) if ties == "efron" else np.zeros(len(moment)),
        event=happened,
        time=days[moments % len(days)],
        stratum=moments // len(days),
    )


def _gone(moment: Int[np.ndarray, " event"]) -> Float[np.ndarray, " event"]:
    """0/d, 1/d … (d-1)/d over the d events of each moment."""
    counts = np.bincount(moment)
    rank = np.arange(len(moment)) - (counts.cumsum() - counts)[moment]
    return rank / counts[moment]


def _tail_sums(
    ranked: Float[np.ndarray, "patient *dim"],
    start: Int[np.ndarray, " moment"],
    stop: Int[np.ndarray, " moment"],
) -> Float[np.ndarray, "moment *dim"]:
    """Sums of `ranked[start:stop]`, from the far end so that small tails stay exact."""
    zero = np.zeros((1, *ranked.shape[1:]))
    tails = np.concatenate([ranked[::-1].cumsum(axis=0)[::-1], zero])
    return tails[start] - tails[stop]


@dataclass(frozen=True)
class Partial:
    """The log partial likelihood at some coefficients, and what its derivatives are made of.

    Attributes:
        log_likelihood: Natural logarithm.
        gradient: Its first derivative.
        information: Minus its second derivative.
        relative: exp(linear predictor), up to one common factor `exp(-shift)`.
        shift: Logarithm of that factor, negated.
        denominator: Of each event, in units of `relative`.
        means: Weighted covariate mean of the risk set, of each event.
    """

    log_likelihood: float
    gradient: Float[np.ndarray, " feature"]
    information: Float[np.ndarray, "feature feature"]
    relative: Float[np.ndarray, " patient"]
    shift: float
    denominator: Float[np.ndarray, " event"]
    means: Float[np.ndarray, "event feature"]


def partial_likelihood(
    covariates: Float[np.ndarray, "patient feature"],
    coefficients: Float[np.ndarray, " feature"],
    sets: Exposure,
) -> Partial:
    """The log partial likelihood with gradient and information, in O(n p^2).

    Source: Cox 1972; Efron 1977; Breslow 1974; Therneau & Grambsch 2000, section 3.3.
    """
    predictor = covariates @ coefficients
    shift = float(predictor.max())
    relative = np.exp(predictor - shift)
    denominator = _less_gone(sets, relative)
    weighted = relative[:, None] * covariates
    means = _less_gone(sets, weighted) / denominator[:, None]
    hazard = relative * cumulative_hazard(sets, denominator)
    log_likelihood = (predictor[sets.event] - shift - np.log(denominator)).sum()
    return Partial(
        log_likelihood=float(log_likelihood),
        gradient=covariates[sets.event].sum(axis=0) - means.sum(axis=0),
        information=(covariates * hazard[:, None]).T @ covariates - means.T @ means,
        relative=relative,
        shift=shift,
        denominator=denominator,
        means=means,
    )


def _less_gone(
    sets: Exposure, values: Float[np.ndarray, "patient *dim"]
) -> Float[np.ndarray, "event *dim"]:
    gone = sets.gone.reshape(-1, *[1] * (values.ndim - 1))
    at_risk = sets.at_risk(values)[sets.moment]
    return at_risk - gone * sets.at_event(values)[sets.moment] if gone.any() else at_risk


def cumulative_hazard(
    sets: Exposure,
    denominator: Float[np.ndarray, " event"],
    weight: Float[np.ndarray, " event"] | None = None,
) -> Float[np.ndarray, " patient"]:
    """Baseline hazard that each patient endured; Efron's ties spare the tied their own share."""
    increments = (1.0 if weight is None else weight) / denominator
    endured = sets.endured(sets.by_moment(increments))
    np.subtract.at(endured, sets.event, sets.by_moment(sets.gone * increments)[sets.moment])
    return endured


def score_residuals(
    covariates: Float[np.ndarray, "patient feature"], sets: Exposure, partial: Partial
) -> Float[np.ndarray, "patient feature"]:
    """Each patient's part of the gradient.

    Source: Therneau & Grambsch 2000, section 4.6; R residuals(type="score").
    """
    share = partial.means / partial.denominator[:, None]
    endured = sets.endured(sets.by_moment(share))
    tied = sets.by_moment(sets.gone[:, None] * share)[sets.moment]
    np.subtract.at(endured, sets.event, tied)
    hazard = cumulative_hazard(sets, partial.denominator)[:, None]
    residuals = partial.relative[:, None] * (endured - covariates * hazard)
    counts = np.bincount(sets.moment)[:, None]
    average = (sets.by_moment(partial.means) / counts)[sets.moment]
    np.add.at(residuals, sets.event, covariates[sets.event] - average)
    return residuals
