"""The C-index that Mirai's code computes: widespread, not Uno's, kept for comparison only."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float, Int

from sequela.errors import UndefinedMetricError
from sequela.survival.kaplan_meier import KaplanMeier

LABEL = "mirai-compat (not Uno's C)"


def mirai_compat(
    year: Int[np.ndarray, " patient"],
    event: Bool[np.ndarray, " patient"],
    risk: Float[np.ndarray, "patient year"],
    weights_from: KaplanMeier,
) -> float:
    """The number that papers following Mirai print as "Uno's C"; only ever show it as `LABEL`.

    It differs from Uno's C in three ways. A pair weighs by the time of the patient who outlived the
    event, not by that of the event; the weight is 1/S^2, S being the curve of staying free of the
    event, not that of staying uncensored; and risks are compared at the time of the patient who
    outlived.

    Args:
        year: Whole years to event or last contact, an index of the risks.
        event: True where the event was observed.
        risk: Predicted risk by the end of each year.
        weights_from: Kaplan-Meier of the years and events of the training patients.

    Raises:
        UndefinedMetricError: If no pair is comparable.

    Source: Yala et al. 2021, the code published with it, onconet/utils/c_index.py.
    """
    won, pairs = 0.0, 0.0
    for last in np.unique(year).tolist():
        share = float(weights_from.at(np.array([float(last)]))[0])
        if share <= 0:
            raise UndefinedMetricError(
                f"mirai-compat C divides by the training survival, which is 0 in year {last}"
            )
        earlier, same = event & (year < last), event & (year == last)
        for others, begun in ((same, earlier), (~event & (year == last), earlier | same)):
            own, pool = risk[others, last], np.sort(risk[begun, last])
            below, upto = (np.searchsorted(pool, own, side=side) for side in ("left", "right"))
            larger, equal = len(pool) - upto, upto - below
            won += float((larger + equal / 2).sum()) / share**2
            pairs += len(own) * len(pool) / share**2
    if pairs <= 0:
        raise UndefinedMetricError("mirai-compat C needs patients who outlived an event")
    return won / pairs
