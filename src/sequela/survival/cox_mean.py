"""The mean of two penalised Cox models: one that chooses among few covariates, one of all.

Expression of some hundred patients tells of survival by a few strong directions and by many weak
ones. An elastic net finds the first, a ridge the second, and their mean has held up better than
either (`benchmarks/straight_way.py`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from sequela.survival.cox import fit_cox
from sequela.survival.coxnet import fit_coxnet
from sequela.survival.ridge_choice import chosen_ridges


@dataclass(frozen=True)
class MeanPenalties:
    """What is asked of the two.

    Attributes:
        ridges: The ridge of each covariate.
        few: Among which covariates the elastic net chooses.
    """

    ridges: Float[np.ndarray, " feature"]
    few: Bool[np.ndarray, " feature"]


def chosen_mean(
    covariates: Float[np.ndarray, "patient feature"],
    block: Int[np.ndarray, " feature"],
    length: Float[np.ndarray, " feature"],
    few: Bool[np.ndarray, " feature"],
    time: Float[np.ndarray, " patient"],
    event: Bool[np.ndarray, " patient"],
    *,
    entry: Float[np.ndarray, " patient"] | None = None,
) -> MeanPenalties:
    """Ridges chosen by cross-validation within the patients, one a block.

    A ridge on genes is one on their principal components, the stronger the less the genes vary
    along one. A component of deviation 1 tells by the length of its direction how little that is.

    Args:
        covariates: One column a covariate, complete.
        block: The kind of each covariate.
        length: Of a component, that of its direction among the genes; of others 1.
        few: Among which covariates the elastic net is to choose.
        time: Days to event or last contact.
        event: True where the event was observed.
        entry: Days at which observation began, for delayed entry.

    Raises:
        UndefinedMetricError: If a fifth of the patients holds all events.
    """
    relative = np.square(length)
    for one in np.unique(block):
        relative[block == one] *= (1 / relative[block == one]).mean()
    ridges = chosen_ridges(covariates, block, time, event, entry=entry, relative=relative)
    return MeanPenalties(ridges, few)


def fit_cox_mean(
    covariates: Float[np.ndarray, "patient feature"],
    penalties: MeanPenalties,
    time: Float[np.ndarray, " patient"],
    event: Bool[np.ndarray, " patient"],
    *,
    entry: Float[np.ndarray, " patient"] | None = None,
) -> Float[np.ndarray, " feature"]:
    """Mean log hazard ratios of the elastic net and of the ridge, in the covariates' own units.

    Args:
        covariates: One column a covariate, complete.
        penalties: Of both.
        time: Days to event or last contact.
        event: True where the event was observed.
        entry: Days at which observation began, for delayed entry.

    Raises:
        UndefinedMetricError: If there is no event or a covariate is constant.
    """
    mean = fit_cox(covariates, time, event, entry=entry, ridge=penalties.ridges).coefficients / 2
    few = penalties.few
    mean[few] += fit_coxnet(covariates[:, few], time, event, entry=entry).coefficients / 2
    return mean
