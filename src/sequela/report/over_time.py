"""AUC and Brier gain by each day: what a model knows soon, and what it knows late."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes

from sequela.report.estimates import NOT_COMPUTED, Estimate
from sequela.report.svg import COLOURS, canvas, inline, styled

_YEAR = 365.25
COLUMNS = (
    ("integrated_brier", "Integrated Brier", "number"),
    ("integrated_ipa", "Its gain (IPA)", "number"),
    ("proportional_hazards_p", "Proportional hazards p", "p"),
)
COMPETING_COLUMNS = (
    ("competing_c", "Wolbers’ C", "number"),
    ("subdistribution_hazard_ratio", "Subdistribution HR", "ratio"),
    ("gray_p", "Gray p", "p"),
)


@dataclass(frozen=True)
class Course:
    """A number by each day.

    Attributes:
        years: Since the landmark.
        values: The number.
        low: Lower limits.
        high: Upper limits.
    """

    years: Sequence[float]
    values: Sequence[float]
    low: Sequence[float]
    high: Sequence[float]

    @classmethod
    def of(cls, block: Mapping[str, Any], name: str) -> Course:
        """The number of that name in the block `over_time`, where it is defined."""
        keys = ("time", name, f"{name}_low", f"{name}_high")
        columns = [block.get(key) or () for key in keys]
        kept = [row for row in zip(*columns, strict=True) if row[1] is not None]
        days, values, low, high = ([float(row[place]) for row in kept] for place in range(4))
        return cls([day / _YEAR for day in days], values, low, high)


def numbers_over_time(node: Mapping[str, Any]) -> dict[str, Estimate]:
    """The numbers of `COLUMNS` and `COMPETING_COLUMNS` of one model in `evaluation.json`."""
    block, groups = node.get("over_time") or {}, node.get("risk_groups") or {}
    rivals = node.get("competing_risks") or {}
    nothing = "no other cause competes" if "competing_risks" in node else NOT_COMPUTED
    names = {"competing_c": "concordance"}
    return {
        **{name: Estimate.of(block.get(name)) for name, _, _ in COLUMNS[:2]},
        "proportional_hazards_p": _p(groups.get("proportional_hazards"), NOT_COMPUTED, node),
        **{
            name: Estimate.of(rivals.get(names.get(name, name)), reason=nothing)
            for name, _, _ in COMPETING_COLUMNS[:2]
        },
        "gray_p": _p(rivals.get("gray"), nothing, node),
    }


def over_time_figure(node: Mapping[str, Any], name: str, model: str) -> str:
    """AUC, and below it the Brier gain, by years, as inline SVG; empty where there is none."""
    block = node.get("over_time") or {}
    auc, gain = Course.of(block, "auc"), Course.of(block, "ipa")
    if len(auc.years) < 2:
        return ""
    with styled():
        figure, axes = canvas(3.6 if gain.years else 2.6, (1.0, 1.0) if gain.years else (1.0,))
        _draw(axes[0], auc, "AUC", 0.5)
        if gain.years:
            _draw(axes[1], gain, "Brier gain (IPA)", 0.0)
        axes[-1].set_xlabel("years")
        said = f"AUC by {auc.years[0]:.1f} years {auc.values[0]:.2f}, by {auc.years[-1]:.1f} years"
        return inline(figure, name, f"Over time, {model}: {said} {auc.values[-1]:.2f}")


def _at_least(limits: tuple[float, float], nothing: float) -> tuple[float, float]:
    """Limits so wide that rounding is not drawn as a course, nor ticks by two decimals alike."""
    return min(limits[0], nothing - 0.025), max(limits[1], nothing + 0.025)


def _draw(axis: Axes, course: Course, title: str, nothing: float) -> None:
    axis.axhline(nothing, color=COLOURS["muted"], linewidth=1, linestyle=(0, (2, 2)))
    colour, edges = COLOURS["series-1"], (course.low, course.high)
    axis.fill_between(course.years, *edges, color=colour, alpha=0.16, linewidth=0)
    axis.plot(course.years, course.values, color=colour)
    axis.set_ylabel(title)
    axis.set_ylim(*_at_least(axis.get_ylim(), nothing))


def _p(test: Mapping[str, Any] | None, missing: str, node: Mapping[str, Any]) -> Estimate:
    p, reason = (test or {}).get("p"), str((test or {}).get("reason") or missing)
    if p is None:
        return Estimate(None, reason=reason)
    return Estimate(float(p), marks=tuple(map(str, node.get("marks") or ())))
