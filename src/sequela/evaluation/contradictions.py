"""What no unrounded numbers could make a row of a results table print.

Interval arithmetic: a printed number stands for all that round to it, and a contradiction is said
only where none of them agree.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from math import ceil, erfc, exp, floor, inf, log, sinh, sqrt
from statistics import NormalDist
from typing import Literal

from sequela.evaluation.printed_numbers import Printed, Span, reach
from sequela.evaluation.published_table import COUNTS, P_VALUES, PROPORTIONS, RATIOS, PublishedRow

Severity = Literal["contradiction", "remark"]
_LOPSIDED_RATIO = 1.1  # of the two halves of an interval, on the log scale: no Wald interval
_LOPSIDED_SHARE = 2.0  # on the logit scale
_LEAST_P = 1e-300  # below it floating point runs out of digits
_TEST_SLACK = 0.05  # of z, where risk sets change their make-up as time goes by


@dataclass(frozen=True)
class Contradiction:
    """Something in a results table that cannot be, or a remark on what is odd.

    Attributes:
        code: `L…`; docs/lint-table.md has a paragraph on each.
        severity: `remark` where numbers of another kind could print this.
        row: From 1, the header not counted; 0 for the table.
        label: Of the row.
        columns: Our names of the columns.
        message: What was found, and what would have been possible.
    """

    code: str
    severity: Severity
    row: int
    label: str
    columns: tuple[str, ...]
    message: str


@dataclass(frozen=True)
class Assumptions:
    """What is taken for granted about a table.

    Attributes:
        level: Of its intervals.
        wald: Whether intervals of ratios are Wald's, symmetric on the log scale.
        prevalence: Of the event among the patients; None where nobody says.
    """

    level: float = 0.95
    wald: bool = True
    prevalence: Span | None = None


def row_contradictions(row: PublishedRow, assumed: Assumptions) -> Iterator[Contradiction]:
    """Everything that is wrong within a row."""
    for code, severity, columns, message in _within(row, assumed):
        yield Contradiction(code, severity, row.number, row.label, columns, message)


_Found = tuple[str, Severity, tuple[str, ...], str]


def _within(row: PublishedRow, assumed: Assumptions) -> Iterator[_Found]:
    for name, cell in row.cells.items():
        yield from _range(name, cell)
        yield from _interval(name, cell)
    for name in RATIOS:
        if name in row.cells:
            yield from _ratio(name, row.cells, assumed)
    yield from _roc(row)
    yield from _derived(row)
    yield from _whole_numbers(row)


def _range(name: str, cell: Printed) -> Iterator[_Found]:
    """Shares and p-values lie between 0 and 1, ratios and counts above 0."""
    bounded = name in PROPORTIONS or name in P_VALUES
    low, high, what = (0.0, 1.0, "between 0 and 1") if bounded else (0.0, inf, "above 0")
    if name in RATIOS:
        low = 1e-12
    for span in (cell.value, *(cell.limits or ())):
        if not span.within(low, high):
            yield "L003", "contradiction", (name,), f"{name} is {span}, and must be {what}"
            return


def _interval(name: str, cell: Printed) -> Iterator[_Found]:
    """An interval holds its estimate."""
    if cell.limits is None or name in COUNTS:
        return
    low, high = cell.limits
    if low.low > high.high:
        yield "L002", "contradiction", (name,), f"the interval of {name} ends before it begins"
    elif not cell.value.within(low.low, high.high):
        yield "L001", "contradiction", (name,), f"{name} lies outside its own interval: {cell.text}"
    elif name in PROPORTIONS and low.low > 0 and high.high < 1:
        found = lopsided(cell.value, low, high, _logit)
        if found > _LOPSIDED_SHARE:
            yield (
                *("L011", "remark", (name,)),
                f"one half of the interval of {name} is at least {found:.1f} times as wide as the "
                f"other on the logit scale: {cell.text}",
            )


def lopsided(value: Span, low: Span, high: Span, scale: Callable[[float], float]) -> float:
    """How many times as wide as its other half one half of an interval is, at the very least."""

    def ratio(wide: float, narrow: float) -> float:
        return inf if narrow <= 0 < wide else wide / narrow if narrow > 0 else 0.0

    below = ratio(scale(value.low) - scale(low.high), scale(high.high) - scale(value.low))
    above = ratio(scale(high.low) - scale(value.high), scale(value.high) - scale(low.low))
    return max(below, above)


def _logit(share: float) -> float:
    return log(share / (1 - share))


def _ratio(name: str, cells: Mapping[str, Printed], assumed: Assumptions) -> Iterator[_Found]:
    cell = cells[name]
    if not assumed.wald or cell.limits is None:
        return
    low, high = cell.limits
    if min(low.low, cell.value.low) <= 0 or not cell.value.within(low.low, high.high):
        return  # said already
    centre = reach(lambda first, second: exp((log(first) + log(second)) / 2), low, high)
    if not centre.meets(cell.value):
        found = lopsided(cell.value, low, high, log)
        yield (
            *("L004", "contradiction" if found > _LOPSIDED_RATIO else "remark", (name,)),
            f"{name} {cell.text} is not the middle of its interval on the log scale, which is "
            f"{centre}; one half is at least {found:.2f} times as wide as the other",
        )
    for test in P_VALUES:
        if test in cells:
            yield from _p(name, test, cell, centre, cells[test], assumed.level)


def _p(
    name: str, test: str, cell: Printed, centre: Span, p: Printed, level: float
) -> Iterator[_Found]:
    """Wald's p follows from the interval; that of a log-rank test is close to it."""
    if cell.limits is None or not p.value.within(0.0, 1.0):
        return
    width = 2 * NormalDist().inv_cdf((1 + level) / 2)
    error = reach(lambda low, high: (log(high) - log(low)) / width, *cell.limits)
    if error.low <= 0:
        return
    printed = Span(_z(max(p.value.high, _LEAST_P)), _z(p.value.low))
    spans = [_statistic(middle, error, test) for middle in (cell.value, centre)]
    if not any(span.meets(printed) for span in spans):
        possible = Span(_two_sided(spans[0].high), _two_sided(spans[0].low))
        kind = "Wald's p" if test == "wald_p" else "p of a Wald or log-rank test"
        # A log-rank test knows nothing of the clusters of a robust interval.
        severity: Severity = "remark" if test == "log_rank_p" else "contradiction"
        yield (
            *("L005", severity, (test, name)),
            f"{test} {p.text} does not fit {name} {cell.text}, whose {kind} is {possible}",
        )
    elif test == "p" and not _statistic(cell.value, error, "wald_p").meets(printed):
        yield (
            *("L005", "remark", (test, name)),
            f"{test} {p.text} is not Wald's p of {name} {cell.text}; a log-rank or "
            "likelihood-ratio test could give it: say which test it is",
        )


def _statistic(middle: Span, error: Span, test: str) -> Span:
    """The z values that a ratio and the standard error of its logarithm allow.

    With proportional hazards the log-rank z is Wald's times sinh(b/2)/(b/2), b the log ratio, as
    long as the groups' shares of the risk set stay as they are.
    """
    ends = [abs(log(middle.low)), abs(log(middle.high))]
    least = 0.0 if middle.low <= 1 <= middle.high else min(ends)
    span = Span(least / error.high, max(ends) / error.low)
    if test == "wald_p":
        return span
    half = max(ends) / 2
    more = sinh(half) / half if half > 0 else 1.0
    return Span(span.low * (1 - _TEST_SLACK), span.high * more * (1 + _TEST_SLACK))


def _z(p: float) -> float:
    """The |z| of a two-sided p."""
    return inf if p < _LEAST_P else -NormalDist().inv_cdf(min(p, 1.0) / 2)


def _two_sided(z: float) -> float:
    return erfc(z / sqrt(2))


def _roc(row: PublishedRow) -> Iterator[_Found]:
    """A curve through one point of a ROC plot has no less, and no more, below it than that."""
    names = ("auc", "sensitivity", "specificity")
    if not all(name in row.cells for name in names):
        return
    auc, sens, spec = (row.cells[name].value for name in names)
    possible = Span(
        reach(lambda first, second: first * second, sens, spec).low,
        reach(lambda first, second: 1 - (1 - first) * (1 - second), sens, spec).high,
    )
    straight = reach(lambda first, second: (first + second) / 2, sens, spec)
    if not auc.meets(possible):
        yield (
            *("L008", "contradiction", names),
            f"with this sensitivity and specificity the AUC is {possible}, not {auc}",
        )
    elif auc.high < straight.low:
        yield (
            *("L008", "remark", names),
            f"the AUC {auc} lies below {straight}, that of the two straight lines through this "
            "sensitivity and specificity: the curve sags there",
        )


_DERIVED: dict[str, tuple[tuple[str, str], Callable[[float, float], float]]] = {
    "f1": (
        ("ppv", "sensitivity"),
        lambda ppv, sens: 2 * ppv * sens / (ppv + sens) if ppv + sens > 0 else 0.0,
    ),
    "balanced_accuracy": (("sensitivity", "specificity"), lambda sens, spec: (sens + spec) / 2),
}


def _derived(row: PublishedRow) -> Iterator[_Found]:
    for name, (sources, formula) in _DERIVED.items():
        if all(one in row.cells for one in (name, *sources)):
            expected = reach(formula, *(row.cells[one].value for one in sources))
            if not expected.meets(row.cells[name].value):
                found = row.cells[name].text
                yield (
                    *("L009", "contradiction", (name, *sources)),
                    f"{name} is {found}, but {' and '.join(sources)} make it {expected}",
                )


def _whole_numbers(row: PublishedRow) -> Iterator[_Found]:
    """A share of so many patients is a whole number of them."""
    if not all(name in row.cells for name in COUNTS):
        return
    patients, events = (round(row.cells[name].value.low) for name in COUNTS)
    if events > patients:
        yield "L012", "contradiction", tuple(COUNTS), f"{events} events in {patients} patients"
        return
    of = {"sensitivity": events, "specificity": patients - events, "accuracy": patients}
    for name, total in of.items():
        share = row.cells[name].value if name in row.cells else Span(0.0, 1.0)
        if total and ceil(share.low * total - 1e-9) > floor(share.high * total + 1e-9):
            yield (
                *("L010", "remark", (name, *COUNTS)),
                f"no whole number of {total} patients is {row.cells[name].text}: a mean over "
                "several runs, a weighted share, or a slip",
            )
