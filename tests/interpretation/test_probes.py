from __future__ import annotations

import numpy as np
import pytest

from sequela.errors import UndefinedMetricError
from sequela.interpretation.probes import tells_apart, tells_event, told

GENERATOR = np.random.default_rng(0)
ROWS = 120
SOURCE = GENERATOR.normal(size=(ROWS, 12))
PATIENTS = [str(row) for row in range(ROWS)]


def test_planted_linear_information_is_found_and_absent_is_not() -> None:
    planted = SOURCE @ GENERATOR.normal(size=(12, 5)) + 4.0
    half = planted + planted.std() * GENERATOR.normal(size=planted.shape)
    nothing = GENERATOR.normal(size=(ROWS, 5))
    whole, some, none = told(SOURCE, [planted, half, nothing], PATIENTS)
    assert whole.value is not None and whole.value > 0.98
    assert some.low is not None and some.high is not None
    assert some.low < 0.5 < some.high + 0.1
    assert some.low > 0.2
    assert none.value is not None and none.value < 0.05


def test_what_is_not_linear_is_not_found() -> None:
    (found,) = told(SOURCE, [SOURCE[:, :2] ** 2], PATIENTS)
    assert found.value is not None and found.value < 0.1


def test_a_patient_never_stands_on_both_sides() -> None:
    """Rows that only name their patient would tell everything if she were."""
    twice = [str(row // 2) for row in range(ROWS)]
    name = np.repeat(GENERATOR.normal(size=(ROWS // 2, 12)), 2, axis=0)
    secret = np.repeat(GENERATOR.normal(size=(ROWS // 2, 1)), 2, axis=0)
    (found,) = told(name, [secret], twice)
    assert found.value is not None and found.value < 0.1


def test_two_kinds_are_told_apart_where_they_differ() -> None:
    which = np.arange(ROWS) % 2 == 0
    twice = [str(row // 2) for row in range(ROWS)]
    apart = tells_apart(SOURCE + 4.0 * which[:, None], which, twice)
    alike = tells_apart(SOURCE, which, twice)
    assert apart.value is not None and apart.value > 0.95
    assert alike.low is not None and alike.high is not None
    assert alike.low < 0.5 < alike.high


def test_the_outcome_is_told_where_it_stands() -> None:
    event = SOURCE[:, 0] + GENERATOR.normal(size=ROWS) > 0
    found = tells_event(SOURCE, event)
    nothing = tells_event(GENERATOR.normal(size=(ROWS, 12)), event)
    assert found.low is not None and found.low > 0.55
    assert nothing.low is not None and nothing.high is not None
    assert nothing.low < 0.5 < nothing.high


def test_too_few_are_not_probed() -> None:
    with pytest.raises(UndefinedMetricError, match="10 patients, got 9"):
        told(SOURCE[:9], [SOURCE[:9]], PATIENTS[:9])
    with pytest.raises(UndefinedMetricError, match="got 3 and"):
        tells_event(SOURCE, np.arange(ROWS) < 3)
