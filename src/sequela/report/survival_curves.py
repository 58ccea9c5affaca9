"""Kaplan–Meier curves of risk groups, with the numbers at risk under them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes

from sequela.report.svg import COLOURS, canvas, inline, styled

DAYS_A_YEAR = 365.25
_LOOK = {"high": ("series-2", "-"), "low": ("series-1", (0, (5, 1.6)))}


@dataclass(frozen=True)
class Curve:
    """A survival curve of one risk group, starting at time 0 with 1.

    Attributes:
        group: `high` or `low`.
        kind: `kaplan-meier`, or `aalen-johansen` where events compete.
        times: Days from the landmark, ascending.
        survival: Probability of being free of the event, after each time.
        low: Lower ends of the interval, None where undefined.
        high: Upper ends.
        at_risk: (day, how many are still under observation) under the axis.
    """

    group: str
    kind: str
    times: Sequence[float]
    survival: Sequence[float]
    low: Sequence[float | None]
    high: Sequence[float | None]
    at_risk: Sequence[tuple[float, int]]


def survival_figure(curves: Sequence[Curve], name: str, model: str, event: str) -> str:
    """The curves of a model's risk groups as inline SVG."""
    with styled():
        figure, (axis,) = canvas(3.3)
        for curve in curves:
            _draw(axis, curve, f"{curve.group} risk" if len(curves) > 1 else "all patients")
        last = max((curve.times[-1] for curve in curves if curve.times), default=DAYS_A_YEAR)
        axis.set_ylim(0, 1.03)
        axis.set_xlim(0, last / DAYS_A_YEAR)
        axis.set_ylabel(f"free of {event}")
        axis.set_xlabel("years from the landmark")
        if curves:
            axis.legend(loc="lower left")
        _number_at_risk(axis, curves)
        return inline(figure, name, _described(curves, model, event))


def _draw(axis: Axes, curve: Curve, name: str) -> None:
    variable, dashes = _LOOK.get(curve.group, ("series-3", "-"))
    years = [time / DAYS_A_YEAR for time in curve.times]
    band = [
        (year, low, high)
        for year, low, high in zip(years, curve.low, curve.high, strict=True)
        if low is not None and high is not None
    ]
    if band:
        axis.fill_between(
            [year for year, _, _ in band],
            [low for _, low, _ in band],
            [high for _, _, high in band],
            step="post",
            color=COLOURS[variable],
            alpha=0.16,
            linewidth=0,
        )
    axis.step(
        years,
        curve.survival,
        where="post",
        color=COLOURS[variable],
        linestyle=dashes,
        label=name,
    )


def _number_at_risk(axis: Axes, curves: Sequence[Curve]) -> None:
    """A row of counts a group, under the label of the time axis."""
    rows = [curve for curve in curves if curve.at_risk]
    if not rows:
        return
    below = axis.get_xaxis_transform()
    years = [day / DAYS_A_YEAR for day, _ in rows[0].at_risk]
    axis.set_xticks(years, [f"{year:.1f}".removesuffix(".0") for year in years])
    axis.text(0, -0.24, "at risk", transform=below, color=COLOURS["muted"], ha="left")
    for position, curve in enumerate(rows):
        height = -0.32 - 0.08 * position
        variable, _ = _LOOK.get(curve.group, ("series-3", "-"))
        colour = COLOURS[variable]
        axis.text(
            -0.055,
            height,
            curve.group if len(curves) > 1 else "all",
            transform=axis.transAxes,
            color=colour,
            ha="right",
        )
        for day, count in curve.at_risk:
            year = day / DAYS_A_YEAR
            axis.text(year, height, str(count), transform=below, color=colour, ha="center")


def _described(curves: Sequence[Curve], model: str, event: str) -> str:
    ends = [
        f"in the {curve.group}-risk group {curve.survival[-1]:.0%} are free of {event} "
        f"after {curve.times[-1] / DAYS_A_YEAR:.1f} years"
        for curve in curves
        if curve.times
    ]
    return f"Kaplan–Meier curves of {model}: " + ("; ".join(ends) or "no group could be drawn")
