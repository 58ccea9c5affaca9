"""What the numbers of an expression table are: declared, or told from the numbers themselves."""

from __future__ import annotations

from typing import Literal

import numpy as np
from jaxtyping import Float

Unit = Literal["counts", "tpm", "log", "z"]
"""counts: reads a gene; tpm: a linear scale per million; log: of either; z: standardised."""

_LOG_LIMIT = 50.0
"""No log of a count or a TPM is larger, and some gene of every linear table is."""


def possible_units(values: Float[np.ndarray, "patient gene"]) -> tuple[Unit, ...]:
    """The units in which these numbers can be, the likeliest first.

    Args:
        values: NaN where nothing was measured.
    """
    known = values[np.isfinite(values)]
    if not len(known):
        return ("z", "log", "tpm", "counts")
    largest = known.max()
    if known.min() < 0:
        # A log of small numbers may be negative, but then most genes lie well above 0.
        centred = abs(float(np.median(known))) < 1.0
        if largest > _LOG_LIMIT:
            return ("z",)
        return ("z", "log") if centred else ("log", "z")
    whole = bool((known == np.round(known)).all())
    if largest > _LOG_LIMIT:
        return ("counts", "tpm") if whole else ("tpm", "counts")
    return ("counts", "log") if whole else ("log", "tpm")
