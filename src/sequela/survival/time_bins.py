"""Bins of follow-up time for discrete and piecewise-constant hazards."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from sequela.errors import DataError
from sequela.survival.followup import Followup


@dataclass(frozen=True)
class TimeBins:
    """Bins of follow-up time, chosen so that training events fall evenly into them.

    Attributes:
        edges: Inner edges in days, ascending; an edge belongs to the bin that it begins.
        end: Where the last bin ends, in days: the horizon, or the last training time.
    """

    edges: tuple[float, ...]
    end: float

    @classmethod
    def fit(
        cls, train: Followup, count: int, *, cause: int = 1, horizon: float | None = None
    ) -> TimeBins:
        """Place the inner edges at quantiles of the observed event times of training patients.

        Args:
            train: Follow-up of training patients.
            count: Bins wanted; fewer come out where event times are tied.
            cause: The event of interest.
            horizon: Where the last bin ends; later events do not place edges.

        Raises:
            DataError: If no training patient has the event.
        """
        end = float(train.time.max()) if horizon is None else horizon
        events = train.time[(train.event == cause) & (train.time <= end)]
        if not len(events):
            raise DataError(
                f"time bins need training patients with event {cause}, found none",
                hint="check the endpoint and the horizon, or draw the split again",
            )
        edges = np.unique(np.quantile(events, np.linspace(0, 1, count + 1)[1:-1]))
        return cls(tuple(edges[(edges > 0) & (edges < end)].tolist()), end)

    @property
    def count(self) -> int:
        """How many bins there are."""
        return len(self.edges) + 1

    @property
    def bounds(self) -> tuple[float, ...]:
        """Start of the first bin, inner edges, end of the last bin."""
        return (0.0, *self.edges, self.end)

    def assign(self, time: Float[np.ndarray, " patient"]) -> Int[np.ndarray, " patient"]:
        """The bin of each time; times past the last edge fall into the last bin."""
        return np.searchsorted(np.asarray(self.edges), time, side="right")

    def exposure(self, time: Float[np.ndarray, " patient"]) -> Float[np.ndarray, "patient bin"]:
        """Days that each patient spent in each bin; the last bin has no end here."""
        starts = np.array([0.0, *self.edges])
        widths = np.append(np.diff(starts), np.inf)
        return np.clip(time[:, None] - starts, 0.0, widths)
