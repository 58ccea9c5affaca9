"""What an evaluation is asked to do."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from sequela.settings import Settings

Stated = Literal["apparent", "cross-validated", "held out", "temporally held out", "external"]
"""Grades of evidence that the owner of predictions can state."""


class EvaluationSettings(Settings):
    """How predictions become numbers.

    Attributes:
        bootstraps: Patient resamples behind each interval.
        curve_bootstraps: Patient resamples behind the intervals of ICI, E50, E90 and Emax, each of
            which needs a regression.
        seed: Of those resamples.
        level: Of every confidence interval.
        interval: How limits are read off the resamples: their percentiles, or percentiles corrected
            for bias and skewness (BCa), which needs a further pass for each patient.
        horizon: Days after the landmark; None takes the predictions' own, which may be none.
        table_days: Where patients are counted as recurred or not in the risk-group table when there
            is no horizon (five years).
        conformal_level: The chance with which lower bounds on the time to the event are to hold.
        thresholds: Predicted risks at which net benefit is asked.
        calibration_groups: Into how many groups of predicted risk calibration plots fall.
        curve_points: The most points of a plotted curve.
        evidence: How the test patients were set apart, as the owner of the predictions states it;
            needed only where the predictions do not show it.
        reference: The model that all others were planned to be compared with; None compares all
            pairs. It is part of the plan, not to be chosen after the numbers are seen.
        threshold: A risk at or above which a patient is called positive and of high risk, as its
            owner states it; None chooses it on validation rows. It is part of the plan, not to be
            chosen after the numbers are seen.
        minimum_events: Events that a landmark number needs for its own row.
        accept_biased_design: Whether outcome-dependent sampling is known and meant. Without it no
            number of such a design is given; with it every one carries the mark.
    """

    bootstraps: int = Field(default=1000, ge=0)
    curve_bootstraps: int = Field(default=200, ge=0)
    seed: int = 20260
    level: float = Field(default=0.95, gt=0, lt=1)
    interval: Literal["percentile", "bca"] = "percentile"
    horizon: float | None = Field(default=None, gt=0)
    table_days: float = Field(default=1826.25, gt=0)
    conformal_level: float = Field(default=0.9, gt=0, lt=1)
    thresholds: tuple[float, ...] = (0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5)
    calibration_groups: int = Field(default=5, ge=2)
    curve_points: int = Field(default=400, ge=10)
    evidence: Stated | None = None
    reference: str | None = None
    threshold: float | None = None
    minimum_events: int = Field(default=10, ge=1)
    accept_biased_design: bool = False
