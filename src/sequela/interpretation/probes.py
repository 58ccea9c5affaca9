"""What a linear reader finds in a part: ridge probes, tried on patients they were not fitted on."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float, Int
from sklearn.linear_model import RidgeCV
from sklearn.model_selection import GroupKFold, StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sequela.errors import UndefinedMetricError
from sequela.evaluation.delong import delong
from sequela.evaluation.estimate import Estimate
from sequela.interpretation.intervals import LEVEL, mean, ratio

FOLDS = 5
FEWEST = 10
"""Patients (of each outcome, for a probe of it) without whom nothing is probed."""
_STRENGTHS = np.logspace(-1, 5, 7)


def told(
    source: Float[np.ndarray, "row _"],
    targets: Sequence[Float[np.ndarray, "row _"]],
    patient: Sequence[str],
) -> list[Estimate]:
    """How much of each target a linear reader of the source tells: cross-validated R².

    One minus the squared error over that of the training patients' mean, summed over the
    target's dimensions; 0 tells nothing, and less than 0 misleads. The reader is ridge
    regression, each dimension with the strength that leave-one-out picks among training rows.

    Args:
        source: The part that is read.
        targets: The parts that are to be told.
        patient: Whose row it is; a patient is never in both halves.

    Raises:
        UndefinedMetricError: If there are fewer than ten patients.
    """
    joined = np.concatenate(targets, axis=1)
    said, usual = cross_predicted(source, joined, _by_patient(patient))
    ends = np.cumsum([target.shape[1] for target in targets])[:-1]
    errors = np.split((joined - said) ** 2, ends, axis=1)
    spreads = np.split((joined - usual) ** 2, ends, axis=1)
    return [
        _less_from_one(ratio(error.sum(axis=1), spread.sum(axis=1), patient))
        for error, spread in zip(errors, spreads, strict=True)
    ]


def tells_apart(
    source: Float[np.ndarray, "row _"], which: Bool[np.ndarray, " row"], patient: Sequence[str]
) -> Estimate:
    """How often a linear reader of the source says rightly which of two kinds a row is.

    Args:
        source: The part that is read.
        which: The kind; as many of one as of the other, so that chance is one half.
        patient: Whose row it is.

    Raises:
        UndefinedMetricError: If there are fewer than ten patients.
    """
    sign = np.where(which, 1.0, -1.0)[:, None]
    said, _ = cross_predicted(source, sign, _by_patient(patient))
    return mean(((said[:, 0] > 0) == which).astype(float), patient)


def tells_event(source: Float[np.ndarray, "row _"], event: Bool[np.ndarray, " row"]) -> Estimate:
    """The AUC with which a linear reader of the source tells an event of other patients.

    Args:
        source: The part that is read, one row a patient.
        event: Whether it happened.

    Raises:
        UndefinedMetricError: If fewer than ten have the event, or have it not.
    """
    if min(event.sum(), (~event).sum()) < FEWEST:
        raise UndefinedMetricError(
            f"a probe of the outcome needs {FEWEST} patients with the event and as many without, "
            f"got {event.sum()} and {(~event).sum()}"
        )
    folds = np.empty(len(event), dtype=np.int64)
    splitter = StratifiedKFold(FOLDS, shuffle=True, random_state=0)
    for fold, (_, rows) in enumerate(splitter.split(source, event)):
        folds[rows] = fold
    said, _ = cross_predicted(source, np.where(event, 1.0, -1.0)[:, None], folds)
    return delong(said.T, event, one_row_a_patient=True).interval(0, LEVEL)


def cross_predicted(
    source: Float[np.ndarray, "row _"],
    target: Float[np.ndarray, "row dim"],
    folds: Int[np.ndarray, " row"],
) -> tuple[Float[np.ndarray, "row dim"], Float[np.ndarray, "row dim"]]:
    """What ridge regression on the other folds says of each row, and the mean of those folds."""
    said, usual = np.empty(target.shape), np.empty(target.shape)
    for fold in np.unique(folds):
        out = folds == fold
        reader = make_pipeline(StandardScaler(), RidgeCV(_STRENGTHS, alpha_per_target=True))
        fitted = reader.fit(source[~out].astype(np.float64), target[~out].astype(np.float64))
        said[out] = fitted.predict(source[out].astype(np.float64)).reshape(said[out].shape)
        usual[out] = target[~out].mean(axis=0)
    return said, usual


def _by_patient(patient: Sequence[str]) -> Int[np.ndarray, " row"]:
    """A fold a row, all rows of a patient in one.

    Raises:
        UndefinedMetricError: If there are fewer than ten patients.
    """
    count = len(set(patient))
    if count < FEWEST:
        raise UndefinedMetricError(f"a probe needs {FEWEST} patients, got {count}")
    folds = np.empty(len(patient), dtype=np.int64)
    for fold, (_, rows) in enumerate(GroupKFold(FOLDS).split(folds, groups=list(patient))):
        folds[rows] = fold
    return folds


def _less_from_one(share: Estimate) -> Estimate:
    if share.value is None or share.low is None or share.high is None:
        value = None if share.value is None else 1 - share.value
        return Estimate(value, reason=share.reason)
    low, high = 1 - share.high, 1 - share.low
    return Estimate(1 - share.value, low, high, LEVEL, share.method, share.resamples, share.unused)
