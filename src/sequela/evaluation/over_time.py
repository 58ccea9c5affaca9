"""AUC and Brier score at each day of the time grid, and over all of it, without resampling."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from sequela.errors import UndefinedMetricError
from sequela.evaluation.estimate import Estimate, estimated
from sequela.evaluation.outcome import Question, landmark_strata
from sequela.evaluation.rows import Rows
from sequela.survival.normal import two_sided_width
from sequela.survival.population_weights import PopulationWeights
from sequela.survival.risk_sets import distinct

METHOD = "infinitesimal jackknife over patients"
_MOST_TIMES = 60
_SHARES = np.linspace(0.1, 0.9, 9)
_LISTS = tuple(f"{name}{end}" for name in ("auc", "brier", "ipa") for end in ("", "_low", "_high"))


@dataclass(frozen=True)
class Moving:
    """A number, and how each row moves it.

    Attributes:
        value: The number.
        influence: Its derivative by how often each row counts.
    """

    value: float
    influence: Float[np.ndarray, " row"]

    def limits(self, patient: Int[np.ndarray, " row"], level: float) -> tuple[float, float]:
        """Wald's, the rows of a patient belonging together."""
        by_patient = np.bincount(patient, self.influence)
        width = two_sided_width(level) * float(np.sqrt((by_patient**2).sum()))
        return self.value - width, self.value + width


@dataclass(frozen=True)
class Watched:
    """The rows of one run, sorted once for every day that is asked about."""

    rows: Rows
    cause: int
    strata: tuple[tuple[Bool[np.ndarray, " row"], PopulationWeights], ...]
    rank: Int[np.ndarray, " row"]

    @classmethod
    def of(cls, rows: Rows, cause: int) -> Watched:
        """Weights of each landmark number apart, as `Question.weights` has them."""
        code, late = landmark_strata(rows), rows.late
        strata = []
        for number in np.unique(code):
            here = code == number
            entry = None if late is None else late[here]
            made = PopulationWeights.of(rows.time[here], rows.event[here] > 0, entry)
            strata.append((here, made))
        return cls(rows, cause, tuple(strata), distinct(rows.risk)[1])

    def auc(self, day: float) -> Moving:
        """The cumulative/dynamic AUC by a day.

        Raises:
            UndefinedMetricError: If cases, controls or follow-up lack.

        Source: Uno et al. 2007; Blanche et al. 2013, definition 2 and its influence function, the
            estimation of the weights counted in.
        """
        weights, case = self._known(day)
        cases, controls = weights * case, weights * ~case
        wins, losses = cases * self._below(controls), controls * self._above(cases)
        total = float(cases.sum()), float(controls.sum())
        value = float(wins.sum()) / (total[0] * total[1])
        won = (wins + losses) / (total[0] * total[1])
        excess = won - value * (cases / total[0] + controls / total[1])
        return Moving(value, excess + self._moved(excess, day))

    def brier(self, day: float, risk: Float[np.ndarray, " row"]) -> Moving:
        """The IPCW mean squared error of predicted risks of the event by a day (Graf 1999)."""
        weights, case = self._known(day)
        return self._mean(weights * (case - risk) ** 2, day)

    def incidence(self, day: float) -> Moving:
        """The weighted share of cases: Aalen and Johansen's."""
        weights, case = self._known(day)
        return self._mean(weights * case, day)

    def _known(self, day: float) -> tuple[Float[np.ndarray, " row"], Bool[np.ndarray, " row"]]:
        weights = np.zeros(len(self.rows))
        for here, stratum in self.strata:
            weights[here] = stratum.at(day)
        case = (self.rows.event == self.cause) & (self.rows.time <= day)
        if np.isnan(weights).any() or not case.any() or not weights[~case].any():
            raise UndefinedMetricError(
                f"patients with and without event {self.cause} by day {day:g} are needed in every "
                "landmark number"
            )
        return weights, case

    def _mean(self, terms: Float[np.ndarray, " row"], day: float) -> Moving:
        value = float(terms.mean())
        return Moving(value, (terms + self._moved(terms, day) - value) / len(terms))

    def _moved(self, terms: Float[np.ndarray, " row"], day: float) -> Float[np.ndarray, " row"]:
        moved = np.empty(len(terms))
        for here, stratum in self.strata:
            moved[here] = stratum.moved(terms[here], day)
        return moved

    def _below(self, weight: Float[np.ndarray, " row"]) -> Float[np.ndarray, " row"]:
        sums = np.bincount(self.rank, weight)
        below: Float[np.ndarray, " row"] = (sums.cumsum() - sums / 2)[self.rank]
        return below

    def _above(self, weight: Float[np.ndarray, " row"]) -> Float[np.ndarray, " row"]:
        return weight.sum() - self._below(weight)


def over_time(
    rows: Rows, question: Question, *, level: float, until: float = np.inf
) -> dict[str, object]:
    """AUC, Brier score and IPA by each day, each averaged over runs, and their integrals.

    Integrals end at `until`, so that those of models which tell different days compare. Days are
    those of the time grid, at most 60, up to the horizon; where no probability is stored, the
    deciles of the event times, and no Brier score. O(n) memory: a day's influence is forgotten with
    the next.
    """
    runs = [Watched.of(rows.take(mask), question.cause) for mask in rows.run_masks]
    days = _days(rows, question)
    lists: dict[str, list[float | None]] = {name: [] for name in _LISTS}
    area = Area()
    for day, column in days:
        found = _at(rows, runs, day, column)
        for name in ("auc", "brier", "ipa"):
            number = found.get(name)
            ends = None if number is None else number.limits(rows.patient, level)
            lowest = -np.inf if name == "ipa" else 0.0
            lists[name].append(None if number is None else number.value)
            lists[f"{name}_low"].append(None if ends is None else max(lowest, ends[0]))
            lists[f"{name}_high"].append(None if ends is None else min(1.0, ends[1]))
        if "brier" in found and day <= until:
            area = area.and_then(day, found["brier"], found["null"])
    known = any(value is not None for value in lists["auc"])
    return {
        "reason": "" if known else "no day has cases, controls and follow-up",
        "time": [day for day, _ in days],
        **lists,
        **_integrals(rows, area, level),
        "method": METHOD,
    }


def last_common_day(models: Sequence[Rows]) -> float:
    """The last day that every model tells a probability of; of those that tell none, nothing."""
    ends = [
        float(np.array(rows.grid)[known].max())
        for rows in models
        if (known := np.isfinite(rows.survival).all(axis=0)).any()
    ]
    return min(ends, default=np.inf)


def _days(rows: Rows, question: Question) -> list[tuple[float, int | None]]:
    """The days asked about, and the column of survival that belongs to each."""
    grid = np.array(rows.grid)
    known = np.isfinite(rows.survival).all(axis=0) & (grid > 0)
    columns = np.flatnonzero(known & (grid <= (question.horizon or np.inf)))
    if len(columns):
        chosen = np.linspace(0, len(columns) - 1, _MOST_TIMES).round().astype(int)
        return [(rows.grid[column], column) for column in columns[np.unique(chosen)].tolist()]
    happened = rows.time[question.cases(rows)]
    if not len(happened):
        return []
    return [(day, None) for day in np.unique(np.quantile(happened, _SHARES)).tolist()]


def _at(rows: Rows, runs: list[Watched], day: float, column: int | None) -> dict[str, Moving]:
    """The numbers of one day; none where some run lacks cases, controls or follow-up."""
    try:
        found = {"auc": _averaged(rows, [run.auc(day) for run in runs])}
        if column is None:
            return found
        risks = [1 - run.rows.survival[:, column] for run in runs]
        brier = [run.brier(day, risk) for run, risk in zip(runs, risks, strict=True)]
        null = [_null(run.incidence(day)) for run in runs]
    except UndefinedMetricError:
        return {}
    of_model, of_nobody = _averaged(rows, brier), _averaged(rows, null)
    return {**found, "brier": of_model, "null": of_nobody, "ipa": _gain(of_model, of_nobody)}


def _null(incidence: Moving) -> Moving:
    """The Brier score of whoever predicts the incidence for all."""
    share = incidence.value
    return Moving(share * (1 - share), (1 - 2 * share) * incidence.influence)


def _averaged(rows: Rows, parts: list[Moving]) -> Moving:
    influence = np.zeros(len(rows))
    for mask, part in zip(rows.run_masks, parts, strict=True):
        influence[mask] = part.influence / len(parts)
    return Moving(float(np.mean([part.value for part in parts])), influence)


def _gain(brier: Moving, null: Moving) -> Moving:
    """IPA: one minus the ratio."""
    ratio = brier.value / null.value
    return Moving(1 - ratio, (ratio * null.influence - brier.influence) / null.value)


@dataclass(frozen=True)
class Area:
    """The surface under the Brier scores of a model and of nobody's, by trapezoids.

    Attributes:
        days: The first and the last so far; empty before the first.
        last: Both scores of the last day.
        sums: Both surfaces; empty before the second day.
    """

    days: tuple[float, ...] = ()
    last: tuple[Moving, ...] = ()
    sums: tuple[Moving, ...] = ()

    def and_then(self, day: float, *scores: Moving) -> Area:
        """With a further day."""
        if not self.days:
            return Area((day, day), scores)
        half = (day - self.days[1]) / 2
        slices = [
            Moving(half * (one.value + other.value), half * (one.influence + other.influence))
            for one, other in zip(self.last, scores, strict=True)
        ]
        before = self.sums or tuple(Moving(0.0, 0 * part.influence) for part in slices)
        sums = [
            Moving(one.value + other.value, one.influence + other.influence)
            for one, other in zip(before, slices, strict=True)
        ]
        return Area((self.days[0], day), scores, tuple(sums))

    def means(self) -> tuple[Moving, ...]:
        """Both scores' means over the days.

        Raises:
            UndefinedMetricError: If there are fewer than two.
        """
        if not self.sums:
            raise UndefinedMetricError("fewer than two days have a Brier score")
        width = self.days[1] - self.days[0]
        return tuple(Moving(one.value / width, one.influence / width) for one in self.sums)


def _integrals(rows: Rows, area: Area, level: float) -> dict[str, object]:
    """The mean Brier score from the first to the last day that has one, and its IPA."""

    def estimate(number: Moving) -> Estimate:
        low, high = number.limits(rows.patient, level)
        return Estimate(number.value, low, high, level, METHOD)

    ends = area.days if area.sums else (None, None)
    return {
        "integrated_brier": estimated(lambda: estimate(area.means()[0])).as_json(),
        "integrated_ipa": estimated(lambda: estimate(_gain(*area.means()))).as_json(),
        "from": ends[0],
        "to": ends[1],
    }
