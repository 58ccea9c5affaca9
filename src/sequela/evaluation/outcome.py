"""Who has the event and who has not: the label that each protocol means.

Without a horizon (`paper`) a patient is a case who has the event of the cause during follow-up, and
a control otherwise; every row weighs one.

With a horizon h (`landmark`) a case has the event by h; a control is free of the event of interest
at h, which patients with a competing event before h are: definition 2 of Blanche et al. 2013. The
status of patients censored before h is unknown; the others weigh for them, by the inverse
probability of being uncensored, estimated apart for each landmark number.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from sequela.errors import UndefinedMetricError
from sequela.evaluation.rows import Rows
from sequela.survival.censoring import censoring_weights, survivors

_SMALLEST_STRATUM = 30


@dataclass(frozen=True)
class Question:
    """What is asked of the predictions: which cause, by which day.

    Attributes:
        cause: The event of interest; others compete.
        horizon: Days after the landmark, None for ever.
    """

    cause: int
    horizon: float | None

    def cases(self, rows: Rows) -> Bool[np.ndarray, " row"]:
        """Rows with the event of interest, by the horizon if there is one."""
        happened = rows.event == self.cause
        return happened if self.horizon is None else happened & (rows.time <= self.horizon)

    def controls(self, rows: Rows) -> Bool[np.ndarray, " row"]:
        """Rows known to be free of the event of interest."""
        if self.horizon is None:
            return rows.event != self.cause
        competing = (rows.event > 0) & (rows.event != self.cause) & (rows.time <= self.horizon)
        return competing | survivors(rows.time, rows.event > 0, self.horizon)

    def weights(
        self, rows: Rows, counts: Float[np.ndarray, "row resample"]
    ) -> Float[np.ndarray, "row resample"]:
        """What each row weighs, given how often it counts; 0 where its status is unknown."""
        strata = landmark_strata(rows)
        return self.weights_of(rows.time, rows.event, counts, strata=strata, entry=rows.late)

    def weights_of(
        self,
        time: Float[np.ndarray, " row"],
        event: Int[np.ndarray, " row"],
        counts: Float[np.ndarray, "row resample"],
        *,
        strata: Int[np.ndarray, " row"] | None = None,
        entry: Float[np.ndarray, " row"] | None = None,
    ) -> Float[np.ndarray, "row resample"]:
        """The same for bare times and events."""
        if self.horizon is None:
            return counts
        return censoring_weights(
            time, event > 0, self.horizon, weight=counts, strata=strata, entry=entry
        )

    def require(self, rows: Rows) -> None:
        """Raise an UndefinedMetricError unless there are cases, controls and enough follow-up."""
        by = "" if self.horizon is None else f" by day {self.horizon:g}"
        cases, controls = int(self.cases(rows).sum()), int(self.controls(rows).sum())
        if not cases or not controls:
            raise UndefinedMetricError(
                f"patients with and without event {self.cause}{by} are needed, "
                f"found {cases} with and {controls} without among {len(rows)} rows"
                f"{self._reach(rows)}"
            )
        if self.horizon is None:
            return
        if np.isnan(self.weights(rows, np.ones((len(rows), 1)))).any():
            raise UndefinedMetricError(
                f"no patient of some landmark number is followed to day {self.horizon:g}: "
                f"{_largest_horizon(rows)}",
                hint="choose an earlier horizon",
            )

    def _reach(self, rows: Rows) -> str:
        """Which horizon would be valid, where nobody is followed to this one."""
        if self.horizon is None or not len(rows) or rows.time.max() >= self.horizon:
            return ""
        return f"; {_largest_horizon(rows)}"

    def in_words(self) -> str:
        """The definition, for a reader of the report."""
        if self.horizon is None:
            return (
                f"A patient is positive who has event {self.cause} at any time during follow-up, "
                "and negative otherwise, however short the follow-up."
            )
        return (
            f"A patient is positive who has event {self.cause} within {self.horizon:g} days of the "
            "landmark, and negative who is free of it then, patients with a competing event "
            "included. Patients censored earlier are represented by inverse probability of "
            "censoring weights, estimated for each landmark number."
        )


def _largest_horizon(rows: Rows) -> str:
    """Up to which day somebody of every landmark number is known to be free of any event."""
    strata = landmark_strata(rows)
    ends = []
    for stratum in np.unique(strata):
        time, event = rows.time[strata == stratum], rows.event[strata == stratum]
        last = float(time.max())
        ends.append((last, bool((event[time == last] > 0).all())))
    last, exclusive = min(ends)
    return f"the largest valid horizon is {'just before ' if exclusive else ''}day {last:g}"


def landmark_strata(rows: Rows) -> Int[np.ndarray, " row"]:
    """Landmark number; from the first that holds too few rows on, all join the one before."""
    counts = np.bincount(rows.number) if len(rows) else np.zeros(1, dtype=np.int64)
    large = int((counts >= _SMALLEST_STRATUM).cumprod().sum())
    return np.minimum(rows.number, max(large - 1, 0))
