"""Heads: what a model's logits say about the outcome; the only place that knows.

Every probability is of the world as it is, where another event may come first and then the event of
interest does not: risk is the cumulative incidence of the cause, survival one minus it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, assert_never

import numpy as np
import torch
import torch.nn.functional as F
from einops import rearrange
from jaxtyping import Bool, Float
from pydantic import Field
from torch import Tensor

from sequela.errors import DataError, UndefinedMetricError, UsageError
from sequela.settings import Settings
from sequela.survival.followup import Followup
from sequela.survival.losses import discrete_hazard_loss, log_outcomes
from sequela.survival.time_bins import TimeBins


class BinaryHeadConfig(Settings):
    """One logit: does the event happen by the horizon (or, without one, was it seen at all)?"""

    kind: Literal["binary"] = "binary"


class DiscreteHazardHeadConfig(Settings):
    """One logit a bin of time: the hazard there; two where other events compete.

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
    """Hazards in bins of time: of the event and, where training saw others, of these together.

    Attributes:
        bins: Placed by training events; the last ends at the horizon, where there is one.
        horizon: Days, or None.
        cause: The event of interest.
        competing: Whether the other events have a hazard of their own; else they are censored.
    """

    bins: TimeBins
    horizon: float | None
    cause: int = 1
    competing: bool = False

    @property
    def logits(self) -> int:
        """Numbers a patient that the model gives: those of a bin stand together."""
        return self.bins.count * (1 + self.competing)

    @property
    def grid(self) -> tuple[float, ...]:
        """The ends of the bins, in days; survival is defined between 0 and the last."""
        return self.bins.bounds[1:]

    def loss(self, logits: Float[Tensor, "patient logit"], followup: Followup) -> Float[Tensor, ""]:
        """Mean negative log-likelihood; what follows the last bin's end is not looked at."""
        other = int(self.competing) * 2
        event = np.where(followup.event == self.cause, 1, np.where(followup.event > 0, other, 0))
        seen = np.where(followup.time <= self.bins.end, event, 0)
        last = torch.from_numpy(self.bins.assign(followup.time)).to(logits.device)
        return discrete_hazard_loss(
            self._by_bin(logits), last, torch.from_numpy(seen).to(logits.device)
        )

    def risk(self, logits: Float[Tensor, "patient logit"]) -> Float[Tensor, " patient"]:
        """Probability of the event by the horizon; without one, the expected mortality.

        Expected mortality is the cumulative cause-specific hazard summed over the bins' ends
        (Ishwaran 2008; for competing risks Ishwaran 2014).
        """
        if self.horizon is not None:
            return self._incidence(logits, (self.bins.end,))[:, 0]
        outcomes = log_outcomes(self._by_bin(logits))
        spared = torch.cat([outcomes[:, :, :1], outcomes[:, :, 2:]], dim=2).logsumexp(dim=2)
        return -spared.cumsum(dim=1).sum(dim=1)

    def survival(
        self, logits: Float[Tensor, "patient logit"], times: tuple[float, ...]
    ) -> Float[Tensor, "patient time"]:
        """Probability of not having had the event; within a bin the hazards are constant.

        Raises:
            UndefinedMetricError: If a time lies past the end of the last bin.
        """
        if times and max(times) > self.bins.end:
            raise UndefinedMetricError(
                f"survival is known up to {self.bins.end:.0f} days, asked for {max(times):.0f}",
                hint="ask for earlier times, or train with a longer horizon",
            )
        return 1 - self._incidence(logits, times)

    def _by_bin(self, logits: Float[Tensor, "patient logit"]) -> Float[Tensor, "patient bin cause"]:
        return rearrange(logits, "patient (bin cause) -> patient bin cause", bin=self.bins.count)

    def _incidence(
        self, logits: Float[Tensor, "patient logit"], times: tuple[float, ...]
    ) -> Float[Tensor, "patient time"]:
        bounds, days = np.asarray(self.bins.bounds), np.asarray(times, dtype=np.float64)
        passed = np.clip((days - bounds[:-1, None]) / np.diff(bounds)[:, None], 0.0, 1.0)
        by_bin = self._by_bin(logits)
        log_free = log_outcomes(by_bin)[:, :, 0]
        of_cause = by_bin.softmax(dim=2)[:, :, 0] * (log_free.cumsum(dim=1) - log_free).exp()
        struck = -torch.expm1(log_free[:, :, None] * torch.from_numpy(passed).to(logits))
        return (of_cause[:, :, None] * struck).sum(dim=1)

    def state(self) -> dict[str, Any]:
        """What `head_from_state` needs, as JSON holds it."""
        return {
            "kind": "discrete-hazard",
            "edges": list(self.bins.edges),
            "end": self.bins.end,
            "horizon": self.horizon,
            "cause": self.cause,
            "competing": self.competing,
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
            competing = bool(((train.event > 0) & (train.event != cause)).any())
            return DiscreteHazardHead(bins, horizon, cause, competing)
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
            competing = rest.get("competing", False)
            return DiscreteHazardHead(bins, rest["horizon"], rest["cause"], competing)
        case _:
            raise DataError(
                "the checkpoint holds no head that this version knows",
                hint="predict with the version of sequela that trained it",
            )
