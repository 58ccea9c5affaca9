"""The checks of claims are printed as they came out, the bad news too."""

from __future__ import annotations

from typing import Any

import pytest

from sequela.report.claim_checks import claim_tables, in_short


def number(value: float, half: float = 0.05) -> dict[str, Any]:
    return {"value": value, "low": value - half, "high": value + half, "reason": ""}


def deleted(random: float, shuffled: float) -> dict[str, Any]:
    most = 0.4
    names = {"most": most, "random": random, "least": 0.0, "shuffled": shuffled}
    beyond = {f"beyond_{name}": number(most - value) for name, value in names.items()}
    changed = {name: number(value) for name, value in names.items()}
    one = {"source": "slide", "share": 0.1, "patients": 30, **changed, **beyond}
    return {"checks": {"deletion": [one]}}


@pytest.mark.parametrize(
    ("random", "shuffled", "said"),
    [
        (0.1, 0.1, "more than what shuffled weights look at"),
        (0.1, 0.39, "how the model is built, not what it has learned"),
        (0.38, 0.1, "do not say what moved the risk"),
    ],
)
def test_a_sentence_says_what_came_out(random: float, shuffled: float, said: str) -> None:
    (sentence,) = in_short(deleted(random, shuffled))
    assert said in sentence
    assert "10% of patches" in sentence


def test_a_share_that_says_otherwise_is_not_kept_back() -> None:
    first, second = (deleted(random, 0.1)["checks"]["deletion"][0] for random in (0.1, 0.39))
    found = {"checks": {"deletion": [first, {**second, "share": 0.3}]}}
    (sentence,) = in_short(found)
    assert sentence.endswith("At 30% no difference from chance is shown.")


def test_each_source_and_share_is_a_row_with_its_controls() -> None:
    (table,) = claim_tables(deleted(0.1, 0.2))
    what, *numbers = table.rows[0]
    assert what == "10% of patches"
    assert [one.value for one in numbers] == pytest.approx([0.4, 0.1, 0.0, 0.2, 0.3, 0.2])


def test_maps_of_images_are_another_tables() -> None:
    pointing = [{"name": "as trained", "hits": 3.0, "views": 4, "patients": 2}]
    assert claim_tables({"checks": {"pointing": pointing}}) == ()
    assert claim_tables({}) == ()
