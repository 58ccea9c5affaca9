from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sksurv.metrics import concordance_index_ipcw
from sksurv.util import Surv

from sequela.errors import UndefinedMetricError
from sequela.survival import dominance
from sequela.survival.concordance import concordance

ROUNDED = 5.1e-5  # torchsurv keeps four decimals


def counted(time: np.ndarray, event: np.ndarray, risk: np.ndarray) -> tuple[float, ...]:
    """Every pair looked at, one after another."""
    concordant = discordant = tied = tied_time = tied_both = 0.0
    for i in range(len(time)):
        for j in range(len(time)):
            if i < j and time[i] == time[j] and event[i] and event[j]:
                tied_both += risk[i] == risk[j]
                tied_time += risk[i] != risk[j]
            if event[i] and (time[i] < time[j] or (time[i] == time[j] and not event[j])):
                concordant += risk[i] > risk[j]
                discordant += risk[i] < risk[j]
                tied += risk[i] == risk[j]
    return concordant, discordant, tied, tied_time, tied_both


def test_who_has_not_entered_is_not_compared(made: Any) -> None:
    risk = np.round(made.covariates[:, 0])
    entry = np.where(made.entry > 3, made.entry, -1.0)
    found = concordance(made.time, made.event == 1, risk, entry=entry)
    concordant = discordant = tied = 0
    for i in np.flatnonzero(made.event == 1):
        outlived = (made.time > made.time[i]) | ((made.time == made.time[i]) & (made.event != 1))
        there = outlived & (entry < made.time[i])
        concordant += (risk[i] > risk[there]).sum()
        discordant += (risk[i] < risk[there]).sum()
        tied += (risk[i] == risk[there]).sum()
    assert (found.concordant, found.discordant, found.tied_risk) == (concordant, discordant, tied)
    assert found.influence is not None
    assert found.influence.sum() == pytest.approx(0, abs=1e-9)
    early = concordance(made.time, made.event == 1, risk, entry=np.full(len(risk), -1.0))
    assert early.value == concordance(made.time, made.event == 1, risk).value


patients = st.lists(
    st.tuples(st.integers(0, 6), st.booleans(), st.integers(0, 4)), min_size=2, max_size=25
)


@settings(max_examples=120, deadline=None)
@given(patients)
def test_the_five_counts_are_those_of_all_pairs(rows: list[tuple[int, bool, int]]) -> None:
    time, event, risk = (np.array(column) for column in zip(*rows, strict=True))
    expected = counted(time, event, risk)
    if sum(expected[:3]) == 0:
        with pytest.raises(UndefinedMetricError):
            concordance(time.astype(float), event, risk.astype(float))
        return
    found = concordance(time.astype(float), event, risk.astype(float))
    counts = (found.concordant, found.discordant, found.tied_risk)
    assert (*counts, found.tied_time, found.tied_both) == expected
    assert abs(found.influence.sum()) < 1e-9


@pytest.mark.parametrize("leaf", [4, 64, 256])
@pytest.mark.parametrize("count", [1, 2, 3, 5, 8, 33, 100, 257, 2100])
def test_what_came_earlier_and_is_smaller_is_counted_right(
    count: int, leaf: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With small leaves, rows of a thousand go through every level that millions do."""
    monkeypatch.setattr(dominance, "_LEAF", leaf)
    monkeypatch.setattr(dominance, "_LIGHT_LEAF", leaf)
    generator = np.random.default_rng(count)
    values, weight = generator.permutation(count), generator.random(count)
    smaller = np.tril(values[None, :] < values[:, None], -1)
    np.testing.assert_array_equal(dominance.earlier_and_smaller(values), smaller.sum(axis=1))
    found = dominance.earlier_and_smaller(values, weight)
    np.testing.assert_allclose(found, smaller @ weight, rtol=1e-10, atol=1e-12)


def test_turning_the_risk_around_turns_c_around_and_monotone_maps_change_nothing(
    made: Any,
) -> None:
    risk = np.round(made.covariates[:, 0], 1)
    there = concordance(made.time, made.event == 1, risk)
    back = concordance(made.time, made.event == 1, -risk)
    bent = concordance(made.time, made.event == 1, np.exp(3 * risk))
    assert there.value + back.value == pytest.approx(1.0)
    assert there.value == bent.value
    assert there.standard_error() == pytest.approx(back.standard_error())


def test_rows_that_stand_twice_add_nothing_once_they_are_one_patient(made: Any) -> None:
    risk = made.covariates[:, 0]
    once = concordance(made.time, made.event == 1, risk)
    twice = np.tile(np.arange(len(risk)), 2)
    doubled = concordance(made.time[twice], made.event[twice] == 1, risk[twice])
    assert doubled.value == pytest.approx(once.value)
    assert doubled.standard_error(twice) == pytest.approx(once.standard_error())


def test_uno_agrees_with_scikit_survival(made: Any) -> None:
    event = made.event > 0
    risk = made.covariates[:, 0]
    times = made.time + np.linspace(0, 0.4, len(risk))  # without ties conventions agree
    horizon = 40.0
    theirs = concordance_index_ipcw(
        Surv.from_arrays(event, times), Surv.from_arrays(event, times), risk, tau=horizon
    )[0]
    ours = concordance(times, event, risk, pairs="uno", horizon=horizon)
    assert ours.value == pytest.approx(theirs, rel=1e-10)


def test_torchsurv_has_the_same_c(shared_reference: Path) -> None:
    path = shared_reference / "torchsurv" / "benchmark_cindex.json"
    for case in json.loads(path.read_text()):
        time = np.array(case["test_time"], dtype=float)
        event = np.array(case["test_status"]) == 1
        found = concordance(time, event, np.array(case["estimate"], dtype=float))
        assert found.value == pytest.approx(case["c_Harrell_survival"][0], abs=ROUNDED)


def test_unos_c_of_patients_who_enter_late_is_that_of_the_whole_population() -> None:
    """Half of a population is seen late, those who died before are never seen; C stays."""
    generator = np.random.default_rng(2)
    count = 30_000
    risk = generator.normal(size=count)
    time = generator.weibull(1.5, count) * 10 * np.exp(-1.5 * risk)
    entry = np.where(generator.random(count) < 0.3, 0.0, generator.uniform(0, 15, count))
    censor = entry + generator.uniform(0, 20, count)
    seen = entry < time
    last, event = np.minimum(time, censor), time <= censor
    whole = concordance(time, np.full(count, True), risk, horizon=12.0, influence=False).value
    blind = concordance(last[seen], event[seen], risk[seen], pairs="uno", horizon=12.0).value
    late = concordance(
        last[seen], event[seen], risk[seen], entry=entry[seen], pairs="uno", horizon=12.0
    ).value
    assert late == pytest.approx(whole, abs=0.008)
    assert abs(blind - whole) > 0.015
