"""A hazard that is constant in each bin of time, with the exact time that a patient spent there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
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
    without_ceiling,
)
from sequela.survival.followup import Followup
from sequela.survival.losses import piecewise_hazard_loss
from sequela.survival.time_bins import TimeBins


class PiecewiseHazardHeadConfig(BinnedHeadConfig):
    """A logit a bin of time and cause: the logarithm of the hazard there."""

    kind: Literal["piecewise-hazard"] = "piecewise-hazard"


@dataclass(frozen=True)
class PiecewiseHazardHead(BinnedHead):
    """Hazards constant in bins of time: of the event and, where training saw others, of these.

    A patient censored within a bin is credited with the days spent in it and no more, which a
    discrete hazard cannot do. A logit of 0 is the crude rate of training patients.

    Attributes:
        bins: Placed by training events; the last ends at the horizon, where there is one.
        horizon: Days, or None.
        days_an_event: Days that training patients were followed for each event of each cause.
        causes: Which events share a hazard; one that has none is censored.
    """

    bins: TimeBins
    horizon: float | None
    days_an_event: tuple[float, ...]
    causes: Causes = ((1,),)

    @classmethod
    def fit(
        cls, train: Followup, bins: TimeBins, horizon: float | None, causes: Causes
    ) -> PiecewiseHazardHead:
        """The head whose logits of 0 are the crude rates of training patients."""
        time, event = observed(train, causes, bins.end)
        followed = (time if train.entry is None else time - np.minimum(train.entry, time)).sum()
        counts = np.bincount(event, minlength=len(causes) + 1)[1:].clip(min=1)
        return cls(bins, horizon, tuple((followed / counts).tolist()), causes)

    def loss(self, logits: Float[Tensor, "patient logit"], followup: Followup) -> Float[Tensor, ""]:
        """Mean negative log-likelihood; what follows the last bin's end is not looked at.

        A cause's events are censoring to the hazards of the others, so their losses add up. Who
        enters late is followed from then on.
        """
        time, event = observed(followup, self.causes, self.bins.end)
        days = self.bins.exposure(time)
        if followup.entry is not None:
            days = days - self.bins.exposure(np.minimum(followup.entry, time))
        last = torch.from_numpy(self.bins.assign(time)).to(logits.device)
        total = logits.new_zeros(())
        for place, unit in enumerate(self.days_an_event):
            exposure = torch.from_numpy(days / unit).to(logits)
            struck = torch.from_numpy(event == place + 1).to(logits.device)
            log_hazard = by_bin(logits, self.bins)[:, :, place]
            total = total + piecewise_hazard_loss(log_hazard, exposure, last, struck)
        return total

    def mortality(self, logits: Float[Tensor, "patient logit"]) -> Float[Tensor, " patient"]:
        """The cumulative cause-specific hazard summed over the bins' ends (Ishwaran 2014)."""
        return self._passed(logits)[:, :, 0].cumsum(dim=1).sum(dim=1)

    def score(self, logits: Float[Tensor, "patient logit"]) -> Float[Tensor, " patient"]:
        """The risk on a scale without a ceiling; without rivals the log cumulative hazard."""
        if self.horizon is not None and len(self.causes) == 1:
            return self._passed(logits).sum(dim=(1, 2)).log()
        return without_ceiling(self.risk, logits, self.horizon)

    def incidence(
        self, logits: Float[Tensor, "patient logit"], times: tuple[float, ...]
    ) -> Float[Tensor, "patient time cause"]:
        """Probability of having had each of `causes`, the event of interest first.

        Raises:
            UndefinedMetricError: If a time lies past the end of the last bin.
        """
        unit = logits.new_tensor(self.days_an_event).log()
        share = (by_bin(logits, self.bins) - unit).softmax(dim=2)
        log_free = -self._passed(logits).sum(dim=2)
        return incidence_of_bins(log_free, share, self.bins, times)

    def _passed(self, logits: Float[Tensor, "patient logit"]) -> Float[Tensor, "patient bin cause"]:
        """What each bin adds to the cumulative hazard of each cause."""
        widths = np.diff(self.bins.bounds)[:, None] / np.array(self.days_an_event)
        return by_bin(logits, self.bins).exp() * torch.from_numpy(widths).to(logits)

    def state(self) -> dict[str, Any]:
        """What `head_from_state` needs, as JSON holds it."""
        return {
            "kind": "piecewise-hazard",
            "days_an_event": list(self.days_an_event),
            **self.binned_state(),
        }
