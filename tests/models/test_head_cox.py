from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
import torch
from lifelines import AalenJohansenFitter, CoxPHFitter

from sequela.errors import UndefinedMetricError
from sequela.models.heads import CoxHead, CoxHeadConfig, completed, fit_head, head_from_state
from sequela.survival.followup import Followup


def patients(count: int = 400, rival: float = np.inf) -> tuple[torch.Tensor, Followup]:
    """The hazard of the event goes with a number; that of its rival is the same for all."""
    random = np.random.default_rng(0)
    number = random.normal(size=count)
    time = random.exponential(800 * np.exp(-0.7 * number))
    other = random.exponential(rival, count) if np.isfinite(rival) else np.full(count, np.inf)
    last = random.uniform(300, 2000, count)
    event = np.where(np.minimum(time, other) <= last, np.where(time < other, 1, 2), 0)
    times = np.minimum(np.minimum(time, other), last)
    return torch.from_numpy(number)[:, None], Followup(times, event)


def test_probabilities_are_those_of_lifelines_cox() -> None:
    number, train = patients()
    frame = pd.DataFrame({"x": number[:, 0], "time": train.time, "event": train.event})
    reference = CoxPHFitter().fit(frame, "time", "event")
    logits = number * float(reference.params_["x"])
    head = CoxHead(None).with_baseline(logits, train)
    days = tuple(np.sort(train.time[train.event == 1])[[50, 150]].tolist())
    expected = reference.predict_survival_function(frame, times=days).to_numpy().T
    np.testing.assert_allclose(head.survival(logits, days), expected, rtol=1e-6)
    np.testing.assert_allclose(
        head.loss(logits, train).item() * train.event.sum(), -reference.log_likelihood_, rtol=1e-6
    )


def test_a_horizon_is_the_end_of_what_is_looked_at() -> None:
    number, train = patients()
    cut = Followup(np.minimum(train.time, 500), np.where(train.time <= 500, train.event, 0))
    head = CoxHead(500.0)
    torch.testing.assert_close(head.loss(number, train), CoxHead(None).loss(number, cut))
    fitted = head.with_baseline(number, train)
    torch.testing.assert_close(fitted.risk(number), 1 - fitted.survival(number, (500.0,))[:, 0])
    with pytest.raises(UndefinedMetricError, match="up to 500 days"):
        fitted.survival(number, (501.0,))


def test_mean_incidence_among_training_patients_is_what_was_seen_with_a_rival() -> None:
    number, train = patients(3000, rival=900.0)
    head = CoxHead(900.0).with_baseline(0.7 * number, train)
    seen = AalenJohansenFitter(calculate_variance=False).fit(train.time, train.event, 1)
    assert head.risk(0.7 * number).mean().item() == pytest.approx(seen.predict(900.0), abs=0.02)


def test_a_baseline_changes_no_order_and_nothing_of_a_shift() -> None:
    number, train = patients(rival=900.0)
    bare, fitted = CoxHead(900.0), CoxHead(900.0).with_baseline(number, train)
    order = bare.risk(number).argsort()
    assert torch.equal(fitted.risk(number).argsort(), order)
    assert torch.equal(CoxHead(None).with_baseline(number, train).risk(number).argsort(), order)
    shifted = CoxHead(900.0).with_baseline(number + 40, train)
    torch.testing.assert_close(shifted.risk(number + 40), fitted.risk(number))


def test_before_its_baseline_it_tells_no_probability() -> None:
    with pytest.raises(UndefinedMetricError, match="before its baseline"):
        CoxHead(900.0).survival(torch.zeros(1, 1), (900.0,))
    assert CoxHead(900.0).grid == ()


@pytest.mark.parametrize("horizon", [None, 700.0])
def test_it_comes_back_from_its_state_as_json(horizon: float | None) -> None:
    number, train = patients(rival=900.0)
    bare = fit_head(CoxHeadConfig(), train, horizon)
    head = completed(bare, lambda: number, train)
    assert head != bare
    for one in (bare, head):
        assert head_from_state(json.loads(json.dumps(one.state()))) == one
