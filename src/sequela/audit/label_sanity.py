"""Whether outcomes are what they say: coding, units, follow-up, deaths that were censored."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import polars as pl
from jaxtyping import Bool, Float

from sequela.audit.findings import finding
from sequela.cohort.cohort import Cohort
from sequela.cohort.findings import Finding
from sequela.cohort.selection import Selection
from sequela.survival.kaplan_meier import kaplan_meier

FEW_EVENTS = 10
_LONGEST, _ENDING = 0.1, 0.85
_MANY, _SOME = 40, 10
_NEARLY_ALL = 0.98
_SAME_DAY = 0.05
"""Share of the censored whose death on the same day is no coincidence."""
_OLDEST = 120.0
_YEAR, _YEARS = 365.25, (1, 2, 3, 5, 10)
_DEATHS = ("os", "death", "overall survival", "overall_survival", "survival", "mortality")


def label_findings(cohort: Cohort, endpoint: str) -> Iterator[Finding]:
    """What is odd about the outcomes of an endpoint."""
    file = cohort.manifest.tables["outcomes"].file
    rows = cohort.outcomes.filter(endpoint=endpoint)
    cause = cohort.manifest.endpoints[endpoint].cause
    events = int((rows["event"] == cause).sum())
    if events < FEW_EVENTS:
        yield finding("A042", file, None, "event", endpoint=endpoint, events=events)
    happened = (rows["event"] > 0).to_numpy()
    ended = int(happened.sum())
    if len(rows) >= _MANY and ended >= _NEARLY_ALL * len(rows):
        yield finding(
            "A047",
            file,
            None,
            "event",
            events=ended,
            patients=len(rows),
            endpoint=endpoint,
            share=f"{happened.mean():.0%}",
        )
    elif seems_exchanged(rows["time"].to_numpy().astype(float), happened):
        share = f"{happened.mean():.0%}"
        yield finding("A041", file, None, "event", endpoint=endpoint, share=share)
    yield from _censored_deaths(cohort, endpoint, file)
    yield from _ages(cohort)


def followup_findings(cohort: Cohort, selection: Selection) -> Iterator[Finding]:
    """Whether patients are followed as far as the protocol predicts."""
    horizon, followup = selection.protocol.label_horizon, selection.followup
    if horizon is None or not len(followup):
        return
    followed = followup.time >= horizon
    reverse = kaplan_meier(followup.time, followup.event == 0, entry=followup.entry)
    half, _ = reverse.median()
    if followed.sum() < FEW_EVENTS or (half is not None and half < horizon / 2):
        median = "not reached" if half is None else f"{half:.0f} days"
        file = cohort.manifest.tables["outcomes"].file
        yield finding(
            "A043",
            file,
            None,
            "time",
            median=median,
            horizon=f"{horizon:g}",
            followed=int(followed.sum()),
            cases=len(followup),
        )


def followup_profile(cohort: Cohort, endpoint: str) -> dict[str, object]:
    """How many patients there are, what became of them, and how long they were followed.

    The median is that of the reverse Kaplan-Meier curve (Schemper & Smith 1996), None where fewer
    than half would be censored by the last time.
    """
    rows = cohort.outcomes.filter(endpoint=endpoint)
    if rows.is_empty():
        return {"patients": 0}
    time, event = rows["time"].to_numpy().astype(float), rows["event"].to_numpy()
    cause = cohort.manifest.endpoints[endpoint].cause
    median, _ = kaplan_meier(time, event == 0).median()
    return {
        "patients": len(rows),
        "events": int((event == cause).sum()),
        "competing": int(((event > 0) & (event != cause)).sum()),
        "censored": int((event == 0).sum()),
        "median_follow_up": median,
        "longest": float(time.max()),
        "followed_years": {str(year): int((time >= year * _YEAR).sum()) for year in _YEARS},
    }


def profile_in_words(profile: Mapping[str, Any]) -> str:
    """The same in a line."""
    if not profile["patients"]:
        return "nobody"
    median = profile["median_follow_up"]
    middle = "not reached" if median is None else f"{median:.0f} days"
    rival = f", {profile['competing']} a competing event" if profile["competing"] else ""
    reached = ", ".join(
        f"{count} for {year} y" for year, count in profile["followed_years"].items() if count
    )
    return (
        f"{profile['patients']} patients, {profile['events']} have the event{rival}, "
        f"{profile['censored']} are censored; median follow-up {middle}; "
        f"seen {reached or 'briefly'}"
    )


def seems_exchanged(
    time: Float[np.ndarray, " patient"], happened: Bool[np.ndarray, " patient"]
) -> bool:
    """Whether events stand where the censored do: at the far end, and later than they.

    Follow-up ends with those to whom nothing happened. If nearly all of the longest tenth are
    events, and events come later than censorings, the two are likely exchanged.
    """
    counts = int(happened.sum()), int((~happened).sum())
    if len(time) < _MANY or min(counts) < _SOME:
        return False
    longest = time >= np.quantile(time, 1 - _LONGEST)
    censored = np.sort(time[~happened])
    below = [np.searchsorted(censored, time[happened], side=side) for side in ("left", "right")]
    later = np.mean(below) / len(censored)
    return bool(happened[longest].mean() >= _ENDING and later > 0.5)


def _censored_deaths(cohort: Cohort, endpoint: str, file: str) -> Iterator[Finding]:
    """Patients censored on the very day on which another endpoint has their death."""
    causes = cohort.manifest.endpoints[endpoint].causes
    censored = cohort.outcomes.filter((pl.col("endpoint") == endpoint) & (pl.col("event") == 0))
    for other in cohort.manifest.endpoints:
        if other == endpoint or len(causes) > 1 or not _is_death(cohort, other):
            continue
        deaths = cohort.outcomes.filter((pl.col("endpoint") == other) & (pl.col("event") > 0))
        both = censored.join(deaths, on="patient_id", suffix="_death")
        same = both.filter((pl.col("time") - pl.col("time_death")).abs() < 1.0)
        if len(same) >= max(FEW_EVENTS, _SAME_DAY * len(censored)):
            yield finding(
                "A044",
                file,
                None,
                "event",
                endpoint=endpoint,
                other=other,
                dead=len(same),
                censored=len(censored),
            )


def _is_death(cohort: Cohort, endpoint: str) -> bool:
    words = (endpoint, *cohort.manifest.endpoints[endpoint].causes.values())
    return any(word.lower() in _DEATHS or "death" in word.lower() for word in words)


def _ages(cohort: Cohort) -> Iterator[Finding]:
    if "age" not in cohort.covariates.columns:
        return
    ages = cohort.covariates["age"]
    middle = ages.median() if ages.dtype == pl.Float64 else None
    if isinstance(middle, float) and not 1 <= middle <= _OLDEST:
        yield finding("A046", cohort.manifest.tables["patients"].file, None, "age")
