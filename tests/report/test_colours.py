"""Whoever reads the page can read it: contrast of at least 4.5 in both schemes (WCAG 2.2 AA)."""

from __future__ import annotations

import re
from importlib import resources
from itertools import product

import pytest

CSS = resources.files("sequela.report").joinpath("templates/page.css").read_text(encoding="utf-8")
BLOCKS = dict(zip(("light", "dark"), re.findall(r":root \{(.*?)\}", CSS, re.DOTALL), strict=True))
Colour = tuple[float, ...]


def colours(scheme: str) -> dict[str, Colour]:
    named = re.findall(r"--([\w-]+): #([0-9a-f]{6})", BLOCKS[scheme])
    tints = re.findall(r"--(tint-\d): (\d+) (\d+) (\d+)", BLOCKS[scheme])
    return {
        **{name: tuple(int(text[i : i + 2], 16) for i in (0, 2, 4)) for name, text in named},
        **{name: tuple(map(float, values)) for name, *values in tints},
    }


def luminance(colour: Colour) -> float:
    parts = [channel / 255 for channel in colour]
    linear = [
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: Colour, other: Colour) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def laid_over(tint: Colour, ground: Colour, share: float) -> Colour:
    return tuple(share * top + (1 - share) * below for top, below in zip(tint, ground, strict=True))


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out(scheme: str) -> None:
    found = colours(scheme)
    texts = ("ink", "muted", "link", "series-1", "series-2", "series-3")
    for text, ground in product(texts, ("paper", "ground")):
        assert contrast(found[text], found[ground]) >= 4.5, (text, ground)
    assert contrast(found["warn-ink"], found["warn"]) >= 4.5


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_on_the_deepest_shade(scheme: str) -> None:
    found = colours(scheme)
    for tint, ground in product(("tint-1", "tint-2"), ("paper", "ground")):
        shade = laid_over(found[tint], found[ground], 0.42)
        assert contrast(found["ink"], shade) >= 4.5, (tint, ground)
    for tint in ("tint-1", "tint-2"):
        assert contrast(found["muted"], laid_over(found[tint], found["paper"], 0.13)) >= 4.5, tint
