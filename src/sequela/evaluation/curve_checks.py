"""Predicted curves that contradict themselves or the risk beside them."""

from __future__ import annotations

from itertools import pairwise

import polars as pl

RUN = ("model", "variant", "endpoint", "repeat", "fold", "seed")
_ROUNDING = 1e-6
_LEAST = 0.1
_MOST_ROWS = 20


def rising_curves(table: pl.DataFrame) -> list[str]:
    """Every row whose predicted survival is higher at a later day than at an earlier one."""
    names = survival_columns(table)
    return [
        f"row {row + 1}: {late} is larger than {early}, but survival cannot rise"
        for early, late in pairwise(names)
        for row in table.select((pl.col(late) > pl.col(early) + _ROUNDING).arg_true()).to_series()
    ]


def impossible_incidence(table: pl.DataFrame) -> list[str]:
    """Every row in which another cause's predicted incidence falls, or all incidences pass 1."""
    by_cause: dict[str, list[str]] = {}
    by_day: dict[str, list[str]] = {}
    for name in table.columns:
        if name.startswith("incidence_"):
            _, cause, day = name.split("_")
            by_cause.setdefault(cause, []).append(name)
            by_day.setdefault(day, []).append(name)
    falls = [
        (pl.col(late) < pl.col(early) - _ROUNDING, f"{late} is less than {early}")
        for names in by_cause.values()
        for early, late in pairwise(sorted(names, key=lambda name: float(name.split("_")[2])))
    ]
    survivals = set(survival_columns(table))
    falls += [
        (
            pl.sum_horizontal(names) > pl.col(f"survival_{day}") + _ROUNDING,
            f"the incidences of other causes by day {day} are more than survival_{day} leaves",
        )
        for day, names in by_day.items()
        if f"survival_{day}" in survivals
    ]
    return [
        f"row {row + 1}: {words}"
        for fault, words in falls
        for row in table.select(fault.fill_null(False).arg_true()).to_series()
    ]


def contrary_curves(table: pl.DataFrame) -> list[str]:
    """Where a run's risk is the higher the better its predicted survival, with rows that show it.

    They are taken to contradict each other where their rank correlation is positive, by more than
    chance would have it, at every day of the grid: curves that cross agree at some.
    """
    items: list[str] = []
    numbered = table.with_row_index("number")
    for _, run in numbered.group_by(RUN, maintain_order=True):
        found = [_contrary(run, name) for name in survival_columns(table)]
        told = [part for part in found if part is not None]
        if all(told):
            items += [item for part in told for item in part]
    return items


def survival_columns(table: pl.DataFrame) -> list[str]:
    """The columns of survival probabilities, by ascending day."""
    names = [name for name in table.columns if name.startswith("survival_")]
    return sorted(names, key=lambda name: float(name.removeprefix("survival_")))


def _contrary(run: pl.DataFrame, name: str) -> list[str] | None:
    """The rows that show it, none where the two agree; None where the day tells nothing."""
    known = run.filter(pl.col(name).is_finite() & pl.col("risk").is_finite())
    count = len(known)
    if count < 3 or known[name].n_unique() < 2 or known["risk"].n_unique() < 2:
        return None
    agree = known.select(pl.corr("risk", name, method="spearman")).item()
    if agree <= min(0.99, max(_LEAST, 3 / count**0.5)):
        return []
    both = (pl.col("risk") > pl.col("risk").median()) & (pl.col(name) > pl.col(name).median())
    rows = known.filter(both)["number"].head(_MOST_ROWS).to_list()
    return [
        f"row {row + 1}: risk and {name} are both high; higher risk must mean lower survival "
        f"(rank correlation {agree:.2f} over {count} rows)"
        for row in rows
    ]
