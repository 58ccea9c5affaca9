"""Drawings of one example patient: her risk over time, and what each part of it moved."""

from __future__ import annotations

from collections.abc import Sequence

from sequela.report.svg import COLOURS, canvas, inline, styled

DAYS_A_YEAR = 365.25


def timeline_figure(
    risks: Sequence[tuple[float, float]], visits: Sequence[tuple[float, str]], name: str, who: str
) -> str:
    """The risk at each visit, the visits on a time line under it, as inline SVG.

    Args:
        risks: Days and the risk predicted then.
        visits: Days, and what was missing in a word, empty for nothing.
        name: Unique on the page.
        who: Whose it is.
    """
    now = risks[-1][0]
    percent = all(0 <= risk <= 1 for _, risk in risks)
    years = [(day - now) / DAYS_A_YEAR for day, _ in risks]
    shown = [risk * 100 if percent else risk for _, risk in risks]
    with styled():
        figure, (axis, line) = canvas(2.6, (3.0, 1.0))
        axis.plot(years, shown, "o-", color=COLOURS["series-1"], markersize=4)
        for year, value in zip(years, shown, strict=True):
            text = f"{value:.0f}%" if percent else f"{value:.2f}"
            axis.annotate(text, (year, value), (0, 5), textcoords="offset points", ha="center")
        axis.set_ylabel("predicted risk" + (", %" if percent else ""))
        if percent:
            axis.set_ylim(0, 112)
        for day, missing in visits:
            at = (day - now) / DAYS_A_YEAR
            filled = COLOURS["paper"] if missing else COLOURS["series-1"]
            line.plot(at, 0, "o", color=COLOURS["series-1"], markerfacecolor=filled, markersize=6)
        line.axhline(0, color=COLOURS["muted"], linewidth=0.8, zorder=0)
        line.set_ylim(-1, 1)
        line.set_yticks([])
        line.grid(visible=False)
        line.spines["left"].set_visible(False)
        line.set_xlabel("years from the landmark (open: something was missing)")
        line.margins(x=0.12)
        return inline(figure, name, _described(risks, who, percent=percent))


def parts_figure(weights: Sequence[tuple[str, float]], name: str, who: str) -> str:
    """What each part moved the score by, as bars, strongest first, as inline SVG.

    Args:
        weights: Name and weight of each.
        name: Unique on the page.
        who: Whose they are.
    """
    slots = max((int(token.partition("@")[2] or 0) for token, _ in weights), default=0)
    named = [(part_name(token, slots), weight) for token, weight in weights]
    return bars_figure(named, name, f"What each part moved the score of {who} by")


def bars_figure(weights: Sequence[tuple[str, float]], name: str, description: str) -> str:
    """What moved a score by how much, as bars, strongest first, as inline SVG.

    Args:
        weights: Label and weight of each.
        name: Unique on the page.
        description: What is shown, for a reader who cannot see it; the numbers are added.
    """
    ordered = sorted(weights, key=lambda one: abs(one[1]))
    with styled():
        figure, (axis,) = canvas(0.75 + 0.2 * len(ordered))
        colours = [COLOURS["series-2" if w > 0 else "series-1"] for _, w in ordered]
        places = list(range(len(ordered)))
        axis.barh(places, [w for _, w in ordered], color=colours, height=0.7)
        axis.set_yticks(places, [part for part, _ in ordered])
        axis.axvline(0, color=COLOURS["muted"], linewidth=0.8)
        axis.grid(visible=False, axis="y")
        axis.grid(visible=True, axis="x", linewidth=0.6)
        axis.spines["left"].set_visible(False)
        axis.locator_params(axis="x", nbins=4)  # small numbers are long, and must not overlap
        axis.set_xlabel("moved the risk score by")
        told = ", ".join(f"{part} {weight:+.2f}" for part, weight in ordered[::-1])
        return inline(figure, name, f"{description}: {told}")


def part_name(token: str, slots: int) -> str:
    """A token's name for a reader: `shared, last visit`.

    Args:
        token: As `shared@2`.
        slots: Visits that the model sees; the last slot is the landmark's.
    """
    part, _, slot = token.partition("@")
    if not slot:
        return part
    place = "last" if int(slot) == slots else "first" if slot == "1" else f"{slot}."
    return f"{part}, {place} visit"


def _described(risks: Sequence[tuple[float, float]], who: str, *, percent: bool) -> str:
    said = ", ".join(f"{risk:.0%}" if percent else f"{risk:.2f}" for _, risk in risks)
    return f"Predicted risk of {who} at each visit, oldest first: {said}"
