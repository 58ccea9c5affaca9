from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import polars as pl
import pytest
from lifelines import AalenJohansenFitter, CoxPHFitter, KaplanMeierFitter

from sequela.cohort.gene_tables import GeneTable
from sequela.cohort.manifest import Covariate
from sequela.cohort.patient import Case, Exam, Text
from sequela.errors import DataError
from sequela.knowledge.schema import Evidence, Finding, StructuredReport
from sequela.models.baseline_numbers import BaselineInputs
from sequela.models.baselines import (
    BASELINES,
    BaselineName,
    baseline_from_state,
    fit_baseline,
)
from sequela.models.hazard_baselines import HazardBaseline
from sequela.survival.cox import fit_cox
from sequela.survival.followup import Followup
from sequela.survival.ridge_choice import chosen_ridges

CLINICAL = {
    "age": Covariate(kind="numeric"),
    "stage": Covariate(kind="categorical", levels=("I", "II", "III")),
}


BY_BLOCK = ("cox-expression-mean", "cox-report")
FAST = tuple(name for name in BASELINES if name not in BY_BLOCK)
"""A penalty a block takes its time to choose; what it is, changes nothing of these laws."""


def case(row: int, days: tuple[float, ...]) -> Case:
    words = "mass seen" if row % 2 else "no mass seen today"
    note = Text(f"t{row}", days[-1], days[-1], "note", words, "en")
    exams = tuple(
        Exam(f"e{row}-{day}", day, "MG", "", (), (note,) if day == days[-1] else ()) for day in days
    )
    return Case(f"p{row}", days[-1], exams)


def cohort(
    count: int = 300,
    causes: tuple[int, ...] = (1, 1, 1, 2),
    end: tuple[float, float] = (500.0, 2500.0),
) -> tuple[BaselineInputs, Followup]:
    """Older patients recur sooner; late landmarks later."""
    random = np.random.default_rng(0)
    age = random.normal(60, 10, count)
    landmark = random.uniform(200, 2000, count)
    log_hazard = 0.08 * (age - 60) - 0.001 * (landmark - 1000)
    time = random.exponential(1000 * np.exp(-log_hazard))
    last = random.uniform(*end, count)
    event = np.where(time <= last, random.choice(causes, count), 0)
    stages = random.choice(np.array(["I", "II", "III", None], dtype=object), count)
    covariates = pl.DataFrame({"age": age, "stage": stages.tolist()})
    days = [(0.0, day) if row % 3 else (day,) for row, day in enumerate(landmark)]
    cases = [case(row, pair) for row, pair in enumerate(days)]
    numbers = random.normal(size=(count, 40)).astype(np.float32)
    patients, genes = tuple(one.patient_id for one in cases), tuple(f"G{n}" for n in range(40))
    table = GeneTable("expression", "z", patients, genes, numbers)
    grades = random.integers(1, 5, count)
    reports = {
        patient: StructuredReport.of((Finding("grade", str(grade), Evidence(0, 1, "G")),))
        for patient, grade in zip(patients, grades, strict=True)
        if grade < 4
    }
    inputs = BaselineInputs(cases, covariates, {"expression": table}, reports)
    return inputs, Followup(np.minimum(time, last), event)


@pytest.mark.parametrize("name", BASELINES)
def test_a_baseline_comes_back_from_its_state_as_json(name: BaselineName) -> None:
    inputs, train = cohort(120 if name in BY_BLOCK else 300)
    fitted = fit_baseline(name, inputs, train, clinical=CLINICAL, horizon=1826.0)
    again = baseline_from_state(json.loads(json.dumps(fitted.state())))
    assert again == fitted
    np.testing.assert_array_equal(again.survival(inputs, (9.0,)), fitted.survival(inputs, (9.0,)))


@pytest.mark.parametrize("name", BASELINES)
def test_survival_falls_from_one_to_one_minus_risk(name: BaselineName) -> None:
    inputs, train = cohort(120 if name in BY_BLOCK else 300)
    fitted = fit_baseline(name, inputs, train, clinical=CLINICAL, horizon=1600.0)
    survival = fitted.survival(inputs, (0.0, 400.0, 800.0, 1600.0))
    assert (survival[:, 0] == 1).all() and (np.diff(survival) < 0).all()
    np.testing.assert_allclose(survival[:, 3], 1 - fitted.risk(inputs))


@pytest.mark.parametrize("name", FAST)
def test_by_the_last_day_nobody_has_a_share_in_two_causes(name: BaselineName) -> None:
    """One minus Kaplan-Meier of each cause, added up, exceeds one here."""
    inputs, train = cohort(end=(9000.0, 9001.0))
    total = np.zeros(len(inputs))
    for cause in (1, 2):
        made = fit_baseline(name, inputs, train, clinical=CLINICAL, cause=cause, horizon=9000.0)
        total += made.risk(inputs)
    assert (total < 1 + 1e-9).all() and total.mean() > 0.95


@pytest.mark.parametrize("name", FAST)
def test_mean_risk_among_training_patients_is_the_incidence_seen(name: BaselineName) -> None:
    inputs, train = cohort(2000)
    fitted = fit_baseline(name, inputs, train, clinical=CLINICAL, horizon=900.0)
    incidence = AalenJohansenFitter(calculate_variance=False)
    incidence.fit(train.time, train.event, event_of_interest=1)
    seen = float(incidence.predict(900.0))
    assert fitted.risk(inputs).mean() == pytest.approx(seen, abs=0.02)
    naive = 1 - float(KaplanMeierFitter().fit(train.time, train.event == 1).predict(900.0))
    assert naive > seen + 0.03, "competing events must matter here"


def test_the_constant_baseline_is_the_aalen_johansen_curve() -> None:
    inputs, train = cohort()
    fitted = fit_baseline("kaplan-meier", inputs, train, clinical={}, horizon=900.0)
    reference = AalenJohansenFitter(calculate_variance=False)
    reference.fit(train.time, train.event, event_of_interest=1)
    expected = 1 - np.array([reference.predict(day) for day in (300.0, 900.0)])
    np.testing.assert_allclose(fitted.survival(inputs, (300.0, 900.0)), np.tile(expected, (300, 1)))
    np.testing.assert_allclose(fitted.risk(inputs), 1 - expected[1])


def test_with_one_cause_the_constant_baseline_is_the_kaplan_meier_curve() -> None:
    inputs, train = cohort(causes=(1,))
    fitted = fit_baseline("kaplan-meier", inputs, train, clinical={}, horizon=900.0)
    reference = KaplanMeierFitter().fit(train.time, train.event)
    expected = reference.survival_function_at_times([300.0, 900.0]).to_numpy()
    np.testing.assert_allclose(fitted.survival(inputs, (300.0, 900.0))[0], expected)


def test_cox_without_penalty_is_lifelines_cox() -> None:
    inputs, train = cohort(causes=(1,))
    known = inputs.covariates["stage"].is_not_null().to_numpy()
    cases = [case for case, keep in zip(inputs.cases, known, strict=True) if keep]
    inputs, train = BaselineInputs(cases, inputs.covariates.filter(known)), train[known]
    fitted = fit_baseline("cox-clinical", inputs, train, clinical=CLINICAL, ridge=0.0)
    frame = pd.DataFrame(
        {
            "age": inputs.covariates["age"].to_numpy(),
            "II": (inputs.covariates["stage"] == "II").to_numpy().astype(float),
            "III": (inputs.covariates["stage"] == "III").to_numpy().astype(float),
            "time": train.time,
            "event": train.event == 1,
        }
    )
    reference = CoxPHFitter().fit(frame, "time", "event")
    expected = reference.predict_log_partial_hazard(frame).to_numpy()
    log_hazard = np.log(-np.log(fitted.survival(inputs, (900.0,))[:, 0]))
    assert np.ptp(log_hazard - expected) < 1e-4 < np.ptp(expected)


def test_timing_reads_when_patients_were_seen_and_nothing_else() -> None:
    inputs, train = cohort()
    fitted = fit_baseline("timing-only", inputs, train, clinical=CLINICAL)
    blind = BaselineInputs(inputs.cases, inputs.covariates.clear())
    np.testing.assert_array_equal(fitted.risk(blind), fitted.risk(inputs))
    landmark = np.array([case.landmark for case in inputs.cases])
    assert np.corrcoef(fitted.risk(inputs), landmark)[0, 1] < -0.5


def test_unknown_covariates_have_an_indicator_of_their_own() -> None:
    inputs, train = cohort()
    fitted = fit_baseline("cox-clinical", inputs, train, clinical=CLINICAL)
    assert fitted.state()["numbers"]["features"] == [
        *("age", "stage=II", "stage=III", "stage unknown")
    ]


def test_nothing_to_fit_on_is_said() -> None:
    inputs, train = cohort()
    with pytest.raises(DataError, match="a number that varies"):
        fit_baseline("cox-clinical", inputs, train, clinical={})


def test_components_of_expression_find_what_covariates_do_not_tell() -> None:
    inputs, train = cohort(causes=(1,))
    table = inputs.genes["expression"]
    signal = np.random.default_rng(1).normal(size=300)
    time = np.random.default_rng(2).exponential(1000 * np.exp(-1.5 * signal))
    train = Followup(np.minimum(time, 4000.0), (time < 4000.0).astype(np.int64))
    numbers = table.values + np.outer(signal, np.ones(40)).astype(np.float32)
    inputs = replace(inputs, genes={"expression": replace(table, values=numbers)})
    fitted = fit_baseline("cox-expression", inputs, train, clinical=CLINICAL, horizon=1600.0)
    blind = fit_baseline("cox-clinical", inputs, train, clinical=CLINICAL, horizon=1600.0)
    assert np.corrcoef(fitted.risk(inputs), signal)[0, 1] > 0.8
    assert abs(np.corrcoef(blind.risk(inputs), signal)[0, 1]) < 0.3


def test_expression_is_not_read_where_there_is_none() -> None:
    inputs, train = cohort()
    with pytest.raises(DataError, match="the cohort has no gene table"):
        fit_baseline("cox-expression", replace(inputs, genes={}), train, clinical=CLINICAL)


def test_report_fields_are_read_with_a_penalty_of_their_own() -> None:
    inputs, train = cohort(120)
    fitted = fit_baseline("cox-report", inputs, train, clinical=CLINICAL, horizon=900.0)
    assert isinstance(fitted, HazardBaseline)
    names, blocks = fitted.numbers.features, fitted.numbers.blocks
    of = {block: [n for n, b in zip(names, blocks, strict=True) if b == block] for block in blocks}
    assert of[max(blocks)] == ["grade=1", "grade=2", "grade=3", "grade=unknown"] and len(of) == 2


def test_the_mean_of_two_penalties_is_that_of_the_elastic_net_and_of_a_ridge_on_all_genes() -> None:
    inputs, train = cohort(120, causes=(1,))
    told, entry = (train.time, train.event == 1), train.entry
    mean = fit_baseline("cox-expression-mean", inputs, train, clinical=CLINICAL)
    net = fit_baseline("coxnet", inputs, train, clinical=CLINICAL)
    assert isinstance(mean, HazardBaseline) and isinstance(net, HazardBaseline)
    numbers = mean.numbers
    assert numbers.features[: len(net.numbers.features)] == net.numbers.features
    assert numbers.genes is not None and len(numbers.features) > len(net.numbers.features)
    directions = np.array(numbers.genes.directions)
    np.testing.assert_allclose(numbers.lengths[-40:], np.linalg.norm(directions, axis=0)[:40])
    relative = np.square(numbers.lengths)
    genes = np.array(numbers.blocks) == max(numbers.blocks)
    relative[genes] *= (1 / relative[genes]).mean()
    x = numbers.of(inputs)
    block = np.array(numbers.blocks)
    ridges = chosen_ridges(x, block, *told, entry=entry, relative=relative)
    dense = fit_cox(x, *told, entry=entry, ridge=ridges).predictor(x)
    sparse = net.cause.patient.score(net.numbers.of(inputs))
    np.testing.assert_allclose(mean.cause.patient.score(x), (dense + sparse) / 2, atol=1e-8)


def test_a_baseline_of_reports_is_refused_where_no_report_says_anything() -> None:
    inputs, train = cohort()
    with pytest.raises(DataError, match="reads structured reports"):
        fit_baseline("cox-report", replace(inputs, reports={}), train, clinical=CLINICAL)
