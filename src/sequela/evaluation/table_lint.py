"""`lint-table`: every contradiction within the rows of a results table, and between them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sequela.evaluation.contradictions import Assumptions, Contradiction, row_contradictions
from sequela.evaluation.printed_numbers import Span, reach
from sequela.evaluation.published_table import PublishedRow, PublishedTable


@dataclass(frozen=True)
class TableLint:
    """What was found in a table, and what could not be looked at."""

    table: PublishedTable
    found: tuple[Contradiction, ...]

    @property
    def contradictions(self) -> list[Contradiction]:
        """What cannot be; remarks aside."""
        return [one for one in self.found if one.severity == "contradiction"]

    def as_json(self) -> dict[str, Any]:
        """As `--json` prints it."""
        return {
            "rows": len(self.table.rows),
            "columns": dict(self.table.columns),
            "ignored": list(self.table.ignored),
            "unread": list(self.table.unread),
            "contradictions": len(self.contradictions),
            "findings": [asdict(one) for one in self.found],
        }


def lint_table(table: PublishedTable, assumed: Assumptions | None = None) -> TableLint:
    """Everything in a results table that no unrounded numbers could have printed."""
    assumed = assumed or Assumptions()
    found = [one for row in table.rows for one in row_contradictions(row, assumed)]
    groups: dict[str, list[PublishedRow]] = {}
    for row in table.rows:
        groups.setdefault(row.group, []).append(row)
    for rows in groups.values():
        found += _prevalence(rows, assumed.prevalence)
    return TableLint(table, tuple(sorted(found, key=lambda one: (one.row, one.code))))


def _prevalence(rows: Sequence[PublishedRow], known: Span | None) -> Iterator[Contradiction]:
    """Rows about the same patients share one prevalence, and each row shows which it can be."""
    implied: list[tuple[PublishedRow, tuple[str, ...], Span]] = []
    for row in rows:
        columns, span = _implied(row)
        stated = known or _stated(row)
        if span is None:
            message = f"no prevalence makes {', '.join(columns)} fit each other"
            yield Contradiction("L006", "contradiction", row.number, row.label, columns, message)
        elif stated is not None and columns:
            if not span.meets(stated):
                message = (
                    f"{', '.join(columns)} fit each other at a prevalence of {span}, which is "
                    f"{stated}"
                )
                yield Contradiction(
                    "L006", "contradiction", row.number, row.label, columns, message
                )
        elif columns:
            implied.append((row, columns, span))
    yield from _out_of_step(implied)


def _out_of_step(
    implied: Sequence[tuple[PublishedRow, tuple[str, ...], Span]],
) -> Iterator[Contradiction]:
    """Rows whose prevalence is not the one that most rows can share."""
    if len(implied) < 2:
        return
    candidates = sorted({end for _, _, span in implied for end in (span.low, span.high)})
    best = max(candidates, key=lambda at: sum(span.within(at, at) for _, _, span in implied))
    agreed = [span for _, _, span in implied if span.within(best, best)]
    common = agreed[0]
    for span in agreed[1:]:
        common = common.joined(span)
    if len(agreed) <= len(implied) / 2 or len(agreed) < 2:
        text = "; ".join(f"{row.label}: {span}" for row, _, span in implied)
        message = f"no prevalence fits more than {len(agreed)} of {len(implied)} rows: {text}"
        columns = tuple(dict.fromkeys(name for _, names, _ in implied for name in names))
        yield Contradiction("L007", "contradiction", 0, "the table", columns, message)
        return
    for row, columns, span in implied:
        if not span.meets(common):
            message = (
                f"{', '.join(columns)} fit each other only at a prevalence of {span}; the "
                f"{len(agreed)} rows that agree show {common} for the same patients"
            )
            yield Contradiction("L007", "contradiction", row.number, row.label, columns, message)


def _stated(row: PublishedRow) -> Span | None:
    """The prevalence that a row states, as such or by its counts."""
    if "prevalence" in row.cells:
        return row.cells["prevalence"].value
    if "events" in row.cells and "patients" in row.cells:
        patients, events = (row.cells[name].value.low for name in ("patients", "events"))
        return Span(events / patients, events / patients) if patients else None
    return None


def _implied(row: PublishedRow) -> tuple[tuple[str, ...], Span | None]:
    """The columns that show the prevalence, and what they leave of it: None if nothing."""
    columns: list[str] = []
    span: Span | None = Span(0.0, 1.0)
    rules = {"accuracy": _from_accuracy, "ppv": _from_ppv, "npv": _from_npv}
    cells = {name: cell.value for name, cell in row.cells.items()}
    if "sensitivity" not in cells or "specificity" not in cells:
        return (), span
    for name, rule in rules.items():
        if name in cells and span is not None:
            columns.append(name)
            here = rule(cells[name], cells["sensitivity"], cells["specificity"])
            span = span.joined(here) if here is not None and here.meets(span) else None
    return (*columns, "sensitivity", "specificity") if columns else (), span


def _from_accuracy(accuracy: Span, sens: Span, spec: Span) -> Span | None:
    """Where accuracy can be prevalence * sensitivity + (1 - prevalence) * specificity."""
    low, high = 0.0, 1.0
    # slope * prevalence <= bound, at the lower ends for the one and the upper for the other.
    for slope, bound in (
        (sens.low - spec.low, accuracy.high - spec.low),
        (spec.high - sens.high, spec.high - accuracy.low),
    ):
        if slope > 0:
            high = min(high, bound / slope)
        elif slope < 0:
            low = max(low, bound / slope)
        elif bound < -1e-12:
            return None
    return Span(low, high) if low <= high + 1e-9 else None


def _from_ppv(ppv: Span, sens: Span, spec: Span) -> Span | None:
    """Where the odds of a positive call being right are those of the event times sens/(1-spec)."""

    def prevalence(value: float, sensitivity: float, specificity: float) -> float:
        return _share(value * (1 - specificity), (1 - value) * sensitivity)

    return reach(prevalence, _clipped(ppv), _clipped(sens), _clipped(spec))


def _from_npv(npv: Span, sens: Span, spec: Span) -> Span | None:
    """Where the odds of a negative call being right are those of no event times spec/(1-sens)."""

    def prevalence(value: float, sensitivity: float, specificity: float) -> float:
        return _share((1 - value) * specificity, value * (1 - sensitivity))

    return reach(prevalence, _clipped(npv), _clipped(sens), _clipped(spec))


def _clipped(span: Span) -> Span:
    return Span(min(max(span.low, 1e-12), 1 - 1e-12), min(max(span.high, 1e-12), 1 - 1e-12))


def _share(one: float, other: float) -> float:
    return one / (one + other)
