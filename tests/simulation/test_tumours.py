"""A simulated cohort of tumours says what it was told to, and its controls have known answers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
from safetensors.numpy import load_file

from sequela.cohort.checks import check_cohort
from sequela.cohort.cohort import read_cohort
from sequela.simulation.tumour_cohort import simulate_tumours
from sequela.simulation.tumours import TumourSettings, draw_patches, draw_tumour

_WIDTH = 40


def _signatures() -> dict[str, np.ndarray]:
    directions = np.linalg.qr(np.random.default_rng(0).standard_normal((_WIDTH, _WIDTH)))[0]
    return {"BRCA": directions[:4], "KIRC": directions[4:8], "UCEC": directions[8:12]}


def test_the_cohort_is_read_without_a_finding_and_is_the_same_again(tmp_path: Path) -> None:
    settings = TumourSettings(patients=40, patches=12, missing=0.2)
    for name in ("one", "two"):
        simulate_tumours(settings, _signatures(), tmp_path / name)
    assert [one.code for one in check_cohort(tmp_path / "one") if one.severity == "error"] == []
    cohort = read_cohort(tmp_path / "one")
    assert len(cohort.patients) == 40
    assert cohort.fingerprint == read_cohort(tmp_path / "two").fingerprint
    lacking = [patient for patient in cohort.patients if not patient.slides]
    assert 0 < len(lacking) < 40
    oracle = pl.read_parquet(tmp_path / "one" / "truth" / "oracle.parquet")
    assert oracle["patient_id"].to_list() == [patient.patient_id for patient in cohort.patients]
    planted = pl.read_parquet(tmp_path / "one" / "truth" / "patches.parquet")
    assert len(planted) == 12 * (40 - len(lacking))
    for patient, row, cancer, claim in planted[:12].iter_rows():
        bag = load_file(tmp_path / "one" / "features" / f"{patient}.safetensors")["features"]
        alike = {name: bag[row] @ found.T for name, found in _signatures().items()}
        assert alike[cancer][claim] == max(each.max() for each in alike.values())
    files = sorted((tmp_path / "one" / "features").iterdir())
    assert len(files) == 40 - len(lacking)
    assert load_file(files[0])["features"].shape == (12, _WIDTH)


def test_who_asks_by_the_own_claims_finds_the_hazard_and_by_others_does_not() -> None:
    """Means of the patches that claims are most like, and the severity that they carry."""
    settings, signatures = TumourSettings(patches=60), _signatures()
    tumours = [draw_tumour(settings, number, sorted(signatures)) for number in range(150)]
    along = np.random.default_rng([settings.seed, 3]).standard_normal(_WIDTH)
    found: dict[str, list[float]] = {"own": [], "wrong": [], "everything": []}
    for tumour in tumours:
        patches, _ = draw_patches(settings, tumour, signatures)
        order = sorted(signatures)
        wrong = order[(order.index(tumour.cancer) + 1) % len(order)]
        for name, cancer in (("own", tumour.cancer), ("wrong", wrong)):
            alike = (patches @ signatures[cancer].T).max(axis=1) > 1.5
            found[name].append(float(patches[alike].mean(axis=0) @ along))
        found["everything"].append(float(patches.mean(axis=0) @ along))
    truth = [tumour.severity[tumour.cancer] for tumour in tumours]
    agreement = {name: np.corrcoef(values, truth)[0, 1] for name, values in found.items()}
    assert agreement["own"] > 0.9
    assert abs(agreement["wrong"]) < 0.3
    assert abs(agreement["wrong"]) + 0.2 < agreement["everything"] < agreement["own"] - 0.2
