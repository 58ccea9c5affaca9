from __future__ import annotations

from typing import Any

import pytest

from sequela.report.over_time import Course, numbers_over_time, over_time_figure

ESTIMATE = {"value": 0.15, "low": 0.1, "high": 0.2, "reason": ""}


@pytest.fixture
def node() -> dict[str, Any]:
    days = [365.25, 730.5, 1095.75]
    lists = {
        f"{name}{end}": [0.8, 0.7, None] for name in ("auc", "ipa") for end in ("", "_low", "_high")
    }
    return {
        "marks": ["outcome-dependent sampling"],
        "over_time": {"time": days, **lists, "integrated_brier": ESTIMATE},
        "risk_groups": {"proportional_hazards": {"p": 0.04, "reason": ""}},
        "competing_risks": None,
    }


def test_numbers_are_those_of_the_json_and_say_why_they_lack(node: dict[str, Any]) -> None:
    found = numbers_over_time(node)
    assert found["integrated_brier"].value == 0.15
    assert found["proportional_hazards_p"].value == 0.04
    assert found["proportional_hazards_p"].marks == ("outcome-dependent sampling",)
    assert found["gray_p"].reason == found["competing_c"].reason == "no other cause competes"
    bare = numbers_over_time({})
    assert {one.reason for one in bare.values()} == {"it was not computed"}


def test_the_figure_shows_the_days_that_have_a_number(node: dict[str, Any]) -> None:
    assert Course.of(node["over_time"], "auc").years == [1.0, 2.0]
    drawing = over_time_figure(node, "over-time-0", "LUMIN")
    assert "AUC by 1.0 years 0.80, by 2.0 years 0.70" in drawing
    assert "Brier gain" in drawing
    assert over_time_figure({}, "over-time-0", "LUMIN") == ""
