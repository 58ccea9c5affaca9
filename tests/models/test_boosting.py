from __future__ import annotations

import numpy as np
from sklearn.tree import DecisionTreeRegressor
from sksurv.ensemble import GradientBoostingSurvivalAnalysis
from sksurv.util import Surv

from sequela.models.boosting import RATE, ROUNDS, BoostedHazard, Tree, _expected
from sequela.survival.concordance import concordance
from sequela.survival.followup import Followup


def patients(count: int = 400, seed: int = 0) -> tuple[np.ndarray, Followup]:
    """Risk jumps where the first number passes 0.5 and the second 0: no line tells that."""
    random = np.random.default_rng(seed)
    numbers = random.normal(size=(count, 3))
    log_hazard = 1.5 * ((numbers[:, 0] > 0.5) & (numbers[:, 1] > 0)) - 1.0 * (numbers[:, 1] < -1)
    time = random.exponential(1000 * np.exp(-log_hazard))
    last = random.uniform(500, 2500, count)
    return numbers, Followup(np.minimum(time, last), (time <= last).astype(int))


def test_a_tree_says_what_sklearns_says() -> None:
    numbers, train = patients()
    grown = DecisionTreeRegressor(max_depth=3, random_state=0).fit(numbers, train.time)
    parts = grown.tree_
    tree = Tree(
        *(tuple(part.tolist()) for part in (parts.feature, parts.threshold)),
        *(tuple(part.tolist()) for part in (parts.children_left, parts.children_right)),
        tuple(parts.value[:, 0, 0].tolist()),
    )
    np.testing.assert_allclose(tree(numbers), grown.predict(numbers))


def test_expected_events_sum_to_the_events_seen() -> None:
    """Martingale residuals under Breslow's baseline sum to 0, whatever the scores."""
    numbers, train = patients()
    expected = _expected(numbers[:, 0], train, train.event == 1)
    np.testing.assert_allclose(expected.sum(), train.event.sum())


def test_it_orders_new_patients_as_well_as_another_boosting_of_coxs_likelihood() -> None:
    numbers, train = patients()
    fitted = BoostedHazard.fit(numbers, train, train.event == 1)
    reference = GradientBoostingSurvivalAnalysis(
        n_estimators=ROUNDS, learning_rate=RATE, max_depth=2, random_state=0
    ).fit(numbers, Surv.from_arrays(train.event == 1, train.time))
    others, followup = patients(seed=1)
    ours, theirs = (
        concordance(followup.time, followup.event == 1, risk, influence=False).value
        for risk in (fitted.score(others), reference.predict(others))
    )
    line = concordance(followup.time, followup.event == 1, others[:, 0], influence=False).value
    assert ours > theirs - 0.01
    assert ours > line + 0.03


def test_numbers_that_tell_nothing_are_hardly_used() -> None:
    random = np.random.default_rng(0)
    _, train = patients()
    score = BoostedHazard.fit(random.normal(size=(400, 1)), train, train.event == 1).score(
        random.normal(size=(400, 1))
    )
    assert score.std() < 0.4
