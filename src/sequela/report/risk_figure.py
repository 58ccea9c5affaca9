"""Curves of risk groups over what became of them, a column a model (the LUMIN paper's Fig. 3)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sequela.report.results import GroupCounts, ModelResult
from sequela.report.survival_curves import DAYS_A_YEAR, Curve
from sequela.storage import atomic

_SHOWN = ("st-i", "st-b", "l-b", "lumin")
_MOST = 4
_COLOURS = {"high": "#b2182b", "low": "#2166ac"}
_STYLE = {"svg.hashsalt": "sequela", "svg.fonttype": "none", "font.size": 8.0}
_ENDINGS = ("svg", "pdf", "png")


def chosen_for_figure(results: Sequence[ModelResult]) -> list[ModelResult]:
    """The paper's four models where they were run; else the first models that are no baseline."""
    drawn = [one for one in results if one.curves and one.split == "test"]
    papers = [one for one in drawn if one.name in _SHOWN]
    return (papers if len(papers) > 1 else [one for one in drawn if not one.is_baseline])[:_MOST]


def write_risk_figure(results: Sequence[ModelResult], folder: Path) -> tuple[Path, ...]:
    """Write `figure-3.svg`, `.pdf` and `.png`; nothing where no model has risk groups."""
    chosen = chosen_for_figure(results)
    if not chosen:
        return ()
    paths = tuple(folder / f"figure-3.{ending}" for ending in _ENDINGS)
    with matplotlib.rc_context(_STYLE):  # type: ignore[arg-type]
        figure = risk_figure(chosen)
        for path, ending in zip(paths, _ENDINGS, strict=True):
            with atomic(path) as temporary:
                # No date, so that the same figure is the same bytes.
                metadata = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}.get(ending)
                figure.savefig(temporary, format=ending, dpi=200, metadata=metadata)
    return paths


def risk_figure(results: Sequence[ModelResult]) -> Figure:
    """Above, each model's curves of risk groups; below, counts and shares at the table's day."""
    figure = Figure(figsize=(2.6 * len(results), 4.6), layout="constrained")
    axes = figure.subplots(2, len(results), squeeze=False, height_ratios=(2, 1))
    for column, result in enumerate(results):
        _curves(axes[0, column], result, f"({chr(97 + column)}) {result.label}")
        _counts(axes[1, column], result)
    axes[0, 0].set_ylabel(f"free of {results[0].endpoint}")
    return figure


def _curves(axis: Axes, result: ModelResult, title: str) -> None:
    for curve in result.curves:
        _curve(axis, curve)
    ratio, p = result.metrics["hazard_ratio"], result.metrics["log_rank_p"]
    axis.set_title(f"{title}\nHR {ratio.text('ratio')}\nlog-rank p {p.text('p')}", fontsize=7)
    axis.set_ylim(0, 1.03)
    axis.set_xlim(left=0)
    axis.set_xlabel("years from the landmark")
    axis.spines[["top", "right"]].set_visible(False)
    axis.legend(loc="lower left", frameon=False)


def _curve(axis: Axes, curve: Curve) -> None:
    years = [time / DAYS_A_YEAR for time in curve.times]
    colour = _COLOURS.get(curve.group, "#444444")
    known = [
        (year, least, most)
        for year, least, most in zip(years, curve.low, curve.high, strict=True)
        if least is not None and most is not None
    ]
    if known:
        days, low, high = zip(*known, strict=True)
        axis.fill_between(days, low, high, step="post", color=colour, alpha=0.15, linewidth=0)
    axis.step(years, curve.survival, where="post", color=colour, label=f"{curve.group} risk")


def _counts(axis: Axes, result: ModelResult) -> None:
    """A cell a group and outcome: how many, and their share of those whose outcome is known."""
    groups = {row.group: row for row in result.table}
    rows = [groups[name] for name in ("high", "low") if name in groups]
    shares = [[_share(row, row.event), _share(row, row.free)] for row in rows]
    axis.imshow(shares, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    for y, row in enumerate(rows):
        for x, count in enumerate((row.event, row.free)):
            dark = shares[y][x] > 0.6
            text = f"{count}\n{shares[y][x]:.0%}"
            axis.text(x, y, text, ha="center", va="center", color="white" if dark else "black")
    axis.set_xticks([0, 1], [f"with {result.endpoint}", "free of it"])
    axis.set_yticks(range(len(rows)), [row.group for row in rows])
    axis.tick_params(length=0)
    left_out = ", ".join(f"{row.group} {row.excluded}" for row in rows)
    years = (result.table_day or 0) / DAYS_A_YEAR
    axis.set_xlabel(f"by {years:.1f} years; censored before: {left_out}", fontsize=6.5)


def _share(row: GroupCounts, count: int) -> float:
    known = row.event + row.free + row.competing
    return count / known if known else 0.0
