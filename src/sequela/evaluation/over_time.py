"""AUC and Brier score at each day of the time grid, and over all of it, without resampling."""

from __future__ import annotations

from collections.abc import Iterable
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


def over_time(rows: Rows, question: Question, *, level: float) -> dict[str, object]:
    """AUC, Brier score and IPA by each day, each averaged over runs, and their integrals.

    Days are those of the time grid, at most 60, up to the horizon; where no probability is stored,
    the deciles of the event times, and no Brier score.
    """
    runs = [Watched.of(rows.take(mask), question.cause) for mask in rows.run_masks]
    known = np.isfinite(rows.survival).all(axis=0) & (np.array(rows.grid) > 0)
    columns = np.flatnonzero(known & (np.array(rows.grid) <= (question.horizon or np.inf)))
    if len(columns):
        columns = columns[
            np.unique(np.linspace(0, len(columns) - 1, _MOST_TIMES).round()).astype(int)
        ]
        days = np.array(rows.grid)[columns]
    else:
        happened = rows.time[question.cases(rows)]
        days = np.unique(np.quantile(happened, _SHARES)) if len(happened) else np.empty(0)
    found = [_at(rows, runs, float(day), column) for day, column in _paired(days, columns)]
    return _Course(rows, days, tuple(found), level).as_json()


def _paired(days: np.ndarray, columns: np.ndarray) -> Iterable[tuple[float, int | None]]:
    chosen = columns.tolist() if len(columns) else [None] * len(days)
    return zip(days.tolist(), chosen, strict=True)


@dataclass(frozen=True)
class _Numbers:
    auc: Moving
    brier: Moving | None
    null: Moving | None


def _at(rows: Rows, runs: list[Watched], day: float, column: int | None) -> _Numbers | None:
    """The numbers of one day, None where some run lacks cases, controls or follow-up."""
    try:
        auc = _averaged(rows, [run.auc(day) for run in runs])
        if column is None:
            return _Numbers(auc, None, None)
        risks = [1 - run.rows.survival[:, column] for run in runs]
        brier = [run.brier(day, risk) for run, risk in zip(runs, risks, strict=True)]
        null = [_null(run.incidence(day)) for run in runs]
    except UndefinedMetricError:
        return None
    return _Numbers(auc, _averaged(rows, brier), _averaged(rows, null))


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
class _Course:
    rows: Rows
    days: Float[np.ndarray, " time"]
    found: tuple[_Numbers | None, ...]
    level: float

    def as_json(self) -> dict[str, object]:
        """The block `over_time` of `evaluation.json`."""
        numbers = self.found
        gains = [
            _gain(one.brier, one.null) if one and one.brier and one.null else None
            for one in numbers
        ]
        return {
            "reason": "" if any(numbers) else "no day has cases, controls and follow-up",
            "time": self.days.tolist(),
            **self._lists("auc", [one.auc if one else None for one in numbers], (0.0, 1.0)),
            **self._lists("brier", [one.brier if one else None for one in numbers], (0.0, 1.0)),
            **self._lists("ipa", gains, (-np.inf, 1.0)),
            **self._integrals(),
            "method": METHOD,
        }

    def _lists(
        self, name: str, course: list[Moving | None], bounds: tuple[float, float]
    ) -> dict[str, list[float | None]]:
        ends = [
            None if one is None else one.limits(self.rows.patient, self.level) for one in course
        ]
        low, high = bounds
        return {
            name: [None if one is None else one.value for one in course],
            f"{name}_low": [None if pair is None else max(low, pair[0]) for pair in ends],
            f"{name}_high": [None if pair is None else min(high, pair[1]) for pair in ends],
        }

    def _integrals(self) -> dict[str, object]:
        """The mean Brier score from the first to the last day that has one, and its IPA."""
        here = [place for place, one in enumerate(self.found) if one and one.brier]
        days = self.days[here]
        brier = [one.brier for one in self.found if one and one.brier]
        null = [one.null for one in self.found if one and one.null]

        def mean(course: list[Moving]) -> Moving:
            if len(course) < 2:
                raise UndefinedMetricError("fewer than two days have a Brier score")
            width = np.diff(days) / (days[-1] - days[0])
            share = (np.append(width, 0.0) + np.append(0.0, width)) / 2
            parts = sum(by * one.influence for by, one in zip(share, course, strict=True))
            return Moving(float(share @ [one.value for one in course]), np.asarray(parts))

        def gain() -> Moving:
            return _gain(mean(brier), mean(null))

        whole = {
            "integrated_brier": estimated(lambda: self._estimate(mean(brier))).as_json(),
            "integrated_ipa": estimated(lambda: self._estimate(gain())).as_json(),
        }
        ends = (float(days[0]), float(days[-1])) if len(days) > 1 else (None, None)
        return {**whole, "from": ends[0], "to": ends[1]}

    def _estimate(self, number: Moving) -> Estimate:
        low, high = number.limits(self.rows.patient, self.level)
        return Estimate(number.value, low, high, self.level, METHOD)
