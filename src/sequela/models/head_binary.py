"""One logit: does the event happen by the horizon?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

from sequela.errors import UndefinedMetricError
from sequela.settings import Settings
from sequela.survival.followup import Followup


class BinaryHeadConfig(Settings):
    """One logit: does the event happen by the horizon (or, without one, was it seen at all)?"""

    kind: Literal["binary"] = "binary"


@dataclass(frozen=True)
class BinaryHead:
    """Probability of the event by the horizon.

    Attributes:
        horizon: Days; None takes whoever was seen with the event, as the LUMIN paper does.
        cause: The event of interest.
    """

    horizon: float | None
    cause: int = 1

    @property
    def logits(self) -> int:
        """Numbers a patient that the model gives."""
        return 1

    @property
    def grid(self) -> tuple[float, ...]:
        """Times at which survival is defined, in days."""
        return () if self.horizon is None else (self.horizon,)

    def label(
        self, followup: Followup
    ) -> tuple[Bool[np.ndarray, " patient"], Bool[np.ndarray, " patient"]]:
        """Who has the event by the horizon, and of whom that is known.

        Unknown is a patient whose follow-up ended before the horizon without an event. A
        competing event before it means that the event of interest did not happen.
        """
        happened = followup.event == self.cause
        if self.horizon is None:
            return happened, np.ones(len(followup), dtype=bool)
        within = followup.time <= self.horizon
        lost = (followup.event == 0) & (followup.time < self.horizon)
        return happened & within, ~lost

    def loss(self, logits: Float[Tensor, "patient 1"], followup: Followup) -> Float[Tensor, ""]:
        """Mean cross-entropy of the patients whose label is known; 0 where none is."""
        event, known = (torch.from_numpy(x).to(logits.device) for x in self.label(followup))
        if not known.any():
            return logits.sum() * 0.0
        chosen = logits.squeeze(1)[known]
        return F.binary_cross_entropy_with_logits(chosen, event[known].to(chosen.dtype))

    def risk(self, logits: Float[Tensor, "patient 1"]) -> Float[Tensor, " patient"]:
        """Probability of the event; higher is worse."""
        return torch.sigmoid(logits.squeeze(1))

    def score(self, logits: Float[Tensor, "patient 1"]) -> Float[Tensor, " patient"]:
        """The risk on a scale without a ceiling: its logit."""
        return logits[:, 0]

    def survival(
        self, logits: Float[Tensor, "patient 1"], times: tuple[float, ...]
    ) -> Float[Tensor, "patient time"]:
        """Probability of being free of the event at the horizon.

        Raises:
            UndefinedMetricError: If another time is asked for.
        """
        if set(times) - set(self.grid):
            raise UndefinedMetricError(
                "a binary head knows survival at its horizon only",
                hint="ask for the head's grid, or train with head.kind=discrete-hazard",
            )
        return torch.sigmoid(-logits).expand(-1, len(times))

    def state(self) -> dict[str, Any]:
        """What `head_from_state` needs, as JSON holds it."""
        return {"kind": "binary", "horizon": self.horizon, "cause": self.cause}
