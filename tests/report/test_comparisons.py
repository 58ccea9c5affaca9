from __future__ import annotations

from itertools import combinations

from sequela.report.comparisons import Comparison, ComparisonSet
from sequela.report.estimates import Estimate

NAMES = ("kaplan-meier", "st-b", "lumin")


def among(*pairs: tuple[str, str]) -> ComparisonSet:
    found = tuple(
        Comparison(one, other, "auc", Estimate.of({"value": 0.1}, reason=""), 0.5)
        for one, other in pairs
    )
    return ComparisonSet("test", "auc", "DeLong", NAMES, found, ())


def test_all_pairs_fill_a_triangle() -> None:
    every = among(*combinations(NAMES, 2))
    assert every.rows == ("st-b", "lumin")
    assert every.columns == ("kaplan-meier", "st-b")


def test_a_planned_reference_gives_one_row_or_one_column() -> None:
    last = among(("kaplan-meier", "lumin"), ("st-b", "lumin"))
    assert (last.rows, last.columns) == (("lumin",), ("kaplan-meier", "st-b"))
    first = among(("kaplan-meier", "st-b"), ("kaplan-meier", "lumin"))
    assert (first.rows, first.columns) == (("st-b", "lumin"), ("kaplan-meier",))
