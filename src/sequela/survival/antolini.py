"""Antolini's time-dependent C: survival curves compared at the time of each event."""

from __future__ import annotations

from functools import reduce

import numpy as np
from jaxtyping import Bool, Float

from sequela.errors import UndefinedMetricError
from sequela.survival.comparable_pairs import Pairs, count_pairs
from sequela.survival.concordance import Concordance, of_pairs


def antolini(
    time: Float[np.ndarray, " patient"],
    event: Bool[np.ndarray, " patient"],
    survival: Float[np.ndarray, "patient moment"],
    moments: Float[np.ndarray, " moment"],
    *,
    entry: Float[np.ndarray, " patient"] | None = None,
    horizon: float | None = None,
    influence: bool = True,
) -> Concordance:
    """How often the curve of who has the event is the lower one at the time of that event.

    Where curves cross, a single risk cannot order patients at all times; this C takes the order of
    each event's own time. Curves that are proportional have Harrell's C. In O(m n log n) for m
    moments.

    Args:
        time: Days to event or last contact.
        event: True where the event of interest was observed.
        survival: Predicted, from each moment on; before the first moment all curves are 1, so that
            pairs begun there are ties.
        moments: Where the curves step, ascending.
        entry: Days at which observation began; None for from the start.
        horizon: Events later than this day begin no pair; None for all.
        influence: Whether the standard error will be asked for, which doubles the time.

    Returns:
        C with its pairs; pairs of events at one time are not counted.

    Raises:
        UndefinedMetricError: If no pair is comparable.

    Source: Antolini, Boracchi & Biganzoli 2005.
    """
    begins = event if horizon is None else event & (time <= horizon)
    if not begins.any():
        raise UndefinedMetricError("Antolini's concordance needs patients with the event")
    place = np.searchsorted(moments, time, side="right")
    padded = np.concatenate([np.ones((len(time), 1)), survival], axis=1)
    counted = [
        count_pairs(
            time,
            event,
            -padded[:, column],
            (begins & (place == column)).astype(float),
            entry=entry,
            influence=influence,
        )
        for column in np.unique(place[begins]).tolist()
    ]
    return of_pairs(reduce(Pairs.and_also, counted), (0.0, 0.0))
