"""From where patients are seen, and what is predicted of them."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from sequela.settings import Settings

HALF_YEAR = 183.0
FIVE_YEARS = 1826.0


class ProtocolSettings(Settings):
    """From where patients are seen, and what is predicted.

    Attributes:
        name: `landmark`: a case at each exam while the patient is at risk. `paper`: one case at
            the last exams before recurrence or last contact (LUMIN; optimistic, since the exams
            are chosen by the outcome). `cross-validation`: one case on the index date.
        endpoint: Which of the manifest's endpoints is predicted.
        horizon: Days after the landmark within which the event is predicted; None for ever,
            which `paper` always means.
        blackout: Days after the landmark in which an event counts as already begun.
        minimum_gap: Least days between the exams of a case.
        exams: How many exams a case sees, counted back from the landmark.
        require_pair: Whether a landmark needs that many exams; `paper` always does.
    """

    name: Literal["landmark", "paper", "cross-validation"] = "landmark"
    endpoint: str = "recurrence"
    horizon: float | None = Field(FIVE_YEARS, gt=0)
    blackout: float = Field(0.0, ge=0)
    minimum_gap: float = Field(HALF_YEAR, ge=0)
    exams: int = Field(2, ge=1)
    require_pair: bool = False

    @property
    def label_horizon(self) -> float | None:
        """Days within which an event counts as one, None for ever (as in `paper`)."""
        return None if self.name == "paper" else self.horizon
