"""From the hazards of competing causes to the incidence of one of them."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float


def incidence_of_hazards(
    cause: Float[np.ndarray, "patient moment"], competing: Float[np.ndarray, "patient moment"]
) -> Float[np.ndarray, "patient moment"]:
    """The probability of having had the cause's event after each moment.

    Who is free of every event before a moment stays free with the chance exp(-hazard of any event);
    those struck are shared out by hazard. So the incidences of all causes and the survival of any
    event sum to 1, and without a competing hazard the incidence is 1 - exp(-cumulative hazard).

    Args:
        cause: What the moment adds to the cumulative hazard of the cause.
        competing: What it adds to that of all other causes together.

    Source: Benichou & Gail 1990, with the hazards constant between the moments.
    """
    total = cause + competing
    free_before = np.exp(total - total.cumsum(axis=1))
    share = np.divide(cause, total, out=np.zeros_like(total), where=total > 0)
    incidence: Float[np.ndarray, "patient moment"]
    incidence = (free_before * -np.expm1(-total) * share).cumsum(axis=1)
    return incidence
