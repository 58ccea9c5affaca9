"""Whether predicted risks come true, and at which thresholds acting on them would help."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sequela.report.svg import COLOURS, canvas, inline, styled


@dataclass(frozen=True)
class RiskBin:
    """Patients of like predicted risk.

    Attributes:
        predicted: Their mean predicted risk.
        observed: How many had the event, as a rate that allows for censoring.
        low: Lower end of its interval, None where undefined.
        high: Upper end of it.
    """

    predicted: float
    observed: float
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Calibration:
    """Predicted against observed risk, and how predicted risks are spread.

    Attributes:
        bins: Groups of patients, by predicted risk.
        edges: Edges of the histogram's bars, one more than there are bars.
        counts: Patients in each bar.
    """

    bins: Sequence[RiskBin]
    edges: Sequence[float]
    counts: Sequence[int]


@dataclass(frozen=True)
class DecisionCurve:
    """Net benefit of acting above a threshold, beside acting on all patients and on none.

    Attributes:
        threshold: Predicted risks above which one would act.
        model: Net benefit of the model at each.
        everyone: Net benefit of acting on all.
        low: Lower end of the model's interval, None where undefined.
        high: Upper end.
    """

    threshold: Sequence[float]
    model: Sequence[float]
    everyone: Sequence[float]
    low: Sequence[float | None] = ()
    high: Sequence[float | None] = ()


def calibration_figure(calibration: Calibration, name: str, model: str) -> str:
    """Observed against predicted risk over a histogram of predicted risks, as inline SVG."""
    with styled():
        figure, (above, below) = canvas(3.9, (4.0, 1.0))
        top = _limit(calibration)
        above.plot([0, top], [0, top], color=COLOURS["muted"], linewidth=1, linestyle=(0, (2, 2)))
        above.annotate(
            "perfect",
            (top * 0.93, top * 0.93),
            (-6, 4),
            textcoords="offset points",
            color=COLOURS["muted"],
            ha="right",
        )
        for group in calibration.bins:
            if group.low is not None and group.high is not None:
                ends = [group.low, group.high]
                above.plot([group.predicted] * 2, ends, color=COLOURS["series-1"], linewidth=1.2)
        predicted = [group.predicted for group in calibration.bins]
        observed = [group.observed for group in calibration.bins]
        above.plot(predicted, observed, "o-", color=COLOURS["series-1"], markersize=4.5)
        above.set_xlim(0, top)
        above.set_ylim(0, top)
        above.set_ylabel("observed risk")
        if len(calibration.counts):
            below.stairs(
                calibration.counts, calibration.edges, fill=True, color=COLOURS["muted"], alpha=0.5
            )
        below.set_ylabel("patients")
        below.set_xlabel("predicted risk")
        return inline(figure, name, _described(calibration, model))


def decision_figure(curve: DecisionCurve, name: str, model: str) -> str:
    """Net benefit over thresholds as inline SVG."""
    with styled():
        figure, (axis,) = canvas(3.0)
        axis.axhline(0, color=COLOURS["muted"], linewidth=1, label="act on none")
        axis.plot(
            curve.threshold,
            curve.everyone,
            color=COLOURS["series-2"],
            linestyle=(0, (2, 2)),
            label="act on all",
        )
        axis.plot(curve.threshold, curve.model, color=COLOURS["series-1"], label=model)
        band = [
            (at, low, high)
            for at, low, high in zip(curve.threshold, curve.low, curve.high, strict=False)
            if low is not None and high is not None
        ]
        if band:
            at, low, high = (list(ends) for ends in zip(*band, strict=True))
            axis.fill_between(at, low, high, color=COLOURS["series-1"], alpha=0.16, linewidth=0)
        ceiling = max([*curve.model, *curve.everyone, 0.01])
        axis.set_ylim(-0.35 * ceiling, 1.08 * ceiling)
        axis.set_xlim(min(curve.threshold), max(curve.threshold))
        axis.set_xlabel("risk threshold")
        axis.set_ylabel("net benefit")
        axis.legend(loc="upper right")
        return inline(figure, name, f"Decision curve of {model}: net benefit over risk thresholds")


def _limit(calibration: Calibration) -> float:
    highest = [group.high or group.observed for group in calibration.bins]
    reached = max([*highest, *(group.predicted for group in calibration.bins)], default=1.0)
    return min(1.0, reached * 1.08) or 1.0


def _described(calibration: Calibration, model: str) -> str:
    pairs = "; ".join(
        f"predicted {group.predicted:.0%}, observed {group.observed:.0%}"
        for group in calibration.bins
    )
    return f"Calibration of {model}: {pairs or 'no group could be drawn'}"
