"""What no model should need: site, gaps in the tables, order of rows, names and sizes of files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from jaxtyping import Float

from sequela.audit.labels import FEWEST, Labelled
from sequela.audit.predictability import CrossValidatedAuc, predictability
from sequela.cohort.cohort import Cohort
from sequela.cohort.patient import Case, Image, Text
from sequela.cohort.table_files import ROW
from sequela.cohort.tables import Table

_CODES = 200
"""Categories that are told apart; rarer ones are one."""

_DISGUISED = 0.95
"""Rank correlation with the time of the outcome that no covariate of the index date has."""


@dataclass(frozen=True)
class Shortcut:
    """Numbers of each case that should tell nothing.

    Attributes:
        name: What they are, for a reader.
        code: Of the finding.
        table: The table they come from.
        column: Its column, empty where several are meant.
        features: A row a case.
        categorical: Columns of `features` that are codes.
    """

    name: str
    code: str
    table: str
    column: str
    features: Float[np.ndarray, "case feature"]
    categorical: tuple[int, ...] = ()


def shortcuts(cohort: Cohort, tables: Mapping[str, Table], labelled: Labelled) -> list[Shortcut]:
    """All that vary among the cases; each declared covariate is one."""
    found = [
        *_site(cohort, labelled),
        *_missing(cohort, labelled),
        *_order(cohort, tables, labelled),
        *_files(cohort, labelled),
        *_columns(cohort, labelled),
    ]
    return [item for item in found if _varies(item.features)]


def judge_shortcuts(found: Sequence[Shortcut], labelled: Labelled) -> list[CrossValidatedAuc]:
    """The AUC of each, with intervals that hold for all of them together (Bonferroni).

    Raises:
        UndefinedMetricError: If there are few patients with, or without, the event.
    """
    level = 1 - 0.05 / max(len(found), 1)
    return [
        predictability(item.features, labelled, categorical=item.categorical, level=level)
        for item in found
    ]


def times_in_disguise(cohort: Cohort, endpoint: str) -> Iterator[tuple[str, float]]:
    """Numeric covariates in the order of the outcome's time, and their rank correlation with it."""
    times = cohort.outcomes.filter(endpoint=endpoint).select("patient_id", "time")
    rows = cohort.covariates.join(times, on="patient_id")
    for name in cohort.covariates.columns[1:]:
        known = rows.filter(pl.col(name).is_not_null())
        if known[name].dtype != pl.Float64 or known[name].n_unique() < FEWEST:
            continue
        correlation = known.select(pl.corr(name, "time", method="spearman")).item()
        if abs(correlation) >= _DISGUISED:
            yield name, correlation


def _varies(features: Float[np.ndarray, "case feature"]) -> bool:
    return any(len(np.unique(column, equal_nan=True)) > 1 for column in features.T)


def _site(cohort: Cohort, labelled: Labelled) -> Iterator[Shortcut]:
    sites = [cohort.patient(case.patient_id).site for case in labelled.cases]
    yield Shortcut("site", "A011", "patients", "site", coded(sites)[:, None], (0,))


def _missing(cohort: Cohort, labelled: Labelled) -> Iterator[Shortcut]:
    covariates = _rows_of(cohort.covariates, labelled)
    gaps = [covariates[name].is_null().to_numpy() for name in covariates.columns[1:]]
    for seen in (_texts, _images):
        gaps.append(np.array([not seen(case) for case in labelled.cases]))
    features = np.column_stack(gaps).astype(float)
    yield Shortcut("missing values", "A012", "patients", "", features)


def _order(cohort: Cohort, tables: Mapping[str, Table], labelled: Labelled) -> Iterator[Shortcut]:
    """The place of a patient's first row among those of the site, from 0 to 1.

    Tables are often sorted by ids that begin with the site; what the site tells is A011's.
    """
    for name in ("patients", "exams", "images"):
        table = tables.get(name)
        if table is None:
            continue
        frame = table.typed
        if name == "images":
            whose = tables["exams"].typed.select("exam_id", "patient_id")
            frame = frame.join(whose, on="exam_id", how="left")
        first = dict(frame.group_by("patient_id").agg(pl.col(ROW).min()).iter_rows())
        places = pl.DataFrame(
            {"row": list(first.values()), "site": [cohort.patient(one).site for one in first]}
        ).select(pl.col("row").rank().over("site") / pl.len().over("site"))
        place = dict(zip(first, places.to_series().to_list(), strict=True))
        rows = [place.get(case.patient_id, np.nan) for case in labelled.cases]
        yield Shortcut(f"order of rows in {name}", "A013", name, "", np.array(rows)[:, None])


def _files(cohort: Cohort, labelled: Labelled) -> Iterator[Shortcut]:
    """Of the images that a case sees: place among all names, folder, ending, size."""
    if not cohort.image_paths:
        return
    place = {path: number for number, path in enumerate(sorted(cohort.image_paths.values()))}
    paths = [[image.path for image in _images(case)] for case in labelled.cases]
    names = np.array([_mean([float(place[path]) for path in seen]) for seen in paths])
    folders = coded([str(seen[0].parent) if seen else "" for seen in paths])
    endings = coded([seen[0].suffix if seen else "" for seen in paths])
    features = np.column_stack([names, folders, endings])
    yield Shortcut("names of image files", "A014", "images", "path", features, (1, 2))
    sizes = np.array([_mean([float(path.stat().st_size) for path in seen]) for seen in paths])
    yield Shortcut("sizes of image files", "A014", "images", "path", sizes[:, None])


def _columns(cohort: Cohort, labelled: Labelled) -> Iterator[Shortcut]:
    covariates = _rows_of(cohort.covariates, labelled)
    for name in covariates.columns[1:]:
        column = covariates[name]
        if column.dtype == pl.Float64:
            numbers = column.fill_null(np.nan).to_numpy()
            yield Shortcut(name, "A015", "patients", name, numbers[:, None])
        else:
            codes = coded([value or "" for value in column])
            yield Shortcut(name, "A015", "patients", name, codes[:, None], (0,))


def coded(values: Sequence[str]) -> Float[np.ndarray, " case"]:
    """A number a category, from the most frequent on; the rare ones share the last."""
    names, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    rank = np.empty(len(names), dtype=np.int64)
    rank[np.argsort(-counts, kind="stable")] = np.arange(len(names))
    return np.minimum(rank[inverse], _CODES).astype(float)


def _rows_of(covariates: pl.DataFrame, labelled: Labelled) -> pl.DataFrame:
    names = pl.DataFrame({"patient_id": [case.patient_id for case in labelled.cases]})
    return names.join(covariates, on="patient_id", how="left", maintain_order="left")


def _texts(case: Case) -> list[Text]:
    return [*case.texts, *(text for exam in case.exams for text in exam.texts)]


def _images(case: Case) -> list[Image]:
    return [image for exam in case.exams for image in exam.images]


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values)) if values else float("nan")
