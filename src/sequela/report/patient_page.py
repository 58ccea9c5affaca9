"""A page a patient who is seen once: modalities, report with its evidence, claims with maps."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from PIL import Image, UnidentifiedImageError

from sequela import __version__
from sequela.report.claim_checks import claim_tables, in_short
from sequela.report.estimates import Footnotes, printed
from sequela.report.explanation import inside
from sequela.report.patient_figures import bars_figure
from sequela.storage import write_text

MODALITIES = {
    "slide": ("slide", "patches"),
    "genes": ("expression", "genes"),
    "mutation": ("mutations", "genes"),
    "copy_number": ("copy number", "genes"),
    "report": ("pathology report", "fields"),
    "clinical": ("clinical covariates", "covariates"),
}
"""What a reader calls each modality, and what it is counted in."""
_FILE_NAME = "explanations.json"
_LARGEST = 480  # pixels of a picture


@dataclass(frozen=True)
class Modality:
    """A modality that the model reads, and what the patient has of it."""

    name: str
    there: bool
    amount: str
    moved: float | None


@dataclass(frozen=True)
class ClaimView:
    """A claim, and what it looks at most.

    Attributes:
        text: The claim.
        citation: Where it is from.
        raises: Whether what it speaks of marks a higher risk.
        spread: How far its look is spread, as a sentence.
        map: Of patches, as a data URI; empty where there is none.
        patches: Caption and picture of those most looked at; a picture may be empty.
        sets: Gene sets, the share of the look, and that share relative to the largest.
    """

    text: str
    citation: str
    raises: bool
    spread: str
    map: str
    patches: tuple[tuple[str, str], ...]
    sets: tuple[tuple[str, float, float], ...]


def write_patient_pages(folder: Path, title: str, *, synthetic: bool) -> list[Path]:
    """Write `patient-N.html` of every patient of an `explanations.json`.

    Args:
        folder: With `explanations.json` and its pictures; takes the pages.
        title: Of the cohort.
        synthetic: Whether no patient is real.

    Returns:
        The pages; none where the explanation is of patients with exams, whom the report shows.
    """
    found = json.loads((folder / _FILE_NAME).read_text(encoding="utf-8"))
    if not of_patients_seen_once(found):
        return []
    template = _environment().get_template("patient.html")
    shared = {"version": __version__, "title": title, "synthetic": synthetic, **_worth(found)}
    pages = []
    for number, node in enumerate(found["patients"], start=1):
        pages.append(folder / page_name(number))
        write_text(pages[-1], template.render(**shared, **_patient(node, number, folder)))
    return pages


def of_patients_seen_once(found: Mapping[str, Any]) -> bool:
    """Whether an `explanations.json` is of patients who are seen once, who have pages."""
    return found.get("seen") == "once"


def page_name(number: int) -> str:
    """The file of a patient's page."""
    return f"patient-{number}.html"


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("sequela.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(footnotes=Footnotes)
    environment.filters.update(printed=printed)
    return environment


def _worth(found: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "run": str(found.get("run", "")),
        "claim_tables": claim_tables(found),
        "in_short": in_short(found),
    }


def _patient(node: Mapping[str, Any], number: int, folder: Path) -> dict[str, Any]:
    claims = node.get("claims", ())
    weights = dict(node["shapley"]["weights"])
    return {
        "label": f"Patient {number}",
        "why": str(node.get("why", "")),
        "outcome": str(node.get("outcome", "")),
        "rank": rank_in_words(node),
        "seeds": _seeds(node),
        "survival": [
            (f"{year:g} year{'s' if year > 1 else ''}", p) for year, p in node["survival"]
        ],
        "modalities": [_modality(one, weights) for one in node["modalities"]],
        "missing": missing(node),
        "moved": float(sum(weights.values())),
        "expected": float(node["shapley"]["score"] - node["shapley"]["baseline"]),
        "shapley": _bars(weights, f"Patient {number}"),
        "report": node["report"],
        "slides": [
            uri
            for name in node.get("slides", ())
            if (uri := picture_uri(inside(folder, str(name)), "JPEG"))
        ],
        "slide_claims": [_claim(one, folder) for one in claims if one["source"] == "slide"],
        "gene_claims": [
            (
                MODALITIES[source][0],
                [_claim(one, folder) for one in claims if one["source"] == source],
            )
            for source in dict.fromkeys(one["source"] for one in claims)
            if source != "slide"
        ],
    }


def rank_in_words(node: Mapping[str, Any]) -> str:
    """Where the risk stands among the test patients, as a sentence."""
    below, of = int(node["rank"]["below"]), int(node["rank"]["of"])
    return f"The predicted risk is higher than that of {below} of the {of} other test patients."


def missing(node: Mapping[str, Any]) -> str:
    """What was missing, as a sentence."""
    lacking = [MODALITIES[one["name"]][0] for one in node["modalities"] if not one["known"]]
    in_part = [
        f"{one['of'] - one['known']} of {one['of']} {MODALITIES[one['name']][1]}"
        f" of the {MODALITIES[one['name']][0]}"
        for one in node["modalities"]
        if one["name"] != "slide" and 0 < one["known"] < one["of"]
    ]
    told = "; ".join([*(f"no {name}" for name in lacking), *in_part])
    return f"{told[0].upper()}{told[1:]}." if told else "Nothing that the model reads."


def _seeds(node: Mapping[str, Any]) -> str:
    """How far other seeds say something else, as a sentence."""
    found = node.get("seeds")
    if not found:
        return "One seed was trained, so the prediction has no range."
    low, high = (int(end) for end in found["below"])
    return (
        f"Over {found['seeds']} seeds it is higher than that of {low} to {high}; this is the "
        "spread of training, not of chance in the patients."
    )


def _modality(node: Mapping[str, Any], weights: Mapping[str, float]) -> Modality:
    name, known, of = str(node["name"]), int(node["known"]), int(node["of"])
    label, unit = MODALITIES[name]
    amount = f"{known} of {of} {unit}"
    if name == "slide":
        slides = int(node.get("slides", 0))
        several = f" of {slides} slide{'s' if slides > 1 else ''}" if slides else ""
        amount = f"{printed(known, 'count')} patches{several}"
    moved = weights.get(name)
    return Modality(label, known > 0, amount if known else "", moved)


def _bars(weights: Mapping[str, float], who: str) -> Markup | None:
    if not weights:
        return None
    named = [(MODALITIES[name][0], weight) for name, weight in weights.items()]
    drawn = bars_figure(named, "modalities", f"What each modality moved the score of {who} by")
    return Markup(drawn)  # noqa: S704 matplotlib escapes the text it writes into an SVG


def _claim(node: Mapping[str, Any], folder: Path) -> ClaimView:
    of, half = int(node["of"]), int(node["half"])
    what = "patches" if node["source"] == "slide" else "gene sets"
    even = " (nearly evenly spread)" if half > 0.4 * of else ""
    sets = [(str(name), float(weight)) for name, weight in node.get("sets", ())]
    largest = max((weight for _, weight in sets), default=1.0)
    return ClaimView(
        text=str(node["text"]),
        citation=str(node["citation"]),
        raises=node["direction"] == "higher",
        spread=f"Half of its look falls on {half} of {of} {what}{even}.",
        map=picture_uri(inside(folder, node.get("map")), "PNG"),
        patches=tuple(_patch(one, of, folder) for one in node.get("patches", ())),
        sets=tuple((_plain(name), weight, weight / largest) for name, weight in sets),
    )


def _patch(node: Mapping[str, Any], of: int, folder: Path) -> tuple[str, str]:
    """Caption and picture of a patch; the share is told as multiples of an even look."""
    times = f"{float(node['weight']) * of:.1f} ×"
    known = node.get("x") is not None
    place = f"{times} at {node['x']:g}, {node['y']:g}" if known else times
    return place, picture_uri(inside(folder, node.get("image")), "JPEG")


def _plain(name: str) -> str:
    """A gene set's name for a reader."""
    return name.removeprefix("HALLMARK_").replace("_", " ")


def picture_uri(path: Path | None, kind: str) -> str:
    """A picture in its colours as a data URI; empty where it cannot be read.

    Args:
        path: Of the file.
        kind: `PNG`, for maps with clear tiles, or `JPEG`.
    """
    if path is None:
        return ""
    try:
        with Image.open(path) as image:
            shown = image.convert("RGBA" if kind == "PNG" else "RGB")
            shown.thumbnail((_LARGEST, _LARGEST))
    except (UnidentifiedImageError, OSError):
        return ""
    buffer = io.BytesIO()
    shown.save(buffer, kind, optimize=True)
    encoded = base64.b64encode(buffer.getvalue()).decode()
    return f"data:image/{kind.lower()};base64,{encoded}"


def overview(found: Mapping[str, Any], where: str) -> Sequence[Mapping[str, str]]:
    """An entry a patient, for the report: label, why, rank, outcome, what was missing, the page.

    Args:
        found: `explanations.json`.
        where: The folder of the pages, seen from the report.
    """
    if not of_patients_seen_once(found):
        return ()
    return [
        {
            "label": f"Patient {number}",
            "why": str(node.get("why", "")),
            "rank": rank_in_words(node),
            "outcome": str(node.get("outcome", "")),
            "missing": missing(node),
            "page": page_name(number),
            "link": f"{where}/{page_name(number)}",
        }
        for number, node in enumerate(found.get("patients", ()), start=1)
    ]
