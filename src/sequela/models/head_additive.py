"""Mirai's additive hazard: risk by the end of each year, which can only grow."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from sequela.errors import UndefinedMetricError
from sequela.settings import Settings
from sequela.survival.followup import Followup

YEAR = 365.25


class AdditiveHazardHeadConfig(Settings):
    """A base logit and one addition a year, as in Mirai."""

    kind: Literal["additive-hazard"] = "additive-hazard"


@dataclass(frozen=True)
class AdditiveHazardHead:
    """The log-odds of the event by each year's end: a base, and what every year adds.

    Attributes:
        years: The years' ends, in days; the last is the horizon, where there is one.
        cause: The event of interest; whoever has another first never has it.

    Source: Yala et al. 2021, whose published code gives the logit of the risk by year k as
    B(m) + the sum of relu(H_i(m)) over i <= k, both linear in the exam's vector m; Karaman et al.
    2024 write it so too. It is trained by binary cross-entropy, averaged over the years that count.
    Which do is one of four maskings that the published code was searched over; here it is `indep`:
    after the event every year counts, while `default` leaves out the years that follow it.
    """

    years: tuple[float, ...]
    cause: int = 1

    @classmethod
    def fit(cls, train: Followup, horizon: float | None, cause: int) -> AdditiveHazardHead:
        """Years up to the horizon or, without one, to the last event of training patients."""
        end = float(train.time[train.event == cause].max()) if horizon is None else horizon
        count = max(1, round(end / YEAR))
        return cls((*(YEAR * year for year in range(1, count)), end), cause)

    @property
    def logits(self) -> int:
        """Numbers a patient that the model gives: the base, then a year's addition each."""
        return 1 + len(self.years)

    @property
    def grid(self) -> tuple[float, ...]:
        """The ends of the years: survival is known there and nowhere between."""
        return self.years

    def log_odds(self, logits: Float[Tensor, "patient logit"]) -> Float[Tensor, "patient year"]:
        """Of having had the event by the end of each year."""
        return logits[:, :1] + F.relu(logits[:, 1:]).cumsum(dim=1)

    def loss(self, logits: Float[Tensor, "patient logit"], followup: Followup) -> Float[Tensor, ""]:
        """Mean cross-entropy over the patients' years whose status is known; 0 where none is."""
        ends = np.array(self.years)
        by_then = followup.time[:, None] <= ends
        happened = by_then & (followup.event == self.cause)[:, None]
        known = ~by_then | (followup.event > 0)[:, None] | (followup.time[:, None] == ends)
        if not known.any():
            return logits.sum() * 0.0
        chosen = torch.from_numpy(known).to(logits.device)
        target = torch.from_numpy(happened).to(logits)
        return F.binary_cross_entropy_with_logits(self.log_odds(logits)[chosen], target[chosen])

    def risk(self, logits: Float[Tensor, "patient logit"]) -> Float[Tensor, " patient"]:
        """Probability of the event by the end of the last year."""
        return self.score(logits).sigmoid()

    def score(self, logits: Float[Tensor, "patient logit"]) -> Float[Tensor, " patient"]:
        """The risk on a scale without a ceiling: its log-odds."""
        return self.log_odds(logits)[:, -1]

    def survival(
        self, logits: Float[Tensor, "patient logit"], times: tuple[float, ...]
    ) -> Float[Tensor, "patient time"]:
        """Probability of being free of the event at years' ends.

        Raises:
            UndefinedMetricError: If another time is asked for.
        """
        if set(times) - set(self.years):
            raise UndefinedMetricError(
                "an additive-hazard head knows survival at the ends of its years only",
                hint="ask for the head's grid, or train with head.kind=piecewise-hazard",
            )
        places = [self.years.index(time) for time in times]
        return torch.sigmoid(-self.log_odds(logits))[:, places]

    def state(self) -> dict[str, Any]:
        """What `head_from_state` needs, as JSON holds it."""
        return {"kind": "additive-hazard", "years": list(self.years), "cause": self.cause}
