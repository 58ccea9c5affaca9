"""What became of patients: the label of everything, kept apart from every input."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int


@dataclass(frozen=True)
class Followup:
    """Times and events of some patients, in the order of the inputs beside it.

    Attributes:
        time: Days from the landmark to the event or to the last contact.
        event: 0 where censored, k >= 1 where cause k was observed.
        entry: Days from the landmark at which the patient came under observation.
    """

    time: Float[np.ndarray, " patient"]
    event: Int[np.ndarray, " patient"]
    entry: Float[np.ndarray, " patient"] | None = None

    def __len__(self) -> int:
        return len(self.time)

    def __getitem__(self, rows: Int[np.ndarray, " row"] | Bool[np.ndarray, " patient"]) -> Followup:
        """The same for some rows: indices or a mask."""
        entry = None if self.entry is None else self.entry[rows]
        return Followup(self.time[rows], self.event[rows], entry)
