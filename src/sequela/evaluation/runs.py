"""What changes from run to run: spread over seeds and folds, and tests that count it in."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from jaxtyping import Float

from sequela.errors import UndefinedMetricError
from sequela.evaluation.estimate import Estimate
from sequela.evaluation.rows import ModelRows
from sequela.evaluation.uncertainty import Drawn
from sequela.survival.normal import student_p, student_width

_Split = tuple[int, int]


def spread_of(model: ModelRows, metrics: Mapping[str, Drawn]) -> dict[str, object]:
    """How far each number of one run lies from that of another, apart from the patients drawn.

    Numbers computed over all runs at once have no spread and are left out.
    """
    several = {name: drawn.runs for name, drawn in metrics.items() if len(drawn.runs) > 1}
    return {name: _spread(_by_split(model, values)) for name, values in several.items()}


def _spread(by_split: Mapping[_Split, list[float]]) -> dict[str, object]:
    within = [np.var(seeds, ddof=1) for seeds in by_split.values() if len(seeds) > 1]
    means = [float(np.mean(seeds)) for seeds in by_split.values()]
    values = [value for seeds in by_split.values() for value in seeds]
    return {
        "runs": len(values),
        "over_seeds": float(np.sqrt(np.mean(within))) if within else None,
        "over_folds": float(np.std(means, ddof=1)) if len(means) > 1 else None,
        "smallest": min(values),
        "largest": max(values),
    }


def _by_split(model: ModelRows, values: Float[np.ndarray, " run"]) -> dict[_Split, list[float]]:
    """The numbers of each repeat and fold, one a seed."""
    found: dict[_Split, list[float]] = {}
    for run, value in zip(np.unique(model.test.run).tolist(), values.tolist(), strict=True):
        found.setdefault(model.runs[run][:2], []).append(value)
    return found


def difference_over_runs(
    first: ModelRows, second: ModelRows, one: Drawn, other: Drawn, level: float
) -> Estimate:
    """One model less another over repeated folds, training sets and all.

    Folds share training patients, so the variance over folds is too small by itself; it is enlarged
    by the ratio of tested to training patients. Seeds of one fold are averaged first.

    Raises:
        UndefinedMetricError: If the models have not the same two folds or more, or the predictions
            do not tell how many patients trained them.

    Source: Nadeau & Bengio 2003, eq. 5; Bouckaert & Frank 2004 for repeats.
    """
    if len(one.runs) < 2 or len(other.runs) < 2:
        raise UndefinedMetricError("a test over runs needs two folds or more of both models")
    parts = _by_split(first, one.runs), _by_split(second, other.runs)
    if parts[0].keys() != parts[1].keys():
        raise UndefinedMetricError("the two models were not run on the same folds")
    gaps = np.array(
        [np.mean(parts[0][split]) - np.mean(parts[1][split]) for split in sorted(parts[0])]
    )
    if len(gaps) < 2:
        raise UndefinedMetricError("a test over runs needs two folds or more, found one")
    spread = float(gaps.std(ddof=1)) * np.sqrt(1 / len(gaps) + tested_to_training(first))
    if spread <= 1e-12:
        raise UndefinedMetricError("the difference is the same in every fold: nothing to test")
    value, freedom = float(gaps.mean()), len(gaps) - 1
    width = student_width(level, freedom) * spread
    method = f"corrected t over {len(gaps)} folds (Nadeau & Bengio)"
    p = student_p(value / spread, freedom)
    return Estimate(value, value - width, value + width, level, method, p=p)


def tested_to_training(model: ModelRows) -> float:
    """How many patients were tested for each that trained, averaged over folds.

    The folds of a repeat part its patients, so those neither tested nor validated trained.

    Raises:
        UndefinedMetricError: If a repeat has one fold only, or its folds share patients.
    """
    ratios: list[float] = []
    repeats = {repeat for repeat, _, _ in model.runs}
    for repeat in sorted(repeats):
        tested = {}
        validated = {}
        for run, (its, fold, _) in enumerate(model.runs):
            if its == repeat:
                tested[fold] = np.unique(model.test.patient[model.test.run == run])
                validated[fold] = np.unique(model.validation.patient[model.validation.run == run])
        everybody = np.concatenate(list(tested.values()))
        if len(tested) < 2 or len(np.unique(everybody)) < len(everybody):
            raise UndefinedMetricError(
                "how many patients trained each run is not known: the folds of a repeat do not "
                "part the patients"
            )
        for fold, patients in tested.items():
            training = len(everybody) - len(patients) - len(validated[fold])
            if training < 1:
                raise UndefinedMetricError(
                    "no training patients are left beside test and validation"
                )
            ratios.append(len(patients) / training)
    return float(np.mean(ratios))
