from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from sequela.audit import predictability as module
from sequela.audit.labels import Labelled
from sequela.audit.predictability import predictability
from sequela.cohort.patient import Case
from sequela.errors import UndefinedMetricError


def labelled(event: np.ndarray, weight: np.ndarray | None = None, rows: int = 1) -> Labelled:
    cases = tuple(Case(str(number // rows), 0.0, ()) for number in range(len(event)))
    weights = np.ones(len(event)) if weight is None else weight
    return Labelled(cases, event, weights, np.arange(len(event)) // rows, None)


def test_pairs_within_one_fold_give_the_weighted_auc() -> None:
    generator = np.random.default_rng(1)
    risk = generator.integers(0, 9, 200).astype(float)
    event, weight = generator.random(200) < 0.4, generator.random(200) + 0.1
    given = labelled(event, weight)
    value, influence = module._auc_within(risk, np.zeros(200, dtype=np.int64), given)
    assert value == pytest.approx(roc_auc_score(event, risk, sample_weight=weight), rel=1e-12)
    assert influence[event].sum() == pytest.approx(0, abs=1e-12)


def test_unweighted_single_rows_have_delongs_error() -> None:
    from sequela.evaluation.delong import delong

    generator = np.random.default_rng(2)
    risk, event = generator.normal(size=400), generator.random(400) < 0.4
    influence = module._auc_within(risk, np.zeros(400, dtype=np.int64), labelled(event))[1]
    variance = delong(risk[None], event, one_row_a_patient=True).covariance[0, 0]
    assert (influence**2).sum() == pytest.approx(variance, rel=0.02)


def test_what_tells_is_found_and_noise_is_not() -> None:
    generator = np.random.default_rng(3)
    event = generator.random(300) < 0.4
    noise = generator.normal(size=(300, 2))
    assert predictability(noise, labelled(event)).low < 0.5
    telling = np.column_stack([noise, event + generator.normal(size=300)])
    assert predictability(telling, labelled(event)).low > 0.6


def test_a_patients_rows_are_never_on_both_sides() -> None:
    generator = np.random.default_rng(4)
    event = np.repeat(generator.random(100) < 0.5, 8)
    identity = np.repeat(generator.normal(size=100), 8)[:, None]
    # The number names the patient: with rows on both sides it would tell the label.
    assert predictability(identity, labelled(event, rows=8)).low < 0.5


def test_few_events_are_refused() -> None:
    event = np.arange(100) < 19
    with pytest.raises(UndefinedMetricError, match="found 19 and 81"):
        predictability(np.zeros((100, 1)), labelled(event))
