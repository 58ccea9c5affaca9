"""What `evaluate` and `compare` are given: tables of predictions, and the cohorts behind them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sequela.cli.words import configuration_file, work_folder
from sequela.errors import UsageError

if TYPE_CHECKING:
    from sequela.cohort.cohort import Cohort
    from sequela.evaluation.predictions import Predictions
    from sequela.evaluation.settings import EvaluationSettings
    from sequela.evaluation.subgroups import Division


@dataclass(frozen=True)
class Source:
    """One table of predictions.

    Attributes:
        path: Its file.
        predictions: What it holds, and what an audit says of the design behind it.
        cohort: Of these patients, where its folder is known.
    """

    path: Path
    predictions: Predictions
    cohort: Cohort | None

    @property
    def foreign(self) -> bool:
        """Whether it is a file by itself, which no work folder belongs to."""
        return self.cohort is None


def read_sources(words: Sequence[str], mapping: Mapping[str, str]) -> list[Source]:
    """Every table that is named, by its file or by a cohort folder that has one.

    Raises:
        UsageError: If none is named, or one is not there.
    """
    named = [Path(word) for word in words if "=" not in word]
    if not named:
        raise UsageError("no predictions were named", hint="see `sequela evaluate --help`")
    return [_read(place, mapping) for place in named]


def read_settings(
    words: Sequence[str], *, accept: bool, threshold: float | None
) -> EvaluationSettings:
    """The section `evaluation` of the first cohort's configuration, and what replaces it."""
    from sequela.evaluation.settings import EvaluationSettings
    from sequela.settings import read_section

    first = next((Path(word) for word in words if "=" not in word), None)
    file = configuration_file(first, None) if first and first.is_dir() else None
    overrides = [word for word in words if "=" in word]
    settings = read_section("evaluation", EvaluationSettings, file, overrides)
    if accept:
        settings = settings.evolve(accept_biased_design=True)
    return settings if threshold is None else settings.evolve(threshold=threshold)


def read_mapping(columns: Sequence[str]) -> dict[str, str]:
    """OURS=THEIRS, a column each."""
    mapping = {}
    for column in columns:
        ours, equals, theirs = column.partition("=")
        if not equals:
            raise UsageError(
                f"--column {column} names no column",
                hint="write --column OURS=THEIRS, as time=days",
            )
        mapping[ours] = theirs
    return mapping


def read_divisions(
    by: Sequence[str], sources: Sequence[Source], mapping: Mapping[str, str]
) -> list[Division]:
    """The divisions asked for; of a cohort, if none is, the usual ones."""
    from sequela.training.cohort_evaluation import usual_divisions

    asked = [column.strip() for each in by for column in each.split(",") if column.strip()]
    known = [source for source in sources if source.cohort is not None]
    if not by and known and known[0].cohort is not None:
        return usual_divisions(known[0].cohort, [source.predictions for source in known])
    return [_division(column, sources, mapping) for column in dict.fromkeys(asked)]


def _division(column: str, sources: Sequence[Source], mapping: Mapping[str, str]) -> Division:
    from sequela.evaluation.cohort_columns import column_of
    from sequela.evaluation.foreign import read_column
    from sequela.evaluation.subgroups import Division

    for source in sources:
        if source.cohort is not None:
            table = column_of(source.cohort, column, source.predictions.table)
        else:
            table = read_column(source.path, column, mapping)
        if table is not None:
            return Division.of(column, table)
    raise UsageError(
        f"there is no column {column} beside these predictions",
        hint="name a column of the CSV; or, of a cohort, a covariate, site, vendor, modality or "
        "available",
    )


def _read(place: Path, mapping: Mapping[str, str]) -> Source:
    from sequela.evaluation.foreign import read_predictions

    path = work_folder(place, None) / "predictions.parquet" if place.is_dir() else place
    if not path.is_file():
        raise UsageError(
            f"there are no predictions {path.name} there",
            hint="name a predictions file, or run `sequela predict` on the cohort first",
        )
    predictions = read_predictions(path, mapping)
    cohort = _cohort_of(place, path, predictions)
    if cohort is not None:
        from sequela.training.cohort_evaluation import with_design

        predictions = with_design(predictions, cohort, path.parent)
    return Source(path, predictions, cohort)


def _cohort_of(place: Path, path: Path, predictions: Predictions) -> Cohort | None:
    """The cohort that was named, or in whose work folder the table of its patients lies."""
    from sequela.cohort.cohort import read_cohort
    from sequela.cohort.manifest import FILE_NAME

    if place.is_dir():
        return read_cohort(place)
    folder = path.resolve().parent.parent
    if not predictions.provenance.cohort or not (folder / FILE_NAME).is_file():
        return None
    cohort = read_cohort(folder)
    return cohort if cohort.fingerprint == predictions.provenance.cohort else None
