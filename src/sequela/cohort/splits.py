"""Who trains, who chooses the epoch, who is asked last: drawn once, written, read ever after."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import polars as pl
from pydantic import Field

from sequela.cohort.cohort import Cohort
from sequela.cohort.division import PARTS, Groups, Part, divide, with_validation
from sequela.cohort.selection import Selection
from sequela.cohort.split_files import REDRAW, SCHEMA, read_published, read_seal, read_table
from sequela.cohort.table_files import write_table
from sequela.errors import DataError, LockedError
from sequela.settings import Settings
from sequela.storage import fingerprint, write_json

_TABLE, _SEAL = "splits.csv", "splits.json"


class SplitSettings(Settings):
    """How patients are divided.

    Attributes:
        test: Share of patients never looked at before the end; 0 where another cohort is the
            test. With folds, each fold is the test once and this is not used.
        validation: Share of the other patients on which epochs and thresholds are chosen.
        folds: 1 for one division, k for cross-validation.
        repeats: How often the whole is drawn anew.
        seed: Of the draw; row order changes nothing.
        group: What stays together: a patient's cases, or all patients of a site; not said, sites
            stay together in the folds of cross-validation, if every patient has one.
        file: A published split file (fold, split, patient_id; in the cohort folder) to follow;
            where it names no validation patients, they are drawn out of its training patients.
    """

    test: float = Field(0.3, ge=0, lt=1)
    validation: float = Field(0.2, ge=0, lt=1)
    folds: int = Field(1, ge=1)
    repeats: int = Field(1, ge=1)
    seed: int = Field(0, ge=0)
    group: Literal["patient", "site"] | None = None
    file: str | None = None


@dataclass(frozen=True)
class Splits:
    """Which patient is in which part, for each repeat and fold.

    Attributes:
        table: repeat, fold, patient_id, split.
        settings: How it was drawn.
        cohort: Fingerprint of the cohort it was drawn from.
    """

    table: pl.DataFrame
    settings: SplitSettings
    cohort: str

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the division itself."""
        return fingerprint(self.table.sort(self.table.columns).write_csv())

    def of(self, repeat: int = 0, fold: int = 0) -> dict[str, Part]:
        """The part of every patient in one fold.

        Raises:
            KeyError: If there is no such fold.
        """
        rows = self.table.filter(repeat=repeat, fold=fold)
        if rows.is_empty():
            raise KeyError((repeat, fold))
        return dict(rows.select("patient_id", "split").iter_rows())

    def write(self, folder: Path) -> None:
        """Write `splits.csv`, and `splits.json` that seals it with a hash.

        Raises:
            LockedError: If another division stands there already.
        """
        if (folder / _SEAL).is_file() and Splits.read(folder).fingerprint != self.fingerprint:
            raise LockedError(
                f"{_TABLE} holds another division; runs may have been made with it", hint=REDRAW
            )
        write_table(self.table, folder / _TABLE)
        seal = {
            "hash": self.fingerprint,
            "cohort": self.cohort,
            "settings": self.settings.model_dump(),
        }
        write_json(folder / _SEAL, seal)

    @classmethod
    def read(cls, folder: Path) -> Splits:
        """Read what `write` wrote.

        Raises:
            DataError: If there is none, or the table is not one.
            LeakageError: If a patient is in two parts of one fold.
            LockedError: If the table is not the one that was drawn.
        """
        table, seal = read_table(folder / _TABLE), read_seal(folder / _SEAL)
        settings = SplitSettings.model_validate(seal["settings"])
        splits = cls(table, settings, str(seal["cohort"]))
        if splits.fingerprint != seal["hash"]:
            raise LockedError(
                f"{_TABLE} was changed after it was drawn: its hash is not that of {_SEAL}",
                hint=REDRAW,
            )
        return splits

    def require_patients(self, selection: Selection) -> None:
        """Refuse a selection whose patients this division does not know.

        Raises:
            LockedError: If a patient has no part.
        """
        known = set(self.table["patient_id"])
        strangers = {case.patient_id for case in selection.cases} - known
        if strangers:
            raise LockedError(
                f"{len(strangers)} patient(s) of the cohort are in no part of {_TABLE}: the cohort "
                "or the protocol has changed since it was drawn",
                hint=REDRAW,
            )


def draw_splits(cohort: Cohort, selection: Selection, settings: SplitSettings) -> Splits:
    """Divide the patients of a selection, events spread evenly over the parts.

    Raises:
        DataError: If the cohort has no outcomes, or a part has no patient with the event, or none
            without.
        LeakageError: If a published file puts a patient into two parts of one fold.
    """
    if not cohort.manifest.endpoints:
        raise DataError(
            "the cohort has no outcomes, so nothing can be trained or tested on it",
            hint="add outcomes.csv and an endpoint to cohort.yaml; or only predict on it: "
            "`sequela prepare --external`, then `sequela predict --run RUN`",
        )
    groups = _groups(cohort, selection, settings.group or _usual_group(cohort, selection, settings))
    if settings.file is not None:
        table = _published(cohort.folder / settings.file, groups, settings)
    else:
        table = _drawn(groups, settings)
    table = table.sort("repeat", "fold", "patient_id")
    _require_both_classes(table, groups, settings)
    return Splits(table, settings, cohort.fingerprint)


def _usual_group(cohort: Cohort, selection: Selection, settings: SplitSettings) -> str:
    folds = settings.folds > 1 and selection.protocol.name == "cross-validation"
    sites = {patient.site for patient in cohort.patients}
    # Fewer sites than folds cannot be kept together.
    together = folds and "" not in sites and len(sites) >= settings.folds and not settings.file
    return "site" if together else "patient"


def _groups(cohort: Cohort, selection: Selection, group: str) -> Groups:
    cause = cohort.manifest.endpoints[selection.protocol.endpoint].cause
    horizon = selection.protocol.label_horizon
    happened = selection.followup.event == cause
    if horizon is not None:
        happened &= selection.followup.time <= horizon
    event: dict[str, bool] = {}
    for case, one in zip(selection.cases, happened, strict=True):
        event[case.patient_id] = event.get(case.patient_id, False) or bool(one)
    patients = tuple(sorted(event))
    together = patients
    if group == "site":
        together = tuple(cohort.patient(patient).site for patient in patients)
    if not all(together):
        raise DataError(
            f"{together.count('')} patient(s) have no site, so sites cannot be kept together",
            hint="fill in patients.site, or set split.group to patient",
        )
    return Groups(patients, np.array([event[patient] for patient in patients]), together)


def _drawn(groups: Groups, settings: SplitSettings) -> pl.DataFrame:
    tables = []
    for repeat in range(settings.repeats):
        random = np.random.default_rng([settings.seed, repeat])
        if settings.folds == 1:
            tested = [divide(groups, (1 - settings.test, settings.test), random) == 1]
        else:
            fold_of = divide(groups, (1 / settings.folds,) * settings.folds, random)
            tested = [fold_of == fold for fold in range(settings.folds)]
        for fold, test in enumerate(tested):
            split = with_validation(groups, test, settings.validation, random)
            tables.append(_fold_table(groups, split, repeat, fold))
    return pl.concat(tables)


def _fold_table(groups: Groups, split: Sequence[Part], repeat: int, fold: int) -> pl.DataFrame:
    table = pl.DataFrame({"patient_id": groups.patients, "split": split})
    return table.select(pl.lit(repeat).alias("repeat"), pl.lit(fold).alias("fold"), pl.all()).cast(
        SCHEMA
    )


def _published(path: Path, groups: Groups, settings: SplitSettings) -> pl.DataFrame:
    """A file's folds; patients of the file that are not selected are left aside."""
    table = read_published(path)
    tables = []
    for (repeat, fold), rows in table.group_by("repeat", "fold", maintain_order=True):
        given = dict(rows.select("patient_id", "split").iter_rows())
        strangers = [patient for patient in groups.patients if patient not in given]
        if strangers:
            raise DataError(
                f"{len(strangers)} patient(s) are in no part of fold {fold} of {path.name}",
                hint="add them to the file, or remove them from the cohort",
            )
        split: list[Part] = [given[patient] for patient in groups.patients]
        if "validation" not in split:
            random = np.random.default_rng([settings.seed, int(repeat), int(fold)])
            test = np.array([part == "test" for part in split])
            split = with_validation(groups, test, settings.validation, random)
        tables.append(_fold_table(groups, split, int(repeat), int(fold)))
    return pl.concat(tables)


def _require_both_classes(table: pl.DataFrame, groups: Groups, settings: SplitSettings) -> None:
    faults = tuple(_one_sided(table, groups, settings))
    if faults:
        raise DataError(
            "a part of the division cannot be used",
            hint="use fewer folds, a larger share, another seed, a longer protocol.horizon, or "
            "more patients",
            items=faults,
        )


def _one_sided(table: pl.DataFrame, groups: Groups, settings: SplitSettings) -> Iterator[str]:
    event = pl.DataFrame({"patient_id": groups.patients, "event": groups.event})
    expected = [
        part
        for part in PARTS
        if (part != "validation" or settings.validation > 0)
        and (part != "test" or settings.test > 0 or settings.folds > 1)
    ]
    for (repeat, fold), rows in table.join(event, on="patient_id").group_by(
        "repeat", "fold", maintain_order=True
    ):
        for part in expected:
            inside = rows.filter(split=part)["event"]
            if not inside.any() or inside.all():
                yield (
                    f"repeat {repeat}, fold {fold}, {part}: {len(inside)} patient(s), "
                    f"{inside.sum()} with the event; each part needs some with and some without"
                )
