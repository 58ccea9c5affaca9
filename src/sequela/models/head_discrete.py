"""Hazards in bins of time, as chances of the event among those who enter a bin."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor

from sequela.models.hazard_bins import (
    BinnedHead,
    BinnedHeadConfig,
    Causes,
    by_bin,
    incidence_of_bins,
    observed,
)
from sequela.survival.followup import Followup
from sequela.survival.losses import discrete_hazard_loss, log_outcomes
from sequela.survival.time_bins import TimeBins


class DiscreteHazardHeadConfig(BinnedHeadConfig):
    """A logit a bin of time and cause: the chance of the event there."""

    kind: Literal["discrete-hazard"] = "discrete-hazard"


@dataclass(frozen=True)
class DiscreteHazardHead(BinnedHead):
    """Hazards in bins of time: of the event and, where training saw others, of these.

    Attributes:
        bins: Placed by training events; the last ends at the horizon, where there is one.
        horizon: Days, or None.
        causes: Which events share a hazard; one that has none is censored.
    """

    bins: TimeBins
    horizon: float | None
    causes: Causes = ((1,),)

    def loss(self, logits: Float[Tensor, "patient logit"], followup: Followup) -> Float[Tensor, ""]:
        """Mean negative log-likelihood; what follows the last bin's end is not looked at."""
        _, event = observed(followup, self.causes, self.bins.end)
        last = torch.from_numpy(self.bins.assign(followup.time)).to(logits.device)
        seen = torch.from_numpy(event).to(logits.device)
        return discrete_hazard_loss(by_bin(logits, self.bins), last, seen)

    def mortality(self, logits: Float[Tensor, "patient logit"]) -> Float[Tensor, " patient"]:
        """The cumulative cause-specific hazard summed over the bins' ends (Ishwaran 2014)."""
        outcomes = log_outcomes(by_bin(logits, self.bins))
        spared = torch.cat([outcomes[:, :, :1], outcomes[:, :, 2:]], dim=2).logsumexp(dim=2)
        return -spared.cumsum(dim=1).sum(dim=1)

    def incidence(
        self, logits: Float[Tensor, "patient logit"], times: tuple[float, ...]
    ) -> Float[Tensor, "patient time cause"]:
        """Probability of having had each of `causes`, the event of interest first.

        Raises:
            UndefinedMetricError: If a time lies past the end of the last bin.
        """
        binned = by_bin(logits, self.bins)
        log_free = log_outcomes(binned)[:, :, 0]
        return incidence_of_bins(log_free, binned.softmax(dim=2), self.bins, times)

    def state(self) -> dict[str, Any]:
        """What `head_from_state` needs, as JSON holds it."""
        return {
            "kind": "discrete-hazard",
            **self.binned_state(),
        }
