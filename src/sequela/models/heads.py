"""Heads: what a model's logits say about the outcome; the only place that knows.

Every probability is of the world as it is, where another event may come first and then the event of
interest does not: risk is the cumulative incidence of the cause, survival one minus it. Without a
horizon the hazard heads' risk is the expected mortality. A head is a file; all have `logits`,
`grid`, `loss`, `risk`, `score`, `survival` and `state`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias, assert_never

from jaxtyping import Float
from torch import Tensor

from sequela.errors import DataError, UsageError
from sequela.models.hazard_bins import causes_of
from sequela.models.head_additive import AdditiveHazardHead, AdditiveHazardHeadConfig
from sequela.models.head_binary import BinaryHead, BinaryHeadConfig
from sequela.models.head_cox import CoxHead, CoxHeadConfig
from sequela.models.head_discrete import DiscreteHazardHead, DiscreteHazardHeadConfig
from sequela.models.head_piecewise import PiecewiseHazardHead, PiecewiseHazardHeadConfig
from sequela.models.head_ranking import RankingHead, RankingHeadConfig
from sequela.survival.followup import Followup
from sequela.survival.time_bins import TimeBins

__all__ = [
    "AdditiveHazardHead",
    "AdditiveHazardHeadConfig",
    "BinaryHead",
    "BinaryHeadConfig",
    "CoxHead",
    "CoxHeadConfig",
    "DiscreteHazardHead",
    "DiscreteHazardHeadConfig",
    "Head",
    "HeadConfig",
    "PiecewiseHazardHead",
    "PiecewiseHazardHeadConfig",
    "RankingHead",
    "RankingHeadConfig",
    "completed",
    "fit_head",
    "head_from_state",
    "head_warning",
    "incidence_of_rivals",
]

HeadConfig: TypeAlias = (
    BinaryHeadConfig
    | DiscreteHazardHeadConfig
    | PiecewiseHazardHeadConfig
    | CoxHeadConfig
    | AdditiveHazardHeadConfig
    | RankingHeadConfig
)
Head: TypeAlias = (
    BinaryHead
    | DiscreteHazardHead
    | PiecewiseHazardHead
    | CoxHead
    | AdditiveHazardHead
    | RankingHead
)
_FINE_BINS = 10


def fit_head(
    config: HeadConfig, train: Followup, horizon: float | None = None, cause: int = 1
) -> Head:
    """The head of `config`, with whatever it fits before training fitted on training patients.

    Args:
        config: Which head.
        train: Follow-up of training patients.
        horizon: Days within which the event is predicted; None for all of the follow-up.
        cause: The event of interest.

    Raises:
        UsageError: If patients enter after their landmark, which the head cannot take.
        DataError: If no training patient has the event.
    """
    _require_entry(config, train)
    if not (train.event == cause).any():
        raise DataError(
            f"a head needs training patients with event {cause}, found none",
            hint="check the endpoint and its cause, or draw the split again",
        )
    match config:
        case BinaryHeadConfig():
            return BinaryHead(horizon, cause)
        case DiscreteHazardHeadConfig():
            bins = TimeBins.fit(train, config.bins, cause=cause, horizon=horizon)
            return DiscreteHazardHead(bins, horizon, causes_of(train, cause, config.rivals))
        case PiecewiseHazardHeadConfig():
            bins = TimeBins.fit(train, config.bins, cause=cause, horizon=horizon)
            causes = causes_of(train, cause, config.rivals)
            return PiecewiseHazardHead.fit(train, bins, horizon, causes)
        case CoxHeadConfig():
            return CoxHead(horizon, cause)
        case AdditiveHazardHeadConfig():
            return AdditiveHazardHead.fit(train, horizon, cause)
        case RankingHeadConfig():
            bins = TimeBins.fit(train, config.bins, cause=cause, horizon=horizon)
            causes = causes_of(train, cause, config.rivals)
            return RankingHead(bins, horizon, config.weight, config.scale, causes)
        case _:
            assert_never(config)


def head_warning(config: HeadConfig) -> str | None:
    """What to know of a head before its numbers are believed; None where there is nothing."""
    if not isinstance(config, DiscreteHazardHeadConfig) or config.bins >= _FINE_BINS:
        return None
    return (
        f"a discrete hazard in {config.bins} bins credits a patient who is censored within a bin "
        "with all of it, which overstates survival, and tells no order within a bin; bins at "
        "quantiles of all patients' times, as published code places them, would also have seen "
        "the test patients (here training events place them). head.kind=piecewise-hazard counts "
        "the days"
    )


def completed(
    head: Head, logits: Callable[[], Float[Tensor, "patient logit"]], train: Followup
) -> Head:
    """The head with what can be fitted only once the weights are: Cox's baseline hazard.

    Args:
        head: As it was trained with.
        logits: Gives the final logits of all training patients; called only if they are needed.
        train: Their follow-up.
    """
    return head.with_baseline(logits(), train) if isinstance(head, CoxHead) else head


def incidence_of_rivals(
    head: Head, logits: Float[Tensor, "patient logit"], times: tuple[float, ...]
) -> dict[int, Float[Tensor, "patient time"]]:
    """The probability of having had each other cause's event, of all events first, by `times`.

    Only of causes with a hazard of their own (`head.rivals=each`, or where training saw only one).
    """
    if not isinstance(head, DiscreteHazardHead | PiecewiseHazardHead):
        return {}
    found = head.incidence(logits, times)
    return {
        members[0]: found[:, :, place]
        for place, members in enumerate(head.causes)
        if place and len(members) == 1
    }


def head_from_state(state: Mapping[str, Any]) -> Head:
    """The head whose `state()` this is.

    Raises:
        DataError: If it is the state of no head.
    """
    match state:
        case {"kind": "binary", "horizon": horizon, "cause": cause}:
            return BinaryHead(horizon, cause)
        case {"kind": "discrete-hazard", "horizon": horizon, "causes": causes}:
            return DiscreteHazardHead(_bins(state), horizon, _tuples(causes))
        case {"kind": "piecewise-hazard", "horizon": horizon, "causes": causes}:
            days = tuple(state["days_an_event"])
            return PiecewiseHazardHead(_bins(state), horizon, days, _tuples(causes))
        case {"kind": "additive-hazard", "years": years, "cause": cause}:
            return AdditiveHazardHead(tuple(years), cause)
        case {"kind": "ranking", "weight": weight, "scale": scale, "causes": causes}:
            return RankingHead(_bins(state), state["horizon"], weight, scale, _tuples(causes))
        case {"kind": "cox"}:
            return CoxHead.from_state(state)
        case _:
            raise DataError(
                "the checkpoint holds no head that this version knows",
                hint="predict with the version of sequela that trained it",
            )


def _bins(state: Mapping[str, Any]) -> TimeBins:
    return TimeBins(tuple(state["edges"]), state["end"])


def _tuples(causes: list[list[int]]) -> tuple[tuple[int, ...], ...]:
    return tuple(tuple(members) for members in causes)


def _require_entry(config: HeadConfig, train: Followup) -> None:
    if isinstance(config, PiecewiseHazardHeadConfig) or train.entry is None:
        return
    if (train.entry > 0).any():
        raise UsageError(
            f"{int((train.entry > 0).sum())} patients come under observation after their landmark; "
            f"the {config.kind} head counts everyone from the landmark",
            hint="set head.kind=piecewise-hazard, which counts from entry, use the landmark "
            "protocol, or leave these patients out",
        )
