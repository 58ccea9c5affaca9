"""What every fitted regression says of its coefficients: errors, limits and p by Wald."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from jaxtyping import Float

from sequela.survival.normal import two_sided_ps, two_sided_width


class Wald(Protocol):
    """A fitted regression.

    Attributes:
        coefficients: Of the covariates.
        variance: Of the coefficients.
    """

    coefficients: Float[np.ndarray, " feature"]
    variance: Float[np.ndarray, "feature feature"]

    @property
    def standard_error(self) -> Float[np.ndarray, " feature"]:
        """Standard errors of the coefficients, robust where the variance is."""
        return np.sqrt(np.diag(self.variance))

    def interval(
        self, level: float = 0.95
    ) -> tuple[Float[np.ndarray, " feature"], Float[np.ndarray, " feature"]]:
        """Wald limits of the coefficients; exponentiate for ratios."""
        width = two_sided_width(level) * self.standard_error
        return self.coefficients - width, self.coefficients + width

    def wald_p(self) -> Float[np.ndarray, " feature"]:
        """Two-sided Wald p of each coefficient."""
        return two_sided_ps(self.coefficients / self.standard_error)
