from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest


@dataclass(frozen=True)
class Made:
    """Patients with tied times, two causes, censoring and delayed entry."""

    time: np.ndarray
    event: np.ndarray
    entry: np.ndarray
    covariates: np.ndarray
    stratum: np.ndarray


@pytest.fixture(scope="session")
def made() -> Made:
    generator = np.random.default_rng(7)
    count = 160
    covariates = generator.normal(size=(count, 3))
    causes = generator.exponential(30 * np.exp(-covariates[:, :2] * [0.8, -0.4]))
    censor = generator.uniform(1, 60, count)
    times = np.ceil(np.column_stack([censor, causes]))
    return Made(
        time=times.min(axis=1),
        event=times.argmin(axis=1),
        entry=np.floor(times.min(axis=1) * generator.uniform(0, 0.9, count)) - 0.0,
        covariates=covariates,
        stratum=generator.integers(3, size=count),
    )
