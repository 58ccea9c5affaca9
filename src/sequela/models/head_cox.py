"""One logit: the logarithm of the hazard relative to other patients (Cox)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from sequela.errors import UndefinedMetricError
from sequela.models.hazard_bins import observed
from sequela.settings import Settings
from sequela.survival.cause_specific import StepHazard, incidence_of_steps
from sequela.survival.followup import Followup
from sequela.survival.losses import cox_loss


class CoxHeadConfig(Settings):
    """One logit: the logarithm of the relative hazard.

    A training batch is its own risk set: take it large enough to hold several events.
    """

    kind: Literal["cox"] = "cox"


@dataclass(frozen=True)
class CoxBaselineHazard:
    """What turns relative hazards into probabilities, fitted once the weights are.

    Attributes:
        centre: Mean logit of training patients, at which the baseline stands.
        cause: Breslow's cumulative hazard of the event of interest.
        rivals: Nelson and Aalen's of all other events together, the same for everyone; None where
            training saw none.
        end: Days up to which training patients tell it.
    """

    centre: float
    cause: StepHazard
    rivals: StepHazard | None
    end: float


@dataclass(frozen=True)
class CoxHead:
    """The hazard relative to other patients.

    Without a baseline, as during training, only the order of patients is known.

    Attributes:
        horizon: Days; what follows is not looked at.
        cause: The event of interest; the others censor it.
        baseline: The baseline hazards, None until `with_baseline`.
    """

    horizon: float | None
    cause: int = 1
    baseline: CoxBaselineHazard | None = None

    @property
    def logits(self) -> int:
        """Numbers a patient that the model gives."""
        return 1

    @property
    def grid(self) -> tuple[float, ...]:
        """The days of the training patients' events and the last day; none without a baseline."""
        if self.baseline is None:
            return ()
        days = (day for day in self.baseline.cause.times if day < self.baseline.end)
        return (*days, self.baseline.end)

    def loss(self, logits: Float[Tensor, "patient 1"], followup: Followup) -> Float[Tensor, ""]:
        """Negative log partial likelihood per event of the batch, ties after Efron."""
        time, event = observed(followup, ((self.cause,),), self._end)
        device = logits.device
        moments = torch.from_numpy(time).to(device)
        return cox_loss(logits[:, 0], moments, torch.from_numpy(event > 0).to(device))

    def with_baseline(self, logits: Float[Tensor, "patient 1"], train: Followup) -> CoxHead:
        """The head that knows probabilities, from the final logits of all training patients.

        Source: Breslow 1972 for the cause; Nelson 1972 and Aalen 1978 for its rivals.
        """
        time, event = observed(train, ((self.cause,),), self._end)
        numbers = logits[:, 0].detach().double().cpu().numpy()
        centre = float(numbers.mean())
        of_rivals = (train.event > 0) & (event == 0) & (train.time <= self._end)
        cause = StepHazard.breslow(time, event > 0, np.exp(numbers - centre))
        rivals = StepHazard.breslow(time, of_rivals, np.ones(len(time)))
        end = float(time.max()) if self.horizon is None else self.horizon
        known = CoxBaselineHazard(centre, cause, rivals if of_rivals.any() else None, end)
        return replace(self, baseline=known)

    def risk(self, logits: Float[Tensor, "patient 1"]) -> Float[Tensor, " patient"]:
        """Probability of the event by the horizon; without one, the expected mortality.

        Expected mortality is the cumulative cause-specific hazard summed over the training events'
        days (Ishwaran 2008). Without a baseline, the relative hazard: it orders patients alike.
        """
        if self.baseline is None:
            return logits[:, 0].double().exp().to(logits.dtype)
        if self.horizon is not None:
            return 1 - self.survival(logits, (self.baseline.end,))[:, 0]
        total = sum(self.baseline.cause.hazard)
        return (logits[:, 0].double() - self.baseline.centre).exp().to(logits.dtype) * total

    def score(self, logits: Float[Tensor, "patient 1"]) -> Float[Tensor, " patient"]:
        """The risk on a scale without a ceiling: the log of the relative hazard."""
        return logits[:, 0]

    def survival(
        self, logits: Float[Tensor, "patient 1"], times: tuple[float, ...]
    ) -> Float[Tensor, "patient time"]:
        """Probability of not having had the event; it passes no gradient.

        Raises:
            UndefinedMetricError: If there is no baseline yet, or a time lies past its end.
        """
        if self.baseline is None:
            raise UndefinedMetricError(
                "a Cox head tells no probability before its baseline hazard is fitted",
                hint="finish the training: the baseline is fitted with the weights that are kept",
            )
        if times and max(times) > self.baseline.end:
            raise UndefinedMetricError(
                f"survival is known up to {self.baseline.end:.0f} days, asked for {max(times):.0f}",
                hint="ask for earlier times, or train with a longer horizon",
            )
        numbers = logits[:, 0].detach().double().cpu().numpy()
        relative = np.exp(numbers - self.baseline.centre)
        hazards = [(self.baseline.cause, relative)]
        if self.baseline.rivals is not None:
            hazards.append((self.baseline.rivals, np.ones_like(relative)))
        return 1 - torch.from_numpy(incidence_of_steps(hazards, times)).to(logits)

    @property
    def _end(self) -> float:
        return np.inf if self.horizon is None else self.horizon

    def state(self) -> dict[str, Any]:
        """What `head_from_state` needs, as JSON holds it."""
        told: dict[str, Any] = {"kind": "cox", "horizon": self.horizon, "cause": self.cause}
        if (known := self.baseline) is not None:
            rivals = known.rivals
            told |= {
                "centre": known.centre,
                "end": known.end,
                "hazard": known.cause.state(),
                "rivals": None if rivals is None else rivals.state(),
            }
        return told

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> CoxHead:
        """The head whose `state()` this is."""
        bare = cls(state["horizon"], state["cause"])
        if "hazard" not in state:
            return bare
        rivals = state["rivals"]
        known = CoxBaselineHazard(
            state["centre"],
            StepHazard.from_state(state["hazard"]),
            None if rivals is None else StepHazard.from_state(rivals),
            state["end"],
        )
        return replace(bare, baseline=known)
