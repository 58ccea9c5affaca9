"""Example patients: mammograms with what the model looked at, notes with what it read."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image, UnidentifiedImageError

from sequela.report.estimates import Estimate, printed
from sequela.report.tables import Cell, Column, Table

_SIDE = 288  # pixels; what a phone shows of one of two columns
_QUALITY = 82
_LEAST = 0.01  # of the score: words that all move less are not coloured as if one mattered
_STEPS = {
    "visit": "the visit itself, which makes the others older,",
    "images": "its images",
    "note": "its note",
}


@dataclass(frozen=True)
class ViewPair:
    """A prepared mammogram and the map over it, as data URIs.

    Attributes:
        kind: As `L CC`.
        image: The mammogram.
        overlay: The map, transparent where the model did not look; empty where there is none.
    """

    kind: str
    image: str
    overlay: str


@dataclass(frozen=True)
class Token:
    """A piece of a note and how much it moved the risk.

    Attributes:
        text: The piece, with the space that precedes it.
        strength: 0 to 1, relative to the strongest of the note, or to 0.01 of the score if that
            is more.
        raises: Whether it raised the risk.
    """

    text: str
    strength: float
    raises: bool


@dataclass(frozen=True)
class ExamView:
    """One visit of an example patient."""

    day: float
    views: tuple[ViewPair, ...]
    tokens: tuple[Token, ...]
    attention: tuple[Token, ...]
    text: str
    withheld: bool
    missing: tuple[str, ...]


@dataclass(frozen=True)
class Change:
    """What the last visit changed.

    Attributes:
        since: Day of the visit before.
        moved: By how much the score differs from then.
        steps: What moved it and by how much; they sum to `moved`.
    """

    since: float
    moved: float
    steps: tuple[tuple[str, float], ...]


@dataclass(frozen=True)
class Sum:
    """What weights were to sum to, and what they do."""

    expected: float
    found: float


@dataclass(frozen=True)
class Example:
    """An example patient, by number only."""

    label: str
    why: str
    risk: float | None
    landmark: float | None
    outcome: str
    exams: tuple[ExamView, ...]
    risks: tuple[tuple[float, float], ...] = ()
    change: Change | None = None
    parts: tuple[tuple[str, float], ...] = ()
    parts_sum: Sum | None = None
    parts_exact: bool = True
    words_sum: Sum | None = None

    @property
    def missing(self) -> str:
        """What was missing, visit by visit, as a sentence."""
        lacking = [
            f"visit {number} lacks {', '.join(exam.missing)}"
            for number, exam in enumerate(self.exams, start=1)
            if exam.missing
        ]
        told = "; ".join(lacking)
        return f"{told[0].upper()}{told[1:]}." if told else "Nothing that the model reads."


def read_examples(explanations: Mapping[str, Any], folder: Path) -> tuple[Example, ...]:
    """The patients of `explanations.json`; an image that cannot be read is left out.

    Args:
        explanations: Its contents.
        folder: Where its images stand; nothing outside is opened.
    """
    return tuple(
        Example(
            label=f"Patient {number}",
            why=str(node.get("why", "")),
            risk=_number(node.get("risk")),
            landmark=_number(node.get("landmark")),
            outcome=str(node.get("outcome", "")),
            exams=tuple(_exam(exam, folder) for exam in node.get("exams", ())),
            risks=tuple((float(one["day"]), float(one["risk"])) for one in node.get("risks", ())),
            change=_change(node.get("change")),
            **_parts(node.get("parts") or {}),
            words_sum=_sum(node.get("words") or {}),
        )
        for number, node in enumerate(explanations.get("patients", ()), start=1)
    )


def map_checks(explanations: Mapping[str, Any]) -> Table | None:
    """What is known of the maps' worth where lesions are known."""
    checks = explanations.get("checks") or {}
    rows: list[tuple[Cell, ...]] = []
    for one in checks.get("pointing") or ():
        if "views" not in one:
            return None
        hits = f"{float(one['hits']):g} of {int(one['views'])}"
        rows.append((str(one["name"]), hits, *_pair_of(one)))
    rows += [(str(one["name"]), None, *_pair_of(one)) for one in checks.get("beyond") or ()]
    if not rows:
        return None
    women = next((int(one["patients"]) for one in checks["pointing"] if "patients" in one), 0)
    of = f", {women} patients" if women else ""
    return Table(
        "map-checks",
        f"Whether the maps find the simulated lesions{of}",
        _CHECKS,
        tuple(rows),
        (
            "A hit is a map that peaks on the lesion. Overlap is the lesion’s with as many of the "
            "map’s brightest pixels, over both together. Chance is a random point of the breast, "
            "or a disc there. Intervals are by patient.",
        ),
    )


_CHECKS = (
    Column("maps"),
    Column("hits", style="text"),
    Column("share", style="number"),
    Column("overlap (IoU)", "overlap", style="number"),
)


def _pair_of(node: Mapping[str, Any]) -> tuple[Cell, Cell]:
    share, overlap = node.get("share"), node.get("overlap")
    return (
        None if share is None else Estimate.of(share),
        None if overlap is None else Estimate.of(overlap),
    )


def likeness(explanations: Mapping[str, Any]) -> str:
    """How alike the maps of shuffled weights are, as a sentence; empty where nobody knows."""
    found = (explanations.get("checks") or {}).get("likeness")
    if found is None:
        return ""
    return (
        f"Rank correlation of the maps with those of shuffled weights: {printed(float(found))}. "
        "Near 0 is good; near 1 says that they do not show what was learned."
    )


def _change(node: Mapping[str, Any] | None) -> Change | None:
    if not node:
        return None
    steps = tuple((_STEPS.get(str(one["what"]), ""), float(one["moved"])) for one in node["steps"])
    return Change(float(node["since"]), float(node["now"]) - float(node["then"]), steps)


def _parts(node: Mapping[str, Any]) -> dict[str, Any]:
    weights = tuple((str(name), float(weight)) for name, weight in node.get("weights", ()))
    total = sum(weight for _, weight in weights)
    found = _sum({**node, "sum": total}) if weights else None
    return {"parts": weights, "parts_sum": found, "parts_exact": bool(node.get("exact", True))}


def _sum(node: Mapping[str, Any]) -> Sum | None:
    if not node:
        return None
    return Sum(float(node["score"]) - float(node["baseline"]), float(node["sum"]))


def _exam(node: Mapping[str, Any], folder: Path) -> ExamView:
    views = (_pair(view, folder) for view in node.get("views", ()))
    return ExamView(
        day=float(node["day"]),
        views=tuple(view for view in views if view is not None),
        tokens=_tokens(node.get("tokens") or (), _LEAST),
        attention=_tokens(node.get("attention") or ()),
        text=str(node.get("text") or ""),
        withheld=bool(node.get("withheld")),
        missing=tuple(str(one) for one in node.get("missing", ())),
    )


def _pair(node: Mapping[str, Any], folder: Path) -> ViewPair | None:
    image = jpeg_uri(inside(folder, node.get("image")), _SIDE)
    if not image:
        return None
    return ViewPair(str(node["kind"]), image, _png_uri(inside(folder, node.get("map"))))


def _tokens(nodes: Sequence[Sequence[Any]], least: float = 1e-30) -> tuple[Token, ...]:
    """The pieces with their colour; weights far below `least` have none."""
    strongest = max([least, *(abs(float(weight)) for _, weight in nodes)])
    return tuple(
        Token(str(text), round(abs(float(weight)) / strongest, 3), float(weight) > 0)
        for text, weight in nodes
    )


def inside(folder: Path, name: str | None) -> Path | None:
    """The file, unless its name leads out of the folder."""
    if not name:
        return None
    path = (folder / name).resolve()
    return path if path.is_relative_to(folder.resolve()) and path.is_file() else None


def jpeg_uri(path: Path | None, side: int) -> str:
    """An image as a grey JPEG of at most `side` pixels; empty where it cannot be read."""
    if path is None:
        return ""
    try:
        with Image.open(path) as image:
            grey = image.convert("L")
            grey.thumbnail((side, side))
    except (UnidentifiedImageError, OSError):
        return ""
    buffer = io.BytesIO()
    grey.save(buffer, "JPEG", quality=_QUALITY, optimize=True)
    return f"data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode()}"


def _png_uri(path: Path | None) -> str:
    if path is None:
        return ""
    try:
        with Image.open(path) as image:
            image.thumbnail((64, 64))
            buffer = io.BytesIO()
            image.convert("RGBA").save(buffer, "PNG", optimize=True)
    except (UnidentifiedImageError, OSError):
        return ""
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"


def _number(value: float | int | None) -> float | None:
    return None if value is None else float(value)
