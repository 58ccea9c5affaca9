from __future__ import annotations

from collections.abc import Callable

import numpy as np
import polars as pl
import pytest

from sequela.evaluation.predictions import Predictions, Provenance
from sequela.evaluation.rows import Rows


def make_predictions(
    *,
    patients: int = 120,
    visits: int = 1,
    seed: int = 0,
    variants: dict[str, float] | None = None,
    horizon: float | None = None,
    epoch_chosen_on: str = "validation",
) -> Predictions:
    """Patients with a known hazard; each variant sees it through noise of a given size."""
    generator = np.random.default_rng(seed)
    truth = np.repeat(generator.normal(size=patients), visits)
    rows = len(truth)
    time = generator.exponential(1500 * np.exp(-truth))
    death = generator.exponential(6000, rows)
    censor = generator.uniform(200, 4000, rows)
    first = np.minimum(np.minimum(time, death), censor)
    event = np.where(first == time, 1, np.where(first == death, 2, 0))
    number = np.tile(np.arange(visits), patients)
    base = {
        "endpoint": "recurrence",
        "repeat": 0,
        "fold": 0,
        "seed": 1,
        "split": np.where(np.arange(rows) // visits < patients // 4, "validation", "test"),
        "patient_id": [f"p{index // visits:04d}" for index in range(rows)],
        "landmark": number * 365.0,
        "entry": pl.Series([None] * rows, dtype=pl.Float64),
        "time": first.round(0) + 1,
        "event": event,
    }
    tables = []
    for name, noise in (variants or {"good": 0.3, "poor": 2.0}).items():
        risk = truth + noise * generator.normal(size=rows)
        hazard = np.exp(0.8 * risk)[:, None] / 1500
        days = (365, 730, 1095, 1461, 1826)
        columns = {f"survival_{day}": np.exp(-hazard[:, 0] * day) for day in days}
        tables.append(
            pl.DataFrame({"model": "lumin", "variant": name, **base, "risk": risk, **columns})
        )
    provenance = Provenance(
        protocol="paper" if horizon is None else "landmark",
        horizon=horizon,
        epoch_chosen_on=epoch_chosen_on,  # type: ignore[arg-type]
        synthetic=True,
    )
    return Predictions(pl.concat(tables), provenance)


@pytest.fixture(scope="session")
def predictions() -> Predictions:
    return make_predictions()


@pytest.fixture(scope="session")
def predicted() -> Callable[..., Predictions]:
    return make_predictions


@pytest.fixture(scope="session")
def rows_of() -> Callable[..., Rows]:
    return make_rows


def make_rows(
    time: np.ndarray,
    event: np.ndarray,
    risk: np.ndarray,
    *,
    survival: np.ndarray | None = None,
    grid: tuple[float, ...] = (),
    patient: np.ndarray | None = None,
) -> Rows:
    """Rows of one run, one landmark each unless patients repeat."""
    count = len(time)
    patient = np.arange(count) if patient is None else patient
    seen: dict[int, int] = {}
    number = []
    for one in patient.tolist():
        number.append(seen.get(one, 0))
        seen[one] = number[-1] + 1
    return Rows(
        patient=patient,
        run=np.zeros(count, dtype=np.int64),
        number=np.array(number),
        landmark=np.array(number) * 365.0,
        time=time,
        event=event.astype(np.int64),
        entry=np.full(count, -np.inf),
        risk=risk,
        survival=np.empty((count, 0)) if survival is None else survival,
        grid=grid,
        patients=tuple(f"p{one}" for one in range(int(patient.max()) + 1)),
    )
