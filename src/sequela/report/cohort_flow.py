"""From patients assessed to patients in each split: a flow diagram and its counts."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import polars as pl

SPLITS = ("train", "validation", "test")
_NAMES = {"train": "training", "validation": "validation", "test": "test"}
_LINE, _PADDING, _WIDTH, _GAP = 16, 9, 400, 14
_BOX = (_WIDTH - 2 * _GAP) / 3
_SIDE = 150
Length = int | float


@dataclass(frozen=True)
class Flow:
    """How many patients came how far.

    Attributes:
        assessed: Patients that the cohort has.
        excluded: (reason, patients), largest first; each patient counted once.
        splits: (split, patients).
        exams_left_out: (reason, exams) of patients who stayed in, largest first.
        folds: How many divisions were drawn; `splits` counts the first.
    """

    assessed: int
    excluded: tuple[tuple[str, int], ...]
    splits: tuple[tuple[str, int], ...]
    exams_left_out: tuple[tuple[str, int], ...]
    folds: int

    @property
    def included(self) -> int:
        """Patients who were used."""
        return self.assessed - sum(count for _, count in self.excluded)


def count_flow(splits: pl.DataFrame, exclusions: pl.DataFrame | None) -> Flow:
    """The counts of the first division of the patients.

    A patient with several reasons is counted under the one recorded last: the exams that were
    left out come first, what it meant for the patient comes after.

    Args:
        splits: `splits.csv`.
        exclusions: `exclusions.csv`, None where nobody was left out.
    """
    divisions = splits.select("repeat", "fold").unique(maintain_order=True)
    first = splits.join(divisions.head(1), on=["repeat", "fold"])
    included = first["patient_id"].unique()
    left_out = exclusions if exclusions is not None else _nobody()
    stayed = pl.col("patient_id").is_in(included.implode())
    patients = left_out.filter(~stayed).group_by("patient_id", maintain_order=True).last()
    counts = dict(first.group_by("split").len().iter_rows())
    return Flow(
        assessed=len(included) + len(patients),
        excluded=_tally(patients["reason"]),
        splits=tuple((split, counts[split]) for split in SPLITS if split in counts),
        exams_left_out=_tally(left_out.filter(stayed)["reason"]),
        folds=len(divisions),
    )


def _nobody() -> pl.DataFrame:
    return pl.DataFrame(schema=dict.fromkeys(("patient_id", "exam_id", "reason"), pl.String))


def _tally(reasons: pl.Series) -> tuple[tuple[str, int], ...]:
    counts = reasons.fill_null("no reason recorded").value_counts()
    return tuple(sorted(counts.iter_rows(), key=lambda row: (-row[1], row[0])))


def flow_diagram(flow: Flow) -> str:
    """The flow as inline SVG: what went on below, what was left out at the side."""
    out = [("Excluded", sum(count for _, count in flow.excluded)), *flow.excluded]
    side = [
        line
        for row, (reason, count) in enumerate(out)
        for line in textwrap.wrap(f"{reason} ({count})", 32, subsequent_indent="\u2003")
        or [f"({count})"]
        if row == 0 or count
    ]
    side_height = len(side) * _LINE + 2 * _PADDING
    included = 56 + max(side_height, 30) + 18
    bottom = included + 46 + 40
    parts = [
        _arrow(_BOX / 2, 46, _BOX / 2, included),
        _arrow(_BOX / 2, 56 + side_height / 2, _SIDE, 56 + side_height / 2),
        _box(0, 0, _BOX, ["Assessed", _patients(flow.assessed)]),
        _box(_SIDE, 56, _WIDTH - _SIDE, side, aligned="start"),
        _box(0, included, _BOX, ["Included", _patients(flow.included)]),
        *_split_boxes(flow.splits, included + 46, bottom),
    ]
    label = escape(_described(flow))
    box = f"-2 -2 {_WIDTH + 4} {bottom + 48:g}"
    return (
        f'<svg class="flow" role="img" aria-label="{label}" viewBox="{box}">{"".join(parts)}</svg>'
    )


def _split_boxes(splits: Sequence[tuple[str, int]], above: Length, top: Length) -> list[str]:
    if not splits:
        return []
    stem = _BOX / 2
    middle = above + (top - above) / 2
    centres = [position * (_BOX + _GAP) + stem for position in range(len(splits))]
    line = f'<path class="line" d="M{stem:g} {above:g}V{middle:g}H{centres[-1]:g}"/>'
    boxes = [
        _arrow(centre, middle, centre, top)
        + _box(centre - stem, top, _BOX, [_NAMES.get(split, split), _patients(count)])
        for centre, (split, count) in zip(centres, splits, strict=True)
    ]
    return [line, *boxes]


def _box(
    x: Length, y: Length, width: Length, lines: Sequence[str], *, aligned: str = "middle"
) -> str:
    height = len(lines) * _LINE + 2 * _PADDING - (4 if aligned == "middle" else 0)
    left = x + (width / 2 if aligned == "middle" else _PADDING)
    text = "".join(
        f'<text class="{"strong" if row == 0 else "plain"}" x="{left:g}" '
        f'y="{y + _PADDING + 10 + row * _LINE:g}" text-anchor="{aligned}">{escape(line)}</text>'
        for row, line in enumerate(lines)
    )
    return f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="4"/>{text}'


def _arrow(x: Length, y: Length, to_x: Length, to_y: Length) -> str:
    wings = "l-3.5 -6h7z" if x == to_x else "l-6 -3.5v7z"
    return (
        f'<path class="line" d="M{x:g} {y:g}L{to_x:g} {to_y:g}"/>'
        f'<path class="tip" d="M{to_x:g} {to_y:g}{wings}"/>'
    )


def _patients(count: int) -> str:
    return "1 patient" if count == 1 else f"{count} patients"


def _described(flow: Flow) -> str:
    reasons = "; ".join(f"{count} {reason}" for reason, count in flow.excluded) or "nobody"
    splits = ", ".join(f"{count} {_NAMES.get(split, split)}" for split, count in flow.splits)
    return (
        f"{flow.assessed} patients assessed. Excluded: {reasons}. "
        f"{flow.included} included: {splits}."
    )
