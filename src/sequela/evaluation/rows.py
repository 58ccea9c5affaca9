"""Predictions as arrays: one row a patient and landmark, checked once."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import polars as pl
from jaxtyping import Bool, Float, Int

from sequela.errors import DataError
from sequela.evaluation.curve_checks import contrary_curves, impossible_incidence, rising_curves
from sequela.evaluation.predictions import (
    SCHEMA,
    Predictions,
    Provenance,
    incidence_column,
    survival_column,
)

TEST_SPLITS = ("test", "external")
_CURVES = ("survival_", "incidence_")
_CURVE_NAME = re.compile(r"(survival|incidence_[1-9]\d*)_\d+(\.\d+)?(e[+-]?\d+)?")


@dataclass(frozen=True)
class Rows:
    """Predictions and outcomes of some patients; rows sorted by patient, landmark and run.

    Attributes:
        patient: Index into `patients`.
        run: Index of the run (repeat, fold, seed) that made the prediction.
        number: Which of the patient's landmarks it is, from 0.
        landmark: Day from the index date.
        time: Days from the landmark to event or last contact.
        event: 0 censored, k >= 1 cause k.
        entry: Days from the landmark at which the patient came under observation; minus infinity
            where that was at or before the landmark.
        risk: Higher is worse.
        survival: Predicted probability of being free of the event at each time of `grid`.
        grid: Days from the landmark.
        patients: Sorted identifiers.
        incidence: Predicted probability of having had another cause's event at each time of
            `grid`, by the number of each cause of which it was predicted.
    """

    patient: Int[np.ndarray, " row"]
    run: Int[np.ndarray, " row"]
    number: Int[np.ndarray, " row"]
    landmark: Float[np.ndarray, " row"]
    time: Float[np.ndarray, " row"]
    event: Int[np.ndarray, " row"]
    entry: Float[np.ndarray, " row"]
    risk: Float[np.ndarray, " row"]
    survival: Float[np.ndarray, "row time"]
    grid: tuple[float, ...]
    patients: tuple[str, ...]
    incidence: Mapping[int, Float[np.ndarray, "row time"]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.time)

    @property
    def run_masks(self) -> tuple[Bool[np.ndarray, " row"], ...]:
        """The rows of each run that made predictions."""
        return tuple(self.run == run for run in np.unique(self.run))

    @property
    def one_row_a_patient(self) -> bool:
        """Whether every patient stands in one row only."""
        return len(self) == len(np.unique(self.patient))

    @property
    def late(self) -> Float[np.ndarray, " row"] | None:
        """Entries after the landmark, -1 for those seen from it on; None where nobody is late."""
        delayed = np.isfinite(self.entry)
        return np.where(delayed, self.entry, -1.0) if delayed.any() else None

    def take(self, wanted: Bool[np.ndarray, " row"] | Int[np.ndarray, " wanted"]) -> Rows:
        """Some rows, by mask or by index; patients keep their index."""
        arrays = {
            name: getattr(self, name)[wanted]
            for name in (
                *("patient", "run", "number", "landmark", "time", "event", "entry", "risk"),
                "survival",
            )
        }
        incidence = {cause: curves[wanted] for cause, curves in self.incidence.items()}
        return Rows(**arrays, grid=self.grid, patients=self.patients, incidence=incidence)


@dataclass(frozen=True)
class ModelRows:
    """One model's predictions: the rows it is judged on, and validation rows for thresholds.

    Attributes:
        name: Unique among the models evaluated together.
        model: Family.
        variant: Named variant.
        endpoint: What is predicted.
        split: Which split `test` holds, test or external.
        test: The rows on which the model is judged.
        validation: The rows of the same runs on which thresholds are chosen; may be empty.
        provenance: Where the predictions come from.
        runs: Repeat, fold and seed of each run, by its index.
    """

    name: str
    model: str
    variant: str
    endpoint: str
    split: str
    test: Rows
    validation: Rows
    provenance: Provenance
    runs: tuple[tuple[int, int, int], ...]


def models_of(predictions: Sequence[Predictions]) -> tuple[ModelRows, ...]:
    """Every model in the tables, one entry for each split it is judged on.

    Raises:
        DataError: If a table does not keep the contract, or holds no test row.
    """
    found: list[ModelRows] = []
    for key, table, provenance in _grouped(predictions):
        for split in TEST_SPLITS:
            if (table["split"] == split).any():
                name = _unique(key, split, {model.name for model in found})
                found.append(_model(key, name, split, table, provenance))
    if not found:
        raise DataError(
            "the predictions hold no row of split test or external",
            hint="keep test patients (split.test above 0) and predict again, or predict another "
            "cohort with `sequela predict --run`",
        )
    return tuple(found)


@dataclass
class _Group:
    key: tuple[str, str, str]
    provenance: Provenance
    tables: list[pl.DataFrame]

    def takes(self, key: tuple[str, str, str], provenance: Provenance, table: pl.DataFrame) -> bool:
        """Whether a table holds further runs of this model, not the same runs once more."""
        same = {"configuration": "", "notes": ()}
        alike = self.provenance.evolve(**same) == provenance.evolve(**same)
        runs = {run for one in self.tables for run in _runs(one)}
        return self.key == key and alike and not runs & set(_runs(table))


def _grouped(
    predictions: Sequence[Predictions],
) -> Iterator[tuple[tuple[str, str, str], pl.DataFrame, Provenance]]:
    groups: list[_Group] = []
    for one in predictions:
        check_table(one.table)
        by_model = one.table.group_by(["model", "variant", "endpoint"], maintain_order=True)
        for names, table in by_model:
            key = (str(names[0]), str(names[1]), str(names[2]))
            for group in groups:
                if group.takes(key, one.provenance, table):
                    group.tables.append(table)
                    break
            else:
                groups.append(_Group(key, one.provenance, [table]))
    for group in groups:
        yield group.key, pl.concat(group.tables, how="diagonal_relaxed"), group.provenance


def _runs(table: pl.DataFrame) -> list[tuple[int, int, int]]:
    return table.select("repeat", "fold", "seed").unique().rows()


def _unique(key: tuple[str, str, str], split: str, taken: set[str]) -> str:
    model, variant, endpoint = key
    plain = variant or model
    stem = plain if split == "test" else f"{plain} ({split})"
    candidates = (stem, f"{stem} [{endpoint}]", f"{model}/{stem} [{endpoint}]")
    for candidate in candidates:
        if candidate not in taken:
            return candidate
    number = 2
    while f"{candidates[-1]} #{number}" in taken:
        number += 1
    return f"{candidates[-1]} #{number}"


def _model(
    key: tuple[str, str, str], name: str, split: str, table: pl.DataFrame, provenance: Provenance
) -> ModelRows:
    runs = table.select("repeat", "fold", "seed").unique().sort("repeat", "fold", "seed")
    coded = table.join(runs.with_row_index("run"), on=["repeat", "fold", "seed"], how="left")
    test, validation = (
        _rows(coded.filter(pl.col("split") == part)) for part in (split, "validation")
    )
    return ModelRows(name, *key, split, test, validation, provenance, tuple(runs.rows()))


def _rows(table: pl.DataFrame) -> Rows:
    table = table.sort("patient_id", "landmark", "run")
    grid = tuple(sorted(float(name[9:]) for name in table.columns if name.startswith("survival_")))
    survival = table.select(survival_column(days) for days in grid).cast(pl.Float64)
    patients, patient = np.unique(table["patient_id"].to_numpy(), return_inverse=True)
    number = table.select(pl.col("landmark").rank("dense").over("patient_id", "run") - 1)
    return Rows(
        patient=patient.astype(np.int64),
        run=table["run"].to_numpy().astype(np.int64),
        number=number.to_series().to_numpy().astype(np.int64),
        landmark=table["landmark"].to_numpy(),
        time=table["time"].to_numpy(),
        event=table["event"].to_numpy(),
        entry=np.where(table["entry"].fill_null(0.0) > 0, table["entry"].fill_null(0.0), -np.inf),
        risk=table["risk"].to_numpy(),
        survival=survival.to_numpy() if grid else np.empty((len(table), 0)),
        grid=grid,
        patients=tuple(map(str, patients)),
        incidence=_incidence(table, grid),
    )


def _incidence(
    table: pl.DataFrame, grid: tuple[float, ...]
) -> dict[int, Float[np.ndarray, "row time"]]:
    """Of the other causes of which this model tells one; a joined table has others' columns too."""
    told = {int(n.split("_")[1]) for n in table.columns if n.startswith("incidence_")}
    found = {}
    for cause in sorted(told):
        names = [incidence_column(cause, days) for days in grid]
        if set(names) <= set(table.columns) and not any(table.select(names).null_count().row(0)):
            found[cause] = table.select(pl.col(names).cast(pl.Float64)).to_numpy()
    return found


def check_table(table: pl.DataFrame) -> None:
    """Refuse a predictions table that does not keep the contract, naming every bad row.

    Raises:
        DataError: With one item a fault; rows are counted from 1, no value is shown.
    """
    absent = [name for name in SCHEMA if name not in table.columns]
    if absent:
        raise DataError(f"the predictions lack the column(s) {', '.join(absent)}")
    strange = [
        name
        for name in table.columns
        if name.startswith(_CURVES) and not _CURVE_NAME.fullmatch(name)
    ]
    if strange:
        raise DataError(
            f"{', '.join(strange)}: not survival_ followed by a number of days, nor incidence_ "
            "followed by the number of a cause and one of days",
            hint="name survival probabilities survival_365, survival_1826 …, and those of another "
            "cause's event incidence_2_365 …",
        )
    if len(table) and table["time"].is_null().all() and table["event"].is_null().all():
        raise DataError(
            "there is no outcome to evaluate: the predictions are of patients of whom nobody "
            "knows what followed",
            hint="add outcomes to the cohort and predict again",
        )
    if len(table) and (table["event"] == 0).all():
        raise DataError(
            f"all {len(table)} rows are censored: without an event there is nothing to evaluate",
            hint="event is 1 (or the number of a cause) where it was observed; see the coding of "
            "the file",
        )
    needed = [name for name in SCHEMA if name != "entry"]
    faults = [(pl.col(name).is_null(), f"{name} is missing") for name in needed]
    faults += [
        (~pl.col("risk").is_finite(), "risk is not a finite number"),
        (~pl.col("time").is_finite() | (pl.col("time") < 0), "time is not a number of days >= 0"),
        (pl.col("event") < 0, "event is not 0 or a cause"),
        (pl.col("entry") >= pl.col("time"), "entry is not before time"),
    ]
    faults += [
        (~pl.col(name).is_between(0, 1), f"{name} is not a probability")
        for name in table.columns
        if name.startswith(_CURVES)
    ]
    items = [
        f"row {row + 1}: {text}"
        for fault, text in faults
        for row in table.select(fault.fill_null(False).arg_true()).to_series()
    ]
    keys = ["model", "variant", "endpoint", "repeat", "fold", "seed", "split"]
    twice = table.select(pl.struct([*keys, "patient_id", "landmark"]).is_duplicated().arg_true())
    items += [f"row {row + 1}: patient and landmark stand twice" for row in twice.to_series()]
    items += rising_curves(table) or contrary_curves(table)
    items += impossible_incidence(table)
    if items:
        raise DataError(
            f"the predictions hold {len(items)} fault(s)",
            hint="mend the rows named and write the table again",
            items=tuple(items),
        )
