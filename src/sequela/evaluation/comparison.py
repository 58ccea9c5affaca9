"""Paired differences between models on identical rows, with Holm's correction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import combinations

import numpy as np
from jaxtyping import Float

from sequela.errors import DataError, UndefinedMetricError
from sequela.evaluation.delong import delong
from sequela.evaluation.estimate import Estimate, estimated, undefined
from sequela.evaluation.evidence import OPTIMISTIC
from sequela.evaluation.outcome import Question
from sequela.evaluation.rows import ModelRows, Rows
from sequela.evaluation.uncertainty import Drawn, holm
from sequela.survival.normal import two_sided_p, two_sided_width


@dataclass(frozen=True)
class Difference:
    """One model against another.

    Attributes:
        first: One model.
        second: The other.
        estimate: The first less the second, over patients.
        p_holm: Its p, corrected over all pairs compared together.
        over_runs: The same over repeated folds, where the training sets differ too; None if it was
            not asked for.
    """

    first: str
    second: str
    estimate: Estimate
    p_holm: float | None
    over_runs: Estimate | None = None

    def as_json(self) -> dict[str, object]:
        """The difference as it stands in `evaluation.json`."""
        return {
            "first": self.first,
            "second": self.second,
            "difference": self.estimate.as_json(),
            "p_holm": self.p_holm,
            "over_runs": (self.over_runs or undefined("not computed")).as_json(),
            "reason": self.estimate.reason,
        }


def planned_pairs(names: Sequence[str], reference: str | None) -> list[tuple[str, str]]:
    """All pairs of models; or, where a reference is named and there, its pairs alone.

    A comparison that was planned against one model pays (Holm) for the tests that were planned.
    """
    pairs = list(combinations(names, 2))
    return [pair for pair in pairs if reference in pair] if reference in names else pairs


def paired_differences(
    models: Sequence[ModelRows],
    drawn: Mapping[str, Drawn],
    level: float,
    reference: str | None = None,
) -> tuple[Difference, ...]:
    """The planned pairs of models by one metric, from resamples of the same patients.

    Args:
        models: Compared models.
        drawn: By model name, the metric and its resamples, drawn from one seed.
        level: Of the intervals.
        reference: The model that the others are compared with; None compares all pairs.

    Raises:
        DataError: If a model's epoch was chosen on test, or the models differ in their rows.

    Source: paired bootstrap as R pROC::roc.test(method = "bootstrap"); Holm 1979.
    """
    require_comparable(models)
    pairs = planned_pairs([model.name for model in models], reference)
    estimates = [estimated(partial(_paired, drawn[a], drawn[b], level)) for a, b in pairs]
    return _corrected(pairs, estimates)


def delong_differences(
    models: Sequence[ModelRows], question: Question, level: float, reference: str | None = None
) -> tuple[Difference, ...]:
    """The planned pairs of models by plain AUC, where every patient has one row.

    Raises:
        DataError: As `paired_differences`.
        UndefinedMetricError: If patients have several rows or too few have the event.
    """
    require_comparable(models)
    rows = models[0].test
    together = delong(
        np.stack([model.test.risk for model in models]),
        question.cases(rows),
        one_row_a_patient=rows.one_row_a_patient,
    )
    names = [model.name for model in models]
    pairs = planned_pairs(names, reference)
    estimates = [
        estimated(partial(together.difference, names.index(a), names.index(b), level))
        for a, b in pairs
    ]
    return _corrected(pairs, estimates)


def rows_differing(first: Rows, second: Rows) -> int:
    """How many rows (patient, landmark, time, event) stand in one table only."""
    one, other = _identities(first), _identities(second)
    return len(one ^ other)


def refusal(model: ModelRows, reference: ModelRows) -> str:
    """Why a model cannot be compared with the reference; empty where it can."""
    if model.provenance.epoch_chosen_on == "test":
        return OPTIMISTIC
    count = rows_differing(model.test, reference.test)
    if count:
        return f"{count} row(s) differ from those of {reference.name}"
    return ""


def require_comparable(models: Sequence[ModelRows]) -> None:
    """Refuse models that chose their epoch on test or differ in their rows, naming each.

    Raises:
        DataError: With one item a model, saying how many rows differ.
    """
    faults = tuple(
        f"{model.name}: {reason}" for model in models if (reason := refusal(model, models[0]))
    )
    if faults:
        raise DataError(
            "models are compared on identical rows, none of which has chosen the epoch",
            hint="leave the models named out, or predict the same patients with all",
            items=faults,
        )


def _identities(rows: Rows) -> set[tuple[str, float, float, int]]:
    names = [rows.patients[code] for code in rows.patient.tolist()]
    columns = (rows.landmark.tolist(), rows.time.tolist(), rows.event.tolist())
    return set(zip(names, *columns, strict=True))


def _paired(first: Drawn, second: Drawn, level: float) -> Estimate:
    one, other = first.estimate.value, second.estimate.value
    if one is None or other is None:
        undefined = first if one is None else second
        raise UndefinedMetricError(f"one of the two is undefined: {undefined.estimate.reason}")
    if first.influence is not None and second.influence is not None:
        return _by_influence(one - other, first.influence - second.influence, level)
    if not len(first.draws) or len(first.draws) != len(second.draws):
        raise UndefinedMetricError("there are no paired resamples to compare by")
    gaps = first.draws - second.draws
    return _summary(one - other, gaps, level)


def _by_influence(value: float, apart: Float[np.ndarray, " patient"], level: float) -> Estimate:
    spread = float(np.sqrt((apart**2).sum()))
    if spread <= 1e-12:
        raise UndefinedMetricError("the two models rank the patients alike: nothing to test")
    width = two_sided_width(level) * spread
    method = "infinitesimal jackknife over patients, paired"
    limits = (value - width, value + width)
    return Estimate(value, *limits, level, method, p=two_sided_p(value / spread))


def _summary(value: float, gaps: Float[np.ndarray, " resample"], level: float) -> Estimate:
    usable = gaps[np.isfinite(gaps)]
    unused = len(gaps) - len(usable)
    if len(usable) < max(2, len(gaps) / 2):
        raise UndefinedMetricError(f"undefined in {unused} of {len(gaps)} resamples")
    spread = float(usable.std(ddof=1))
    if spread <= 1e-12:
        raise UndefinedMetricError("the two models rank the patients alike: nothing to test")
    low, high = np.quantile(usable, [(1 - level) / 2, (1 + level) / 2]).tolist()
    p = two_sided_p(value / spread)
    method = "patient bootstrap, paired; p from its standard error"
    return Estimate(value, low, high, level, method, len(gaps), unused, p)


def _corrected(
    pairs: Sequence[tuple[str, str]], estimates: Sequence[Estimate]
) -> tuple[Difference, ...]:
    tested = [number for number, one in enumerate(estimates) if one.p is not None]
    raw = np.array([one.p for one in estimates if one.p is not None], dtype=float)
    corrected = dict(zip(tested, holm(raw).tolist(), strict=True)) if tested else {}
    return tuple(
        Difference(first, second, estimate, corrected.get(number))
        for number, ((first, second), estimate) in enumerate(zip(pairs, estimates, strict=True))
    )
