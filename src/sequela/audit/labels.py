"""Who has the event and who has not, under the protocol: what no shortcut may tell."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from sequela.cohort.cohort import Cohort
from sequela.cohort.patient import Case
from sequela.cohort.protocol import ProtocolSettings
from sequela.cohort.selection import Selection
from sequela.errors import UndefinedMetricError
from sequela.survival.followup import Followup
from sequela.survival.kaplan_meier import kaplan_meier

FEWEST = 20
"""Patients with the event, and without, under which no prediction of it is judged."""

_SEEN_THROUGH = 0.1
"""Share of patients still under observation at a landmark's horizon, for it to be counted."""


@dataclass(frozen=True)
class Labelled:
    """The cases whose status at the horizon is known.

    Attributes:
        cases: What a model would look at.
        event: True for the event of interest by the horizon.
        weight: 1 over the chance that the status is known; 1 where there is no horizon.
        patient: A number a patient, the same for all cases of one.
        horizon: Days after the landmark; None for ever.
    """

    cases: tuple[Case, ...]
    event: Bool[np.ndarray, " case"]
    weight: Float[np.ndarray, " case"]
    patient: Int[np.ndarray, " case"]
    horizon: float | None

    def require_enough(self) -> None:
        """Raise an UndefinedMetricError if there are few patients with, or without, the event."""
        having = len(np.unique(self.patient[self.event]))
        free = len(np.unique(self.patient[~self.event]))
        if min(having, free) < FEWEST:
            raise UndefinedMetricError(
                f"{FEWEST} patients with the event and {FEWEST} without are needed, found {having} "
                f"and {free}"
            )


def label_cases(cohort: Cohort, selection: Selection) -> Labelled:
    """The cases of a selection with their label, weighted for those whose status is not known.

    A landmark lies on the way from the index date, so the chance of being uncensored at a case's
    horizon is G(landmark + horizon) / G(landmark) of one censoring curve from the index date.
    Landmarks so late that follow-up ends before their horizon are left out: only events would
    be known of them, and late exams would look dangerous.

    Raises:
        UndefinedMetricError: If nobody is followed to the horizon.

    Source: Robins & Rotnitzky 1992; Graf et al. 1999. Ties: events precede censorings.
    """
    protocol, followup = selection.protocol, selection.followup
    cause = cohort.manifest.endpoints[protocol.endpoint].cause
    happened = followup.event == cause
    horizon = _horizon(protocol, followup, cause)
    weight = np.ones(len(followup))
    if horizon is not None:
        happened = happened & (followup.time <= horizon)
        weight = _weights(cohort, selection, horizon)
        weight[(followup.time <= horizon) & (followup.event == 0)] = 0.0
    known = weight > 0
    _require_both(happened[known], horizon)
    names = [case.patient_id for case in selection.cases]
    patient = np.unique(names, return_inverse=True)[1]
    cases = tuple(case for case, kept in zip(selection.cases, known, strict=True) if kept)
    return Labelled(cases, happened[known], weight[known], patient[known], horizon)


def _horizon(protocol: ProtocolSettings, followup: Followup, cause: int) -> float | None:
    """The protocol's horizon; where it sets none, but for `paper`, the median day of an event."""
    if protocol.name == "paper" or protocol.horizon is not None:
        return protocol.label_horizon
    events = followup.time[followup.event == cause]
    return float(np.median(events)) if len(events) else None


def _weights(cohort: Cohort, selection: Selection, horizon: float) -> Float[np.ndarray, " case"]:
    followup = selection.followup
    rows = cohort.outcomes.filter(endpoint=selection.protocol.endpoint)
    time = rows["time"].to_numpy().astype(float)
    entry = rows["entry"].fill_null(0.0).to_numpy().astype(float)
    censored = rows["event"].to_numpy() == 0
    # Half a day later, the censored follow the events of their day.
    curve = kaplan_meier(
        np.where(censored, time + 0.5, time), censored, entry=entry if entry.any() else None
    )
    landmark = np.array([case.landmark for case in selection.cases])
    started = curve.at(landmark + 0.5)
    reached = curve.at(landmark + horizon + 0.5) >= _SEEN_THROUGH * started
    if not reached.any():
        raise UndefinedMetricError(
            f"hardly anybody is followed for {horizon:g} days after a landmark",
            hint="choose an earlier protocol.horizon",
        )
    until = np.where(followup.time > horizon, horizon + 0.5, followup.time)
    return np.divide(started, curve.at(landmark + until), out=np.zeros(len(until)), where=reached)


def _require_both(event: Bool[np.ndarray, " case"], horizon: float | None) -> None:
    if event.all() or not event.any():
        by = "" if horizon is None else f" by day {horizon:g}"
        raise UndefinedMetricError(
            f"cases with and without the event{by} are needed, found {int(event.sum())} with and "
            f"{int((~event).sum())} without"
        )
