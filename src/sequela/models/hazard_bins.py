"""What the heads over bins of time share: causes, and incidences from bins."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, Literal, TypeAlias

import numpy as np
import torch
from einops import rearrange
from jaxtyping import Float, Int
from pydantic import Field
from torch import Tensor
from torch.nn import functional as F

from sequela.errors import UndefinedMetricError
from sequela.settings import Settings
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
    require_known(bins, times)
    bounds, days = np.asarray(bins.bounds), np.asarray(times, dtype=np.float64)
    passed = np.clip((days - bounds[:-1, None]) / np.diff(bounds)[:, None], 0.0, 1.0)
    struck = -torch.expm1(log_free[:, :, None] * torch.from_numpy(passed).to(log_free))
    entering = F.pad(log_free.cumsum(dim=1)[:, :-1], (1, 0)).exp()
    incidence = torch.einsum("pbt,pbc->ptc", struck, share * entering[:, :, None])
    return incidence.clamp(max=1)  # the sum may pass it by a rounding


def require_known(bins: TimeBins, times: tuple[float, ...]) -> None:
    """Refuse times after the last bin.

    Raises:
        UndefinedMetricError: If a time lies past the end of the last bin.
    """
    if times and max(times) > bins.end:
        raise UndefinedMetricError(
            f"survival is known up to {bins.end:.0f} days, asked for {max(times):.0f}",
            hint="ask for earlier times, or train with a longer horizon",
        )


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


class BinnedHeadConfig(Settings):
    """How time is cut, and whose events are told apart.

    Attributes:
        bins: How many, at most; training events fall evenly into them.
        rivals: Whether the events that compete share one hazard, or each has its own.
    """

    bins: int = Field(default=10, ge=1)
    rivals: Rivals = "together"


class BinnedHead(ABC):
    """What a head over bins of time is, whatever its likelihood.

    Attributes:
        bins: Placed by training events; the last ends at the horizon, where there is one.
        horizon: Days, or None.
        causes: Which events share a hazard; one that has none is censored.
    """

    bins: TimeBins
    horizon: float | None
    causes: Causes

    @property
    def logits(self) -> int:
        """Numbers a patient that the model gives: those of a bin stand together."""
        return self.bins.count * len(self.causes)

    @property
    def grid(self) -> tuple[float, ...]:
        """The ends of the bins, in days; survival is defined between 0 and the last."""
        return self.bins.bounds[1:]

    def risk(self, logits: Float[Tensor, "patient logit"]) -> Float[Tensor, " patient"]:
        """Probability of the event by the horizon; without one, the expected mortality."""
        if self.horizon is not None:
            return self.incidence(logits, (self.bins.end,))[:, 0, 0]
        return self.mortality(logits)

    def score(self, logits: Float[Tensor, "patient logit"]) -> Float[Tensor, " patient"]:
        """The risk on a scale without a ceiling."""
        return without_ceiling(self.risk, logits, self.horizon)

    def survival(
        self, logits: Float[Tensor, "patient logit"], times: tuple[float, ...]
    ) -> Float[Tensor, "patient time"]:
        """Probability of not having had the event.

        Raises:
            UndefinedMetricError: If a time lies past the end of the last bin.
        """
        return 1 - self.incidence(logits, times)[:, :, 0]

    @abstractmethod
    def incidence(
        self, logits: Float[Tensor, "patient logit"], times: tuple[float, ...]
    ) -> Float[Tensor, "patient time cause"]:
        """Probability of having had each of `causes`, the event of interest first.

        Raises:
            UndefinedMetricError: If a time lies past the end of the last bin.
        """

    @abstractmethod
    def mortality(self, logits: Float[Tensor, "patient logit"]) -> Float[Tensor, " patient"]:
        """How much is expected to happen by the ends of the bins, higher being worse.

        The cumulative cause-specific hazard summed over the bins' ends (Ishwaran 2008; for
        competing risks Ishwaran 2014), or the incidence, where a head tells chances.
        """

    def binned_state(self) -> dict[str, Any]:
        """The bins, the horizon and the causes, as JSON holds them."""
        return {
            "edges": list(self.bins.edges),
            "end": self.bins.end,
            "horizon": self.horizon,
            "causes": [list(members) for members in self.causes],
        }
