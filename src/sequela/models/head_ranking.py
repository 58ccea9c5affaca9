"""Chances of the event in each bin of time, and patients ranked by them (DeepHit)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from pydantic import Field
from torch import Tensor
from torch.nn import functional as F

from sequela.models.hazard_bins import (
    BinnedHead,
    BinnedHeadConfig,
    Causes,
    by_bin,
    observed,
    require_known,
)
from sequela.survival.followup import Followup
from sequela.survival.time_bins import TimeBins


class RankingHeadConfig(BinnedHeadConfig):
    """A logit a bin of time and cause: how likely the event falls there, and not elsewhere.

    Attributes:
        bins: How many, at most; training events fall evenly into them.
        weight: Of the ranking beside the likelihood.
        scale: Difference of two chances at which a pair's loss falls by the factor e.
    """

    kind: Literal["ranking"] = "ranking"
    weight: float = Field(default=0.2, ge=0)
    scale: float = Field(default=0.1, gt=0)


@dataclass(frozen=True)
class RankingHead(BinnedHead):
    """The distribution of the time of the event over bins, ranked besides.

    The paper's times are discrete; here an event falls evenly into the days of its bin, so that a
    patient censored within a bin is credited with the days spent in it and no more.

    Attributes:
        bins: Placed by training events; the last ends at the horizon, where there is one.
        horizon: Days, or None.
        weight: Of the ranking.
        scale: Of the differences that are ranked.
        causes: Which events share a chance; one that has none is censored.

    Source: Lee et al. 2018, equations 3 to 5. The paper sums over pairs; a mean does not grow with
        the batch.
    """

    bins: TimeBins
    horizon: float | None
    weight: float
    scale: float
    causes: Causes = ((1,),)

    def loss(self, logits: Float[Tensor, "patient logit"], followup: Followup) -> Float[Tensor, ""]:
        """Mean negative log-likelihood and the weighted loss of the pairs that can be ranked."""
        time, event = observed(followup, self.causes, self.bins.end)
        log_chance = self._log_chances(logits)
        last = torch.from_numpy(self.bins.assign(time)).to(logits.device)
        struck = torch.from_numpy(event).to(logits.device)
        passed = self._passed(time, logits)
        likelihood = _log_likelihood(log_chance, passed, last, struck)
        if not self.weight:
            return -likelihood.mean()
        days = torch.from_numpy(time).to(logits.device)
        return self.weight * self._ranking(log_chance, passed, days, struck) - likelihood.mean()

    def _ranking(
        self,
        log_chance: Float[Tensor, "patient outcome"],
        passed: Float[Tensor, "patient bin"],
        days: Float[Tensor, " patient"],
        struck: Int[Tensor, " patient"],
    ) -> Float[Tensor, ""]:
        """Who is struck should have had a higher chance of it by then than who is not yet."""
        chance = by_bin(log_chance[:, :-1].exp(), self.bins)
        total, pairs = log_chance.new_zeros(()), 0
        for place in range(len(self.causes)):
            first = struck == place + 1
            later: Bool[Tensor, "event patient"] = days > days[first, None]
            by_then = passed[first] @ chance[:, :, place].T
            own = (passed[first] * chance[first, :, place]).sum(dim=1, keepdim=True)
            total = total + ((by_then - own) / self.scale).exp()[later].sum()
            pairs += int(later.sum())
        return total / max(1, pairs)

    def mortality(self, logits: Float[Tensor, "patient logit"]) -> Float[Tensor, " patient"]:
        """The incidence summed over the bins' ends."""
        return self.incidence(logits, self.grid)[:, :, 0].sum(dim=1)

    def incidence(
        self, logits: Float[Tensor, "patient logit"], times: tuple[float, ...]
    ) -> Float[Tensor, "patient time cause"]:
        """Probability of having had each of `causes`, the event of interest first.

        Raises:
            UndefinedMetricError: If a time lies past the end of the last bin.
        """
        require_known(self.bins, times)
        chance = by_bin(self._log_chances(logits)[:, :-1].exp(), self.bins)
        passed = self._passed(np.asarray(times, dtype=np.float64), logits)
        incidence: Float[Tensor, "patient time cause"]
        incidence = torch.einsum("pbc,tb->ptc", chance, passed)
        return incidence.clamp(max=1)  # the sum may pass it by a rounding

    def _log_chances(
        self, logits: Float[Tensor, "patient logit"]
    ) -> Float[Tensor, "patient outcome"]:
        """Of each bin and cause, and last of none of them by the end, whose logit is 0."""
        return F.log_softmax(F.pad(logits, (0, 1)), dim=1)

    def _passed(
        self, time: Float[np.ndarray, " moment"], like: Tensor
    ) -> Float[Tensor, "moment bin"]:
        """Which share of each bin lies before each time."""
        bounds = np.asarray(self.bins.bounds)
        share = np.clip((time[:, None] - bounds[:-1]) / np.diff(bounds), 0.0, 1.0)
        return torch.from_numpy(share).to(like)

    def state(self) -> dict[str, Any]:
        """What `head_from_state` needs, as JSON holds it."""
        return {
            "kind": "ranking",
            "weight": self.weight,
            "scale": self.scale,
            **self.binned_state(),
        }


def _log_likelihood(
    log_chance: Float[Tensor, "patient outcome"],
    passed: Float[Tensor, "patient bin"],
    last: Int[Tensor, " patient"],
    struck: Int[Tensor, " patient"],
) -> Float[Tensor, " patient"]:
    """Of the bin of who is struck; of all that is left of the time of who is censored."""
    causes = (log_chance.shape[1] - 1) // passed.shape[1]
    where = (last * causes + (struck - 1).clamp(min=0))[:, None]
    at_event = log_chance.gather(1, where).squeeze(1)
    left = F.pad(1 - passed.repeat_interleave(causes, dim=1), (0, 1), value=1.0)
    spared = (log_chance + left.log()).logsumexp(dim=1)
    return torch.where(struck > 0, at_event, spared)
