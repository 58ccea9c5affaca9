"""Laws of the gene scaler."""

from __future__ import annotations

import json

import numpy as np
import pytest

from sequela.cohort.gene_tables import GeneTable
from sequela.cohort.gene_units import Unit, possible_units
from sequela.errors import DataError
from sequela.modalities.expression import GeneScaler, GeneSettings

PATIENTS = tuple(f"P{number:02}" for number in range(60))
GENES = tuple(f"G{number}" for number in range(8))


def table(values: np.ndarray, unit: Unit = "z", genes: tuple[str, ...] = GENES) -> GeneTable:
    return GeneTable("expression", unit, PATIENTS, genes, values.astype(np.float32))


@pytest.fixture
def values() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(60, 8))


def test_only_training_patients_are_looked_at(values: np.ndarray) -> None:
    fitted = GeneScaler.fit(table(values), PATIENTS[:40])
    values[40:] = 1e6
    assert GeneScaler.fit(table(values), PATIENTS[:40]) == fitted


def test_training_patients_have_mean_zero_and_deviation_one(values: np.ndarray) -> None:
    numbers, known = GeneScaler.fit(table(values), PATIENTS).transform(table(values), PATIENTS)
    assert known.all()
    np.testing.assert_allclose(numbers.mean(axis=0), 0, atol=1e-6)
    np.testing.assert_allclose(numbers.std(axis=0), 1, atol=1e-5)


def test_one_wild_value_does_not_flatten_the_others(values: np.ndarray) -> None:
    values[0, 3] = 36_893
    numbers, _ = GeneScaler.fit(table(values), PATIENTS).transform(table(values), PATIENTS)
    assert numbers[1:, 3].std() > 0.8


def test_genes_that_do_not_vary_or_were_rarely_measured_are_left_out(values: np.ndarray) -> None:
    values[:, 2] = 4.0
    values[5:, 6] = np.nan
    scaler = GeneScaler.fit(table(values), PATIENTS, only=GENES[:7])
    assert scaler.genes == ("G0", "G1", "G3", "G4", "G5")
    with pytest.raises(DataError, match="no gene of expression varies"):
        GeneScaler.fit(table(values), PATIENTS, only=["X"])


def test_depth_of_sequencing_does_not_matter() -> None:
    random = np.random.default_rng(1)
    counts = random.poisson(500, size=(60, 8)).astype(float)
    scaler = GeneScaler.fit(table(counts, "counts"), PATIENTS)
    once, _ = scaler.transform(table(counts, "counts"), PATIENTS)
    twice, _ = scaler.transform(table(counts * 2, "counts"), PATIENTS)
    np.testing.assert_allclose(once, twice, atol=1e-4)


def test_what_is_not_measured_is_unknown(values: np.ndarray) -> None:
    scaler = GeneScaler.fit(table(values), PATIENTS)
    values[3, 1] = np.nan
    fewer = table(np.delete(values, 5, axis=1), genes=(*GENES[:5], *GENES[6:]))
    numbers, known = scaler.transform(fewer, ["P03", "nobody"])
    assert known.tolist() == [[True, False, True, True, True, False, True, True], [False] * 8]
    assert (numbers[~known] == 0).all()


def test_another_unit_or_vocabulary_is_refused(values: np.ndarray) -> None:
    scaler = GeneScaler.fit(table(values), PATIENTS)
    with pytest.raises(DataError, match="expression is in log here, and was in z"):
        scaler.transform(table(values, "log"), PATIENTS)
    ensembl = tuple(f"ENSG0000000000{number}" for number in range(8))
    with pytest.raises(DataError, match="none of the 8 genes"):
        scaler.transform(table(values, genes=ensembl), PATIENTS)


def test_its_state_is_json_and_gives_it_back(values: np.ndarray) -> None:
    values[:40, 1] = 0.0  # quartiles are equal, so it is cut nowhere
    scaler = GeneScaler.fit(table(values), PATIENTS, GeneSettings(clip=2.0))
    text = json.dumps(scaler.state(), allow_nan=False)
    assert GeneScaler.from_state(json.loads(text)) == scaler


@pytest.mark.parametrize(
    ("values", "unit"),
    [
        (np.array([[0.0, 812.0], [3.0, 17.0]]), "counts"),
        (np.array([[0.5, 812.0], [3.25, 17.0]]), "tpm"),
        (np.array([[0.5, 12.0], [3.25, 7.0]]), "log"),
        (np.array([[-9.9, 12.0], [3.25, 7.0]]), "log"),
        (np.array([[-1.5, 631.0], [0.2, -0.1]]), "z"),
        (np.array([[-1.5, 2.0], [0.2, -0.1]]), "z"),
    ],
)
def test_the_unit_is_told_from_the_numbers(values: np.ndarray, unit: Unit) -> None:
    assert possible_units(values)[0] == unit
