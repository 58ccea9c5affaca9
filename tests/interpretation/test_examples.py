from __future__ import annotations

import numpy as np
import pytest

from sequela.interpretation.examples import choose_examples

PATIENT = ["a", "a", "b", "c", "d", "e", "f"]
RISK = np.array([0.9, 0.8, 0.2, 0.1, 0.7, 0.95, 0.05])
EVENT = np.array([True, True, True, False, False, False, False])
KNOWN = np.array([True, True, True, True, True, False, False])


def test_the_rule_takes_each_extreme_by_turns() -> None:
    chosen = choose_examples(PATIENT, RISK, EVENT, KNOWN, 4)
    assert [PATIENT[choice.row] for choice in chosen] == ["a", "c", "b", "d"]
    assert chosen[2].why.startswith("A miss")


def test_nobody_whose_outcome_is_unknown_and_nobody_twice() -> None:
    chosen = choose_examples(PATIENT, RISK, EVENT, KNOWN, 20)
    patients = [PATIENT[choice.row] for choice in chosen]
    assert sorted(patients) == ["a", "b", "c", "d"]


@pytest.mark.parametrize("event", [True, False])
def test_without_events_or_without_the_others_the_rest_is_shown(event: bool) -> None:
    chosen = choose_examples(PATIENT, RISK, np.full(7, event), KNOWN, 4)
    assert len(chosen) == 2


def test_the_order_of_rows_changes_nothing() -> None:
    order = np.array([6, 3, 1, 5, 0, 2, 4])
    shuffled = choose_examples(
        [PATIENT[row] for row in order], RISK[order], EVENT[order], KNOWN[order], 4
    )
    straight = choose_examples(PATIENT, RISK, EVENT, KNOWN, 4)
    assert [order[choice.row] for choice in shuffled] == [choice.row for choice in straight]
