from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree

from sequela.report.patient_figures import bars_figure
from sequela.report.survival_curves import Curve, survival_figure
from sequela.report.svg import COLOURS

CURVES = (
    Curve("high", "kaplan-meier", [0.0, 100.0], [1.0, 0.6], [None, 0.4], [None, 0.8], [(0.0, 9)]),
    Curve("low", "kaplan-meier", [0.0, 100.0], [1.0, 0.9], [None, 0.8], [None, 1.0], [(0.0, 8)]),
)


def drawn(name: str = "km") -> str:
    return survival_figure(CURVES, name, 'a "<b>" & c', "<i>event</i>")


def test_a_drawing_takes_every_colour_from_the_page() -> None:
    drawing = drawn()
    assert "var(--series-1)" in drawing
    assert "var(--series-2)" in drawing
    assert not [colour for colour in COLOURS.values() if colour in drawing]
    assert "#000000" not in drawing
    assert "#ffffff" not in drawing


def test_a_drawing_is_well_formed_and_escaped() -> None:
    root = ElementTree.fromstring(drawn())
    assert 'a "<b>" & c' in root.attrib["aria-label"]
    assert root.find(".//i") is None
    assert any("<i>event</i>" in (text.text or "") for text in root.iter("text"))


def test_two_drawings_share_no_id() -> None:
    ids = [
        {
            element.attrib["id"]
            for element in ElementTree.fromstring(drawn(name)).iter()
            if "id" in element.attrib
        }
        for name in ("first", "second")
    ]
    assert ids[0]
    assert not ids[0] & ids[1]


def test_drawing_again_gives_the_same_text() -> None:
    assert drawn() == drawn()


def test_numbers_at_risk_are_written() -> None:
    root = ElementTree.fromstring(drawn())
    assert {"9", "8", "high", "low", "at risk"} <= {text.text for text in root.iter("text")}


def test_what_is_written_is_not_cut_as_places_are() -> None:
    drawing = bars_figure([("slide", 0.0053), ("genes", -0.0021)], "small", "Small moves")
    ticks = set(re.findall(r">([−-]?0\.\d+)</text>", drawing))
    assert "0.0025" in ticks
    assert not re.search(r'[ "(]\d+\.\d{3}', re.sub(r">[^<]*<", "><", drawing))
