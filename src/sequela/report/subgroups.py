"""Numbers by subgroup, and a forest plot of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib import rcParams
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.textpath import TextPath
from matplotlib.ticker import MaxNLocator, NullFormatter, ScalarFormatter

from sequela.report.estimates import Estimate
from sequela.report.names import label
from sequela.report.svg import COLOURS, WIDTH, inline, styled

_ROW, _MARGIN = 0.25, 0.75  # inches
_GAP = 6.0  # points between a label and the axis
_LONGEST = 22
_RATIO = ("observed_expected",)
_TICKS = (0.1, 0.2, 0.33, 0.5, 0.75, 1, 1.25, 1.5, 2, 3, 5, 10)
_WIDEST = (0.1, 10.0)
"""Of a ratio, what is drawn; limits beyond are cut."""


@dataclass(frozen=True)
class Group:
    """One subgroup: its size, and its numbers or why it has none."""

    name: str
    patients: int
    events: int
    metrics: Mapping[str, Estimate]


@dataclass(frozen=True)
class Subgroups:
    """The subgroups of one model's patients by one column."""

    model: str
    column: str
    groups: tuple[Group, ...]

    @property
    def label(self) -> str:
        """The model's name as tables print it."""
        return label(self.model)


def read_subgroups(node: Mapping[str, Any]) -> list[Subgroups]:
    """Those of one model of `evaluation.json`."""
    return [
        Subgroups(
            node["name"],
            str(division["column"]),
            tuple(
                Group(
                    str(one["name"]),
                    int(one["patients"]),
                    int(one["events"]),
                    {name: Estimate.of(value) for name, value in one["metrics"].items()},
                )
                for one in division["groups"]
            ),
        )
        for division in node.get("subgroups") or ()
    ]


def forest_figure(divisions: Sequence[Subgroups], metric: str, neutral: float, name: str) -> str:
    """A row a subgroup: the number as a dot on its interval; empty where none has a number."""
    rows: list[tuple[str, Estimate | None]] = []
    for division in divisions:
        rows.append((division.column, None))
        rows += [(f"\u2003{_short(one.name)}", one.metrics[metric]) for one in division.groups]
    known = [one for _, one in rows if one is not None and one.defined]
    if not known:
        return ""
    with styled():
        figure = Figure(figsize=(WIDTH, _MARGIN + _ROW * len(rows)), layout="constrained")
        axis = figure.subplots()
        axis.axvline(neutral, color=COLOURS["muted"], linewidth=1, linestyle=(0, (2, 2)))
        if metric in _RATIO:
            _ratio_scale(axis, known)
        for place, (_, estimate) in enumerate(rows):
            if estimate is not None:
                _draw(axis, estimate, place)
        axis.set_ylim(len(rows) - 0.4, -0.6)
        axis.set_yticks(range(len(rows)), [text for text, _ in rows])
        for tick, (_, estimate) in zip(axis.get_yticklabels(), rows, strict=True):
            tick.set_horizontalalignment("left")
            tick.set_color(COLOURS["muted"] if estimate is None else COLOURS["ink"])
        # Left-aligned labels stand inside their own margin, as wide as the widest of them.
        widest = max(_width(text) for text, _ in rows)
        axis.tick_params(axis="y", length=0, pad=widest + _GAP)
        axis.tick_params(axis="x", length=0)
        axis.grid(axis="x", linewidth=0.6)
        return inline(figure, name, _described(divisions, metric))


def _ratio_scale(axis: Axes, known: Sequence[Estimate]) -> None:
    """A log scale around 1, labelled in plain numbers."""
    axis.set_xscale("log")
    ends = [end for one in known for end in (one.value, one.low, one.high) if end]
    low, high = max(_WIDEST[0], min(*ends, 0.8)), min(_WIDEST[1], max(*ends, 1.25))
    axis.set_xlim(low / 1.05, high * 1.05)
    axis.set_xticks([tick for tick in _TICKS if low <= tick <= high])
    axis.xaxis.set_major_formatter(ScalarFormatter())
    axis.xaxis.set_minor_formatter(NullFormatter())
    axis.minorticks_off()


def _draw(axis: Axes, estimate: Estimate, place: int) -> None:
    if estimate.value is None:
        axis.text(
            0.98,
            place,
            "too few events",
            transform=axis.get_yaxis_transform(),
            color=COLOURS["muted"],
            ha="right",
            va="center",
            fontsize=7.5,
        )
        return
    if estimate.low is not None and estimate.high is not None:
        axis.plot([estimate.low, estimate.high], [place, place], color=COLOURS["series-1"], lw=1.4)
    axis.plot([estimate.value], [place], "s", color=COLOURS["series-1"], markersize=4.5)
    if axis.get_xscale() == "linear":
        axis.xaxis.set_major_locator(MaxNLocator(5))


def _width(text: str) -> float:
    """In points, in matplotlib's own type, which is wider than what most browsers take."""
    drawn = TextPath((0, 0), text, size=rcParams["font.size"])
    return float(drawn.get_extents().x1)


def _short(name: str) -> str:
    return name if len(name) <= _LONGEST else name[: _LONGEST - 1] + "…"


def _described(divisions: Sequence[Subgroups], metric: str) -> str:
    told = "; ".join(
        f"{division.column} {group.name}: {group.metrics[metric].text()}"
        for division in divisions
        for group in division.groups
    )
    return f"{label(metric)} by subgroup. {told}"
