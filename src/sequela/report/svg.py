"""Matplotlib figures as inline SVG that takes its colours and its type from the page."""

from __future__ import annotations

import io
import re
from html import escape
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

# Colours that matplotlib writes into the SVG, and the CSS variable that takes their place.
COLOURS = {
    "ink": "#a0a001",
    "muted": "#a0a002",
    "rule": "#a0a003",
    "series-1": "#a0a004",
    "series-2": "#a0a005",
    "series-3": "#a0a006",
    "paper": "#a0a007",
}
_ON_WHITE = {
    "ink": "#1b1f24",
    "muted": "#57606a",
    "rule": "#d5dbe1",
    "series-1": "#0b5fa5",
    "series-2": "#a9420a",
    "series-3": "#5d3a9b",
    "paper": "#ffffff",
}
# What page.css says of the flow diagram, for a file that stands alone.
_FLOW = (
    ".flow text{fill:#1b1f24;font-size:12.5px} .flow .strong{font-weight:600} "
    ".flow rect{fill:#f5f7f9;stroke:#d5dbe1} "
    ".flow .line{fill:none;stroke:#57606a} .flow .tip{fill:#57606a}"
)
_BORDER = 8  # around a drawing that is a file of its own
WIDTH = 3.8  # inches; drawn 340 to 480 px wide, so that 8.5 pt type is read at 10.5 to 15 px
_STYLE: dict[str, Any] = {
    "svg.hashsalt": "sequela",
    "svg.fonttype": "none",
    "font.size": 8.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": COLOURS["muted"],
    "axes.labelcolor": COLOURS["muted"],
    "text.color": COLOURS["ink"],
    "xtick.color": COLOURS["muted"],
    "ytick.color": COLOURS["muted"],
    "grid.color": COLOURS["rule"],
    "axes.axisbelow": True,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "savefig.facecolor": "none",
    "legend.frameon": False,
    "lines.linewidth": 1.6,
}
_METADATA = {"Date": None, "Creator": None, "Format": None, "Type": None}


def styled() -> Any:
    """The context in which every figure of the report is drawn."""
    return matplotlib.rc_context(_STYLE)  # type: ignore[arg-type]


def canvas(height: float, rows: tuple[float, ...] = (1.0,)) -> tuple[Figure, list[Axes]]:
    """A figure of the report's width, with axes one under the other.

    Args:
        height: In inches.
        rows: Relative heights of the axes.
    """
    figure = Figure(figsize=(WIDTH, height), layout="constrained")
    axes = figure.subplots(len(rows), 1, squeeze=False, height_ratios=rows, sharex=len(rows) > 1)
    for axis in axes[:, 0]:
        axis.grid(axis="y", linewidth=0.6)
        axis.tick_params(length=0)
    return figure, list(axes[:, 0])


def inline(figure: Figure, name: str, description: str) -> str:
    """The figure as an `<svg>` element, the same bytes for the same figure.

    Args:
        figure: What was drawn, with colours from `COLOURS`.
        name: Unique on the page; what refers to parts of the drawing is prefixed with it.
        description: What a reader who cannot see it is told.
    """
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata=_METADATA)
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<style.*?</style>|<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = _own_names(text, name)
    for variable, colour in COLOURS.items():
        text = text.replace(colour, f"var(--{variable})")
    text = re.sub(r"font: (\d[\d.]*px) [^;\"]*", r"font-size: \1", text)
    text = re.sub(r"; font-family: [^;\"]*|font-family: [^;\"]*; ?", "", text)
    text = re.sub(r' transform="rotate\(-0 [^"]*"', "", text)
    text = re.sub(r"\s*\n\s*", " ", text).replace("> <", "><")
    # Places are cut to hundredths of a point; what is written is not, or 0.015 would read 0.01.
    text = re.sub(r"<[^>]+>", lambda tag: re.sub(r"(\d\.\d\d)\d+", r"\1", tag[0]), text)
    box = re.search(r'viewBox="[^"]*"', text)
    body = text[text.index(">") + 1 :]
    if box is None:
        raise ValueError("matplotlib wrote an SVG without a viewBox")
    return f'<svg class="plot" role="img" aria-label="{escape(description)}" {box[0]}>{body}'


def standalone(drawing: str) -> str:
    """A drawing of the page as a file of its own, in the colours of a page on white."""
    for variable, colour in _ON_WHITE.items():
        drawing = drawing.replace(f"var(--{variable})", colour)
    opened = drawing.index(">")
    box = re.search(r'viewBox="([^"]*)"', drawing[: opened + 1])
    if box is None:
        raise ValueError("a drawing without a viewBox")
    x, y, width, height = map(float, box[1].split())
    # On the page a letter may stand out of the box; here it would be cut.
    corner = f"{x - _BORDER:g} {y - _BORDER:g}"
    size = f'width="{width + 2 * _BORDER:g}" height="{height + 2 * _BORDER:g}"'
    ground = f'<rect x="{x - _BORDER:g}" y="{y - _BORDER:g}" {size} style="fill:#fff;stroke:none"/>'
    begun = f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="sans-serif"'
    frame = f'viewBox="{corner} {width + 2 * _BORDER:g} {height + 2 * _BORDER:g}"'
    head = drawing[:opened].replace("<svg", begun, 1).replace(box[0], frame)
    return f"{head}><style>{_FLOW}</style>{ground}{drawing[opened + 1 :]}\n"


def _own_names(text: str, name: str) -> str:
    """Ids that something refers to, prefixed with `name`; all others removed."""
    text = text.replace("xlink:href", "href")
    referred = set(re.findall(r"(?:url\(#|href=\"#)([\w.-]+)", text))
    for number, old in enumerate(sorted(referred)):
        text = re.sub(
            rf'(url\(#|href="#|id="){re.escape(old)}(?=["\)])', rf"\g<1>{name}-{number}", text
        )
    kept = {f"{name}-{number}" for number in range(len(referred))}
    return re.sub(r' id="([^"]*)"', lambda found: found[0] if found[1] in kept else "", text)
