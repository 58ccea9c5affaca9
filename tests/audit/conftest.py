"""Simulated cohorts without images: quick to make, with tables to plant faults in."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml

from sequela.simulation.cohort import simulate
from sequela.simulation.settings import SIGNALS, SimulationSettings, VisitSettings

Change = Callable[[pl.DataFrame], pl.DataFrame]


@pytest.fixture(scope="session")
def yearly(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """No signal at all; everybody is examined every year until the end."""
    folder = tmp_path_factory.mktemp("yearly") / "cohort"
    visits = VisitSettings(fewest=10, most=10)
    settings = SimulationSettings(
        patients=300, seed=5, images=False, signals=SIGNALS["none"], visits=visits
    )
    simulate(settings, folder)
    return folder


@pytest.fixture(scope="session")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The default simulated cohort, with every signal."""
    folder = tmp_path_factory.mktemp("clean") / "cohort"
    simulate(SimulationSettings(patients=300, seed=3, images=False), folder)
    return folder


@pytest.fixture
def copied(clean: Path, tmp_path: Path) -> Path:
    """The clean cohort, to be spoilt."""
    shutil.copytree(clean, tmp_path / "cohort")
    return tmp_path / "cohort"


@pytest.fixture
def changed(copied: Path) -> Callable[..., Path]:
    """Change a table of the copied cohort, and entries of its manifest."""

    def change(table: str, how: Change, manifest: dict[str, Any] | None = None) -> Path:
        path = copied / f"{table}.csv"
        how(pl.read_csv(path)).write_csv(path)
        file = copied / "cohort.yaml"
        values = yaml.safe_load(file.read_text())
        for name, entries in (manifest or {}).items():
            values.setdefault(name, {}).update(entries)
        file.write_text(yaml.safe_dump(values))
        return copied

    return change
