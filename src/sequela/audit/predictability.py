"""How well some numbers tell the event: a cross-validated AUC with an interval over patients."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from sequela.audit.labels import Labelled
from sequela.survival.normal import two_sided_width

_FOLDS, _REPEATS = 5, 2
_TREES = {"max_iter": 40, "learning_rate": 0.1, "max_leaf_nodes": 8, "min_samples_leaf": 20}


@dataclass(frozen=True)
class CrossValidatedAuc:
    """An AUC on patients whom the model had not seen, and its interval."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.2f} ({self.low:.2f} to {self.high:.2f})"

    def as_json(self) -> dict[str, float]:
        """The three numbers."""
        return {"auc": self.value, "low": self.low, "high": self.high}


def predictability(
    features: Float[np.ndarray, "case feature"],
    labelled: Labelled,
    *,
    categorical: tuple[int, ...] = (),
    level: float = 0.95,
) -> CrossValidatedAuc:
    """What a few boosted trees make of `features`, cross-validated by patient.

    Only cases of one held-out fold are compared with each other, since folds have models of their
    own. The standard error is that of a clustered AUC: a patient's cases are not independent.

    Args:
        features: Unknown values are NaN.
        labelled: The cases in the same order.
        categorical: Columns whose numbers are codes, under 255 of them.
        level: Of the two-sided interval.

    Raises:
        UndefinedMetricError: If there are few patients with, or without, the event.

    Source: Obuchowski 1997 for clustered data; DeLong et al. 1988.
    """
    labelled.require_enough()
    values, influence = [], []
    for repeat in range(_REPEATS):
        folds = _folds(labelled, seed=repeat)
        risk = _held_out_risk(features, labelled, folds, categorical)
        value, parts = _auc_within(risk, folds, labelled)
        values.append(value)
        influence.append(parts)
    value = float(np.mean(values))
    by_patient = np.bincount(labelled.patient, weights=np.mean(influence, axis=0))
    patients = len(np.unique(labelled.patient))
    spread = float(np.sqrt((by_patient**2).sum() * patients / (patients - 1)))
    width = two_sided_width(level) * spread
    return CrossValidatedAuc(value, max(0.0, value - width), min(1.0, value + width))


def _folds(labelled: Labelled, seed: int) -> Int[np.ndarray, " case"]:
    """The fold of each case: whole patients, those with the event spread evenly."""
    generator = np.random.default_rng([seed, 20240901])
    count = int(labelled.patient.max()) + 1
    having = np.bincount(labelled.patient, weights=labelled.event, minlength=count) > 0
    order = np.lexsort((generator.random(count), having))
    fold = np.empty(count, dtype=np.int64)
    fold[order] = np.arange(count) % _FOLDS
    return fold[labelled.patient]


def _held_out_risk(
    features: Float[np.ndarray, "case feature"],
    labelled: Labelled,
    folds: Int[np.ndarray, " case"],
    categorical: tuple[int, ...],
) -> Float[np.ndarray, " case"]:
    from sklearn.ensemble import HistGradientBoostingClassifier

    risk = np.zeros(len(features))
    for fold in range(_FOLDS):
        train, test = folds != fold, folds == fold
        if not test.any() or len(np.unique(labelled.event[train])) < 2:
            continue
        model = HistGradientBoostingClassifier(
            **_TREES,
            early_stopping=False,
            random_state=0,
            categorical_features=list(categorical) or None,
        )
        model.fit(features[train], labelled.event[train], sample_weight=labelled.weight[train])
        risk[test] = model.predict_proba(features[test])[:, 1]
    return risk


def _auc_within(
    risk: Float[np.ndarray, " case"], folds: Int[np.ndarray, " case"], labelled: Labelled
) -> tuple[float, Float[np.ndarray, " case"]]:
    """The weighted AUC over pairs of one fold, and what each case adds to its error."""
    favour, pairs = np.zeros(len(risk)), np.zeros(len(risk))
    for fold in np.unique(folds):
        rows = np.flatnonzero(folds == fold)
        favour[rows], pairs[rows] = _pairs(risk[rows], labelled.event[rows], labelled.weight[rows])
    value = favour[labelled.event].sum() / pairs[labelled.event].sum()
    return float(value), (favour - value * pairs) / pairs[labelled.event].sum()


def _pairs(
    risk: Float[np.ndarray, " case"],
    event: Bool[np.ndarray, " case"],
    weight: Float[np.ndarray, " case"],
) -> tuple[Float[np.ndarray, " case"], Float[np.ndarray, " case"]]:
    """The weight of each case's pairs with the other label that are in right order, and of all."""
    place = np.unique(risk, return_inverse=True)[1]
    count = int(place.max()) + 1
    controls = np.bincount(place[~event], weight[~event], minlength=count)
    having = np.bincount(place[event], weight[event], minlength=count)
    below = controls.cumsum() - controls / 2
    above = having.sum() - having.cumsum() + having / 2
    favour = np.where(event, weight * below[place], weight * above[place])
    return favour, np.where(event, weight * controls.sum(), weight * having.sum())
