"""Example patients: mammograms with what the model looked at, notes with what it read."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image, UnidentifiedImageError

from sequela.report.estimates import printed

_SIDE = 288  # pixels; what a phone shows of one of two columns
_QUALITY = 82


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
        strength: 0 to 1, relative to the strongest of the note.
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
    text: str
    withheld: bool


@dataclass(frozen=True)
class Example:
    """An example patient, by number only."""

    label: str
    why: str
    risk: float | None
    landmark: float | None
    outcome: str
    exams: tuple[ExamView, ...]


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
        )
        for number, node in enumerate(explanations.get("patients", ()), start=1)
    )


def map_checks(explanations: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What is known of the maps' worth: (question, answer)."""
    checks = explanations.get("checks") or {}
    rows = [
        (
            f"Maps that peak on the simulated lesion, {one['name']}",
            f"{one['hits']:g} of {int(one['views'])}",
        )
        for one in checks.get("pointing", ())
    ]
    if checks.get("likeness") is not None:
        question = "Rank correlation with the maps of shuffled weights (near 0 is good)"
        rows.append((question, printed(float(checks["likeness"]))))
    return rows


def _exam(node: Mapping[str, Any], folder: Path) -> ExamView:
    views = (_pair(view, folder) for view in node.get("views", ()))
    return ExamView(
        day=float(node["day"]),
        views=tuple(view for view in views if view is not None),
        tokens=_tokens(node.get("tokens") or ()),
        text=str(node.get("text") or ""),
        withheld=bool(node.get("withheld")),
    )


def _pair(node: Mapping[str, Any], folder: Path) -> ViewPair | None:
    image = jpeg_uri(_inside(folder, node.get("image")), _SIDE)
    if not image:
        return None
    return ViewPair(str(node["kind"]), image, _png_uri(_inside(folder, node.get("map"))))


def _tokens(nodes: Sequence[Sequence[Any]]) -> tuple[Token, ...]:
    strongest = max((abs(float(weight)) for _, weight in nodes), default=0.0) or 1.0
    return tuple(
        Token(str(text), round(abs(float(weight)) / strongest, 3), float(weight) > 0)
        for text, weight in nodes
    )


def _inside(folder: Path, name: str | None) -> Path | None:
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
