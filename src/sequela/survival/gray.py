"""Gray's test: whether the cumulative incidence of one cause is the same in several groups."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from sequela.errors import UndefinedMetricError
from sequela.survival.cox import ChiSquared, chi_squared_test
from sequela.survival.risk_sets import risk_sets


def gray(
    time: Float[np.ndarray, " patient"],
    event: Int[np.ndarray, " patient"],
    group: Int[np.ndarray, " patient"],
    *,
    cause: int = 1,
    strata: Int[np.ndarray, " patient"] | None = None,
    rho: float = 0.0,
) -> ChiSquared:
    """Whether groups have the same cumulative incidence of a cause, others competing.

    Args:
        time: Days to event or last contact.
        event: 0 censored, k >= 1 cause k.
        group: To which group each patient belongs.
        cause: Which cause.
        strata: Within which groups are compared.
        rho: Weight (1 - incidence)^rho.

    Raises:
        UndefinedMetricError: If there is one group only, or no event of the cause while two groups
            are at risk.

    Source: Gray 1988; R cmprsk::cuminc.
    """
    names, code = np.unique(group, return_inverse=True)
    if len(names) < 2:
        raise UndefinedMetricError(f"Gray's test needs two groups, found {len(names)}")
    stratum = np.zeros(len(time), dtype=np.int64) if strata is None else strata
    score = np.zeros(len(names))
    variance = np.zeros((len(names), len(names)))
    for one in np.unique(stratum):
        rows = stratum == one
        counts = _Counts.of(time[rows], event[rows], code[rows], len(names), cause)
        pooled = _Pooled.of(counts)
        parts = _score(counts, pooled, rho), _variance(counts, pooled, rho)
        score, variance = score + parts[0], variance + parts[1]
    kept = np.flatnonzero(np.diag(variance) > 0)[:-1]
    if not len(kept):
        raise UndefinedMetricError(
            f"Gray's test needs an event {cause} while two groups are at risk"
        )
    inner = variance[np.ix_(kept, kept)]
    return chi_squared_test(float(score[kept] @ np.linalg.solve(inner, score[kept])), len(kept))


@dataclass(frozen=True)
class _Counts:
    """What happened in each group at each time with an event, and its curves around that time."""

    at_risk: Float[np.ndarray, "moment group"]
    events: Float[np.ndarray, "moment group"]
    competing: Float[np.ndarray, "moment group"]
    survival_before: Float[np.ndarray, "moment group"]
    survival: Float[np.ndarray, "moment group"]
    incidence_before: Float[np.ndarray, "moment group"]

    @classmethod
    def of(
        cls,
        time: Float[np.ndarray, " patient"],
        event: Int[np.ndarray, " patient"],
        code: Int[np.ndarray, " patient"],
        groups: int,
        cause: int,
    ) -> _Counts:
        member = [(code == number).astype(float) for number in range(groups)]
        of_cause = [risk_sets(time, event == cause, weight=weight) for weight in member]
        of_any = [risk_sets(time, event > 0, weight=weight).events for weight in member]
        happened = np.stack(of_any, axis=1)
        seen = happened.sum(axis=1) > 0
        happened = happened[seen]
        at_risk = np.stack([one.at_risk for one in of_cause], axis=1)[seen]
        events = np.stack([one.events for one in of_cause], axis=1)[seen]
        survival = (1 - _ratio(happened, at_risk)).cumprod(axis=0)
        before = _shifted(survival, 1.0)
        incidence = (before * _ratio(events, at_risk)).cumsum(axis=0)
        return cls(at_risk, events, happened - events, before, survival, _shifted(incidence, 0.0))

    @property
    def inflated(self) -> Float[np.ndarray, "moment group"]:
        """Those at risk over survival: the group's size less its censoring, h in the paper."""
        return _ratio(self.at_risk, self.survival_before)


@dataclass(frozen=True)
class _Pooled:
    """The incidence of all groups together: its steps, and its level around each time."""

    steps: Float[np.ndarray, " moment"]
    before: Float[np.ndarray, " moment"]
    after: Float[np.ndarray, " moment"]

    @classmethod
    def of(cls, counts: _Counts) -> _Pooled:
        steps = counts.events.sum(axis=1) / counts.inflated.sum(axis=1)
        after = steps.cumsum()
        return cls(steps, _shifted(after, 0.0), after)


def _score(counts: _Counts, pooled: _Pooled, rho: float) -> Float[np.ndarray, " group"]:
    """Observed less expected events, those with a competing event staying at risk."""
    staying = counts.inflated * (1 - counts.incidence_before)
    expected = counts.events.sum(axis=1, keepdims=True) * _ratio(
        staying, staying.sum(axis=1, keepdims=True)
    )
    weight = (1 - pooled.before) ** rho
    seen = counts.at_risk > 0
    return (weight[:, None] * np.where(seen, counts.events - expected, 0.0)).sum(axis=0)


def _variance(counts: _Counts, pooled: _Pooled, rho: float) -> Float[np.ndarray, "group group"]:
    """The sum over groups r of what their two counting processes add to each pair of scores."""
    inflated = counts.inflated
    total = inflated.sum(axis=1)
    weight = (1 - pooled.before) ** rho
    groups = inflated.shape[1]
    share = _ratio(inflated, total[:, None])
    direct = weight[:, None, None] * inflated[:, None, :] * (np.eye(groups) - share[:, :, None])
    steps = pooled.steps / (1 - pooled.before)
    running = (direct * steps[:, None, None]).cumsum(axis=0)
    ahead = running[-1] - running
    pull = _ratio(1 - pooled.after[:, None], counts.survival)
    # Of the cause: moves the score at once, and the pooled incidence of later times.
    of_cause = direct + (1 - pull)[:, None, :] * ahead
    of_other = np.where(counts.survival > 0, pull, 0.0)[:, None, :] * ahead
    events = counts.events.sum(axis=1, keepdims=True)
    expected = total[:, None] * counts.survival_before
    own = _spared(events, expected) * _ratio(
        counts.survival_before * pooled.steps[:, None], counts.at_risk
    )
    other = _spared(counts.competing, counts.at_risk) * (
        _ratio(counts.survival_before, counts.at_risk) ** 2 * counts.competing
    )
    other = np.where(counts.survival > 0, other, 0.0)
    return np.einsum("tir,tjr,tr->ij", of_cause, of_cause, own) + np.einsum(
        "tir,tjr,tr->ij", of_other, of_other, other
    )


def _spared(
    events: Float[np.ndarray, "moment #group"], at_risk: Float[np.ndarray, "moment group"]
) -> Float[np.ndarray, "moment group"]:
    """1 - (d - 1) / (Y - 1) where several events are tied, else 1."""
    tied = np.broadcast_to(events > 1, at_risk.shape)
    return 1 - np.where(tied, _ratio(np.maximum(events - 1, 0.0), at_risk - 1), 0.0)


def _ratio(
    above: Float[np.ndarray, "moment #group"], below: Float[np.ndarray, "moment #group"]
) -> Float[np.ndarray, "moment group"]:
    """A quotient, 0 where nothing is left to divide by."""
    above, below = np.broadcast_arrays(above, below)
    return np.divide(above, below, out=np.zeros(above.shape), where=below > 0)


def _shifted(
    values: Float[np.ndarray, "moment *group"], first: float
) -> Float[np.ndarray, "moment *group"]:
    """The values just before each time."""
    return np.concatenate([np.full_like(values[:1], first), values[:-1]])
