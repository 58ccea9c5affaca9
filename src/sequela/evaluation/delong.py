"""DeLong's covariance of the AUCs of several models on the same patients."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from sequela.errors import UndefinedMetricError
from sequela.evaluation.estimate import Estimate
from sequela.survival.normal import two_sided_p, two_sided_width


@dataclass(frozen=True)
class DeLong:
    """AUCs of some models, and their covariance over patients."""

    auc: Float[np.ndarray, " model"]
    covariance: Float[np.ndarray, "model model"]

    def interval(self, model: int, level: float) -> Estimate:
        """One model's AUC with its normal interval, cut at 0 and 1."""
        value, spread = float(self.auc[model]), float(np.sqrt(self.covariance[model, model]))
        width = two_sided_width(level) * spread
        return Estimate(value, max(0.0, value - width), min(1.0, value + width), level, "DeLong")

    def difference(self, first: int, second: int, level: float) -> Estimate:
        """The first AUC minus the second, with its interval and two-sided p.

        Raises:
            UndefinedMetricError: If the two models rank all pairs alike.
        """
        contrast = np.zeros(len(self.auc))
        contrast[first], contrast[second] = 1.0, -1.0
        value, variance = float(contrast @ self.auc), float(contrast @ self.covariance @ contrast)
        if variance <= 1e-15:
            raise UndefinedMetricError("the two models rank the patients alike: nothing to test")
        spread = float(np.sqrt(variance))
        width = two_sided_width(level) * spread
        p = two_sided_p(value / spread)
        return Estimate(value, value - width, value + width, level, "DeLong, paired", p=p)


def delong(
    risks: Float[np.ndarray, "model patient"],
    event: Bool[np.ndarray, " patient"],
    *,
    one_row_a_patient: bool,
) -> DeLong:
    """AUCs of several models on the same patients and their covariance, in O(n log n) each.

    Args:
        risks: A row a model, the patients in the same order.
        event: True for patients with the event.
        one_row_a_patient: Whether each column is another patient.

    Raises:
        UndefinedMetricError: If patients have several rows, or fewer than two have, or have not,
            the event.

    Source: DeLong et al. 1988; Sun & Xu 2014 for the ranks; R pROC::roc.test.
    """
    if not one_row_a_patient:
        raise UndefinedMetricError(
            "DeLong's test takes rows as independent, here patients have several",
            hint="compare by the paired bootstrap over patients",
        )
    cases, controls = int(event.sum()), int((~event).sum())
    if min(cases, controls) < 2:
        raise UndefinedMetricError(
            f"DeLong's variance needs two patients with and two without the event, found {cases} "
            f"and {controls}"
        )
    among_all = _midranks(risks)
    above = (among_all[:, event] - _midranks(risks[:, event])) / controls
    below = 1 - (among_all[:, ~event] - _midranks(risks[:, ~event])) / cases
    covariance = np.atleast_2d(np.cov(above)) / cases + np.atleast_2d(np.cov(below)) / controls
    return DeLong(above.mean(axis=1), covariance)


def _midranks(risks: Float[np.ndarray, "model any"]) -> Float[np.ndarray, "model any"]:
    """Ranks from 1 of each model's risks, ties sharing their middle."""
    ranks = np.empty(risks.shape)
    for row, values in enumerate(risks):
        _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
        ranks[row] = (counts.cumsum() - (counts - 1) / 2)[place]
    return ranks
