"""Hazards in bins of time, as chances of the event among those who enter a bin."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor

from sequela.models.hazard_bins import (
    Causes,
    Rivals,
    by_bin,
    incidence_of_bins,
    observed,
    without_ceiling,
)
from sequela.settings import Settings
from sequela.survival.followup import Followup
from sequela.survival.losses import discrete_hazard_loss, log_outcomes
from sequela.survival.time_bins import TimeBins


class DiscreteHazardHeadConfig(Settings):
    """A logit a bin of time and cause: the chance of the event there.

    Attributes:
        bins: How many, at most; training events fall evenly into them.
        rivals: Whether the events that compete share one hazard, or each has its own.
    """

    kind: Literal["discrete-hazard"] = "discrete-hazard"
    bins: int = Field(default=10, ge=1)
    rivals: Rivals = "together"


@dataclass(frozen=True)
class DiscreteHazardHead:
    """Hazards in bins of time: of the event and, where training saw others, of these.

    Attributes:
        bins: Placed by training events; the last ends at the horizon, where there is one.
        horizon: Days, or None.
        causes: Which events share a hazard; one that has none is censored.
    """

    bins: TimeBins
    horizon: float | None
    causes: Causes = ((1,),)

    @property
    def logits(self) -> int:
        """Numbers a patient that the model gives: those of a bin stand together."""
        return self.bins.count * len(self.causes)

    @property
    def grid(self) -> tuple[float, ...]:
        """The ends of the bins, in days; survival is defined between 0 and the last."""
        return self.bins.bounds[1:]

    def loss(self, logits: Float[Tensor, "patient logit"], followup: Followup) -> Float[Tensor, ""]:
        """Mean negative log-likelihood; what follows the last bin's end is not looked at."""
        _, event = observed(followup, self.causes, self.bins.end)
        last = torch.from_numpy(self.bins.assign(followup.time)).to(logits.device)
        seen = torch.from_numpy(event).to(logits.device)
        return discrete_hazard_loss(by_bin(logits, self.bins), last, seen)

    def risk(self, logits: Float[Tensor, "patient logit"]) -> Float[Tensor, " patient"]:
        """Probability of the event by the horizon; without one, the expected mortality.

        Expected mortality is the cumulative cause-specific hazard summed over the bins' ends
        (Ishwaran 2008; for competing risks Ishwaran 2014).
        """
        if self.horizon is not None:
            return self.incidence(logits, (self.bins.end,))[:, 0, 0]
        outcomes = log_outcomes(by_bin(logits, self.bins))
        spared = torch.cat([outcomes[:, :, :1], outcomes[:, :, 2:]], dim=2).logsumexp(dim=2)
        return -spared.cumsum(dim=1).sum(dim=1)

    def score(self, logits: Float[Tensor, "patient logit"]) -> Float[Tensor, " patient"]:
        """The risk on a scale without a ceiling."""
        return without_ceiling(self.risk, logits, self.horizon)

    def survival(
        self, logits: Float[Tensor, "patient logit"], times: tuple[float, ...]
    ) -> Float[Tensor, "patient time"]:
        """Probability of not having had the event; within a bin the hazards are constant.

        Raises:
            UndefinedMetricError: If a time lies past the end of the last bin.
        """
        return 1 - self.incidence(logits, times)[:, :, 0]

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
            "edges": list(self.bins.edges),
            "end": self.bins.end,
            "horizon": self.horizon,
            "causes": [list(members) for members in self.causes],
        }
