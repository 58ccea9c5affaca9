"""The forest plot's labels end left of its axis, however wide their letters are."""

from __future__ import annotations

import re

from sequela.report.estimates import Estimate
from sequela.report.subgroups import _GAP, Group, Subgroups, _width, forest_figure
from sequela.report.svg import styled

NUMBER = Estimate.of({"value": 0.7, "low": 0.6, "high": 0.8, "level": 0.95, "method": "Wald"})


def test_labels_of_wide_letters_do_not_touch_the_axis() -> None:
    names = ("WOMMAMOGRAMM WWW GMBH", "lilliil")
    groups = tuple(Group(name, 50, 9, {"harrell_c": NUMBER}) for name in names)
    drawn = forest_figure([Subgroups("lumin", "vendor", groups)], "harrell_c", 0.5, "forest")
    neutral = re.search(r'd="M ([\d.]+) [\d.]+ L \1 [^>]*stroke-dasharray', drawn)
    assert neutral is not None
    labels = re.findall(r'text-anchor: start[^>]*x="([\d.]+)"[^>]*>([^<]*)', drawn)
    assert len(labels) == 3
    with styled():
        ends = [float(left) + _width(text) for left, text in labels]
        assert _width("WOMMA") > 2 * _width("lilli")
    assert all(end < float(neutral[1]) - _GAP / 2 for end in ends)
