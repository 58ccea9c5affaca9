"""DeLong's covariance of the AUCs of several models on the same patients."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float
from scipy.stats import norm, rankdata

from sequela.errors import UndefinedMetricError
from sequela.evaluation.estimate import Estimate


@dataclass(frozen=True)
class DeLong:
    """AUCs of some models, and their covariance over patients."""

    auc: Float[np.ndarray, " model"]
    covariance: Float[np.ndarray, "model model"]

    def interval(self, model: int, level: float) -> Estimate:
        """One model's AUC with its normal interval, cut at 0 and 1."""
        value, spread = float(self.auc[model]), float(np.sqrt(self.covariance[model, model]))
        width = float(norm.ppf(0.5 + level / 2)) * spread
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
        width = float(norm.ppf(0.5 + level / 2)) * spread
        p = float(2 * norm.sf(abs(value) / spread))
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
    among_all = rankdata(risks, axis=1)
    above = (among_all[:, event] - rankdata(risks[:, event], axis=1)) / controls
    below = 1 - (among_all[:, ~event] - rankdata(risks[:, ~event], axis=1)) / cases
    covariance = np.atleast_2d(np.cov(above)) / cases + np.atleast_2d(np.cov(below)) / controls
    return DeLong(above.mean(axis=1), covariance)
