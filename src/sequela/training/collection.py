"""The predictions of several runs as one table, if they answer one question."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import polars as pl

from sequela.errors import DataError
from sequela.evaluation.predictions import Predictions, Provenance


def collect_predictions(work: Path) -> Predictions:
    """The predictions of all runs in one table, also written to the work folder.

    Raises:
        DataError: If there are none, or they do not answer one question about one cohort.
    """
    files = sorted((work / "runs").glob("*/predictions*.parquet"))
    if not files:
        raise DataError("no run has predicted anything yet", hint="run `sequela predict` first")
    tables = [Predictions.read(file) for file in files]
    predictions = Predictions(
        pl.concat([one.table for one in tables], how="diagonal"),
        common_provenance([one.provenance for one in tables], [file.parent.name for file in files]),
    )
    predictions.write(work / "predictions.parquet")
    return predictions


_QUESTION = ("protocol", "cause", "horizon", "cohort", "splits")


def common_provenance(provenances: Sequence[Provenance], names: Sequence[str]) -> Provenance:
    """Where the predictions of several runs come from, if they answer one question.

    Args:
        provenances: Of each run.
        names: What an error calls them.

    Raises:
        DataError: If they differ in protocol, cause, horizon, cohort or split.
    """
    first = provenances[0]
    for name, other in zip(names, provenances, strict=True):
        differing = [f for f in _QUESTION if getattr(other, f) != getattr(first, f)]
        if differing:
            raise DataError(
                f"runs {names[0]} and {name} do not answer the same question about the same "
                f"patients: {', '.join(differing)} differ",
                hint="predict again after training with the present configuration, or delete "
                "the folder of the run that is out of date",
            )
    chosen = {one.epoch_chosen_on for one in provenances}
    order = ("test", "unknown", "training", "validation", "none")
    worst = next(name for name in order if name in chosen)
    notes = tuple(dict.fromkeys(note for one in provenances for note in one.notes))
    return first.evolve(epoch_chosen_on=worst, notes=notes)
