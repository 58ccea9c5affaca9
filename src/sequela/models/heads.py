"""Heads: what a model's logits say about the outcome; the only place that knows.

A competing event ends the exposure without the event of interest, so that every hazard here is
cause-specific and every probability is that of a world without the competing event.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, assert_never

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from pydantic import Field
from torch import Tensor

from sequela.errors import DataError, UndefinedMetricError, UsageError
from sequela.settings import Settings
from sequela.survival.followup import Followup
from sequela.survival.losses import discrete_hazard_loss
from sequela.survival.time_bins import TimeBins


class BinaryHeadConfig(Settings):
    """One logit: does the event happen by the horizon (or, without one, was it seen at all)?"""

    kind: Literal["binary"] = "binary"


class DiscreteHazardHeadConfig(Settings):
    """One logit a bin of time: the hazard of the event there.

    Attributes:
        bins: How many, at most; training events fall evenly into them.
    """

    kind: Literal["discrete-hazard"] = "discrete-hazard"
    bins: int = Field(default=10, ge=1)


HeadConfig: TypeAlias = BinaryHeadConfig | DiscreteHazardHeadConfig


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


@dataclass(frozen=True)
class DiscreteHazardHead:
    """Hazard of the event in bins of time.

    Attributes:
        bins: Placed by training events; the last ends at the horizon, where there is one.
        horizon: Days, or None.
        cause: The event of interest.
    """

    bins: TimeBins
    horizon: float | None
    cause: int = 1

    @property
    def logits(self) -> int:
        """Numbers a patient that the model gives."""
        return self.bins.count

    @property
    def grid(self) -> tuple[float, ...]:
        """The ends of the bins, in days; survival is defined between 0 and the last."""
        return self.bins.bounds[1:]

    def loss(self, logits: Float[Tensor, "patient bin"], followup: Followup) -> Float[Tensor, ""]:
        """Mean negative log-likelihood; what follows the last bin's end is not looked at."""
        event = (followup.event == self.cause) & (followup.time <= self.bins.end)
        last = self.bins.assign(followup.time)
        device = logits.device
        return discrete_hazard_loss(
            logits, torch.from_numpy(last).to(device), torch.from_numpy(event).to(device)
        )

    def risk(self, logits: Float[Tensor, "patient bin"]) -> Float[Tensor, " patient"]:
        """Probability of the event by the horizon; without one, the expected mortality.

        Expected mortality is the cumulative hazard summed over the bins' ends (Ishwaran 2008).
        """
        log_survival = F.logsigmoid(-logits).cumsum(dim=1)
        return -log_survival.sum(dim=1) if self.horizon is None else -log_survival[:, -1].expm1()

    def survival(
        self, logits: Float[Tensor, "patient bin"], times: tuple[float, ...]
    ) -> Float[Tensor, "patient time"]:
        """Probability of being free of the event; within a bin the hazard is constant.

        Raises:
            UndefinedMetricError: If a time lies past the end of the last bin.
        """
        if times and max(times) > self.bins.end:
            raise UndefinedMetricError(
                f"survival is known up to {self.bins.end:.0f} days, asked for {max(times):.0f}",
                hint="ask for earlier times, or train with a longer horizon",
            )
        days = np.asarray(times, dtype=np.float64)
        bounds = np.asarray(self.bins.bounds)
        passed = np.clip((days - bounds[:-1, None]) / np.diff(bounds)[:, None], 0.0, 1.0)
        shares = torch.from_numpy(passed).to(logits)
        return torch.exp(F.logsigmoid(-logits) @ shares)

    def state(self) -> dict[str, Any]:
        """What `head_from_state` needs, as JSON holds it."""
        return {
            "kind": "discrete-hazard",
            "edges": list(self.bins.edges),
            "end": self.bins.end,
            "horizon": self.horizon,
            "cause": self.cause,
        }


Head: TypeAlias = BinaryHead | DiscreteHazardHead


def fit_head(
    config: HeadConfig, train: Followup, horizon: float | None = None, cause: int = 1
) -> Head:
    """The head of `config`, with whatever it fits fitted on training patients.

    Args:
        config: Which head.
        train: Follow-up of training patients.
        horizon: Days within which the event is predicted; None for all of the follow-up.
        cause: The event of interest.

    Raises:
        UsageError: If patients enter after their landmark, which these heads cannot take.
        DataError: If no training patient has the event.
    """
    if train.entry is not None and (train.entry > 0).any():
        raise UsageError(
            f"{int((train.entry > 0).sum())} patients come under observation after their landmark; "
            f"the {config.kind} head counts everyone from the landmark",
            hint="use the landmark protocol, or leave these patients out",
        )
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
            return DiscreteHazardHead(bins, horizon, cause)
        case _:
            assert_never(config)


def head_from_state(state: Mapping[str, Any]) -> Head:
    """The head whose `state()` this is.

    Raises:
        DataError: If it is the state of no head.
    """
    match state:
        case {"kind": "binary", "horizon": horizon, "cause": cause}:
            return BinaryHead(horizon, cause)
        case {"kind": "discrete-hazard", "edges": edges, "end": end, **rest}:
            bins = TimeBins(tuple(edges), end)
            return DiscreteHazardHead(bins, rest["horizon"], rest["cause"])
        case _:
            raise DataError(
                "the checkpoint holds no head that this version knows",
                hint="predict with the version of sequela that trained it",
            )
