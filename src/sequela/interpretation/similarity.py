"""How alike two parts arrange the patients: linear centred kernel alignment (CKA)."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float
from scipy.stats import t as student

from sequela.errors import UndefinedMetricError
from sequela.evaluation.estimate import Estimate
from sequela.interpretation.intervals import LEVEL


def cka(first: Float[np.ndarray, "row _"], second: Float[np.ndarray, "row _"]) -> float:
    """1 where one part is a rotation and a scaling of the other, lower where they differ.

    Few rows and many dimensions raise it; `expected_cka` says how far.

    Raises:
        UndefinedMetricError: If a part is the same for all.

    Source: Kornblith et al. 2019, eq. 4 with a linear kernel.
    """
    return _aligned(centred_gram(first), centred_gram(second))


def expected_cka(first: Float[np.ndarray, "row _"], second: Float[np.ndarray, "row _"]) -> float:
    """The mean of `cka` over all ways of pairing the rows of one with those of the other.

    Exact, without drawing: for centred K and L the mean of tr(K P L Pᵀ) over permutations P is
    tr(K) tr(L) / (n - 1).

    Raises:
        UndefinedMetricError: If a part is the same for all.
    """
    one, other = centred_gram(first), centred_gram(second)
    both = np.trace(one) * np.trace(other) / (len(one) - 1)
    return float(both / _norms(one, other))


def cka_estimate(first: Float[np.ndarray, "row _"], second: Float[np.ndarray, "row _"]) -> Estimate:
    """`cka` with a jackknife interval over the rows, cut at 0 and 1.

    The interval is of the CKA of so many patients, to be held against the chance level of as
    many; more patients have less. The bootstrap would draw rows twice, which are then alike.

    Raises:
        UndefinedMetricError: If a part is the same for all, or there are fewer than three rows.
    """
    count = len(first)
    if count < 3:
        raise UndefinedMetricError(f"CKA needs three patients, got {count}")
    value = cka(first, second)
    grams = [part @ part.T for part in (first, second)]
    kept = [np.delete(np.arange(count), row) for row in range(count)]
    without = np.array(
        [_aligned(*(_centred(gram[np.ix_(rows, rows)]) for gram in grams)) for rows in kept]
    )
    spread = np.sqrt((count - 1) / count * ((without - without.mean()) ** 2).sum())
    width = float(student.ppf((1 + LEVEL) / 2, count - 1) * spread)
    return Estimate(value, max(value - width, 0.0), min(value + width, 1.0), LEVEL, "jackknife")


def centred_gram(part: Float[np.ndarray, "row _"]) -> Float[np.ndarray, "row row"]:
    """Inner products of the rows, less their mean."""
    centred = part - part.mean(axis=0)
    gram: np.ndarray = centred @ centred.T
    return gram


def _centred(gram: Float[np.ndarray, "row row"]) -> Float[np.ndarray, "row row"]:
    mean = gram.mean(axis=0)
    centred: np.ndarray = gram - mean - mean[:, None] + mean.mean()
    return centred


def _aligned(one: Float[np.ndarray, "row row"], other: Float[np.ndarray, "row row"]) -> float:
    return float((one * other).sum() / _norms(one, other))


def _norms(one: Float[np.ndarray, "row row"], other: Float[np.ndarray, "row row"]) -> float:
    norms = float(np.linalg.norm(one) * np.linalg.norm(other))
    if norms < 1e-12:
        raise UndefinedMetricError("the part is the same for all patients")
    return norms
