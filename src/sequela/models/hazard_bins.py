"""What the two heads of hazards in bins of time share: causes, and incidences from bins."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, TypeAlias

import numpy as np
import torch
from einops import rearrange
from jaxtyping import Float, Int
from torch import Tensor

from sequela.errors import UndefinedMetricError
from sequela.survival.followup import Followup
from sequela.survival.time_bins import TimeBins

Rivals = Literal["together", "each"]
Causes: TypeAlias = tuple[tuple[int, ...], ...]
"""Which events share a hazard; the first is the event of interest, alone."""


def causes_of(train: Followup, cause: int, rivals: Rivals) -> Causes:
    """The hazards that training patients can teach: that of the event, and those of its rivals.

    Args:
        train: Follow-up of training patients.
        cause: The event of interest.
        rivals: Whether all other events share one hazard, or each has its own.
    """
    others = sorted({int(event) for event in np.unique(train.event)} - {0, cause})
    if rivals == "each":
        return ((cause,), *((other,) for other in others))
    return ((cause,), tuple(others)) if others else ((cause,),)


def observed(
    followup: Followup, causes: Causes, end: float
) -> tuple[Float[np.ndarray, " patient"], Int[np.ndarray, " patient"]]:
    """When each patient was last seen, and with what: 0 nothing, k the k-th of `causes`.

    What follows `end` is not looked at; an event of no hazard ends the exposure as censoring does.
    """
    event = np.zeros(len(followup), dtype=np.int64)
    for place, members in enumerate(causes, start=1):
        event[np.isin(followup.event, members)] = place
    return np.minimum(followup.time, end), np.where(followup.time <= end, event, 0)


def by_bin(
    logits: Float[Tensor, "patient logit"], bins: TimeBins
) -> Float[Tensor, "patient bin cause"]:
    """The logits of a bin stand together, a cause after the other."""
    return rearrange(logits, "patient (bin cause) -> patient bin cause", bin=bins.count)


def incidence_of_bins(
    log_free: Float[Tensor, "patient bin"],
    share: Float[Tensor, "patient bin cause"],
    bins: TimeBins,
    times: tuple[float, ...],
) -> Float[Tensor, "patient time cause"]:
    """The probability of having had each cause's event by `times`, hazards constant in a bin.

    Args:
        log_free: Log-probability of passing each bin without any event.
        share: Of those struck in a bin, the share struck by each cause.
        bins: Where the bins are.
        times: Days.

    Raises:
        UndefinedMetricError: If a time lies past the end of the last bin.
    """
    if times and max(times) > bins.end:
        raise UndefinedMetricError(
            f"survival is known up to {bins.end:.0f} days, asked for {max(times):.0f}",
            hint="ask for earlier times, or train with a longer horizon",
        )
    bounds, days = np.asarray(bins.bounds), np.asarray(times, dtype=np.float64)
    passed = np.clip((days - bounds[:-1, None]) / np.diff(bounds)[:, None], 0.0, 1.0)
    struck = -torch.expm1(log_free[:, :, None] * torch.from_numpy(passed).to(log_free))
    of_cause = share * (log_free.cumsum(dim=1) - log_free).exp()[:, :, None]
    return torch.einsum("pbt,pbc->ptc", struck, of_cause)


def without_ceiling(
    risk: Callable[[Float[Tensor, "patient logit"]], Float[Tensor, " patient"]],
    logits: Float[Tensor, "patient logit"],
    horizon: float | None,
) -> Float[Tensor, " patient"]:
    """A risk where a high one still has a gradient: a probability's logit, a mortality's logarithm.

    Args:
        risk: From logits to the probability by the horizon or, without one, expected mortality.
        logits: The model's.
        horizon: Days, or None.
    """
    if horizon is None:
        return risk(logits).log()
    # In double precision, for a logit takes the difference of the risk from 1.
    return risk(logits.double()).logit(eps=1e-12).to(logits.dtype)
