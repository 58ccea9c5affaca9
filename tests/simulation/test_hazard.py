import numpy as np
import pandas as pd
import pytest
from lifelines import CoxPHFitter, WeibullFitter
from lifelines.utils import concordance_index
from scipy.integrate import quad

from sequela.simulation.hazard import (
    Latents,
    death_rate,
    draw_censoring,
    draw_event,
    log_hazard_terms,
    recurrence_rate,
    recurrence_risk,
)
from sequela.simulation.patients import SimulatedPatient
from sequela.simulation.settings import SIGNALS, YEAR, HazardSettings

HAZARD = HazardSettings(shape=1.4)
SOMEONE = Latents(image=0.5, text=1.0, moderator=-1.0, shared=-0.7, change=1.2, clinical=0.3)
ALONE = [name for name in SIGNALS if name not in ("none", "all")]


def test_nothing_drives_the_null_hazard() -> None:
    assert set(log_hazard_terms(SOMEONE, SIGNALS["none"]).values()) == {0.0}


@pytest.mark.parametrize("name", ALONE)
def test_a_signal_alone_is_the_only_term(name: str) -> None:
    terms = log_hazard_terms(SOMEONE, SIGNALS[name])
    assert [term for term, value in terms.items() if value] == [name]


def test_the_interaction_turns_with_the_moderator_and_has_no_main_effect() -> None:
    def interaction(image: float, moderator: float) -> float:
        latents = Latents(image, 1.0, moderator, 0.0, 0.0, 0.0)
        return log_hazard_terms(latents, SIGNALS["interaction"])["interaction"]

    assert interaction(0.8, 1.0) == -interaction(0.8, -1.0) != 0
    assert interaction(0.8, 1.0) + interaction(0.8, -1.0) == 0


@pytest.mark.parametrize("linear_predictor", [-2.0, 0.0, 1.5])
@pytest.mark.parametrize(("landmark", "horizon"), [(0.0, 1826.0), (400.0, 365.0)])
def test_the_risk_is_the_integral_of_its_definition(
    linear_predictor: float, landmark: float, horizon: float
) -> None:
    recurrence, death = recurrence_rate(linear_predictor, HAZARD), death_rate(HAZARD)

    def density(day: float) -> float:
        survived = np.exp(-(recurrence + death) * (day**1.4 - landmark**1.4))
        return float(recurrence * 1.4 * day**0.4 * survived)

    expected, _ = quad(density, landmark, landmark + horizon, epsabs=1e-12)
    got = recurrence_risk(linear_predictor, landmark, horizon, HAZARD)
    assert got == pytest.approx(expected, rel=1e-8)


def test_the_risk_is_the_share_of_patients_who_recur() -> None:
    generator = np.random.default_rng(0)
    draws = [draw_event(generator, 0.7, HAZARD) for _ in range(12_000)]
    alive = [(time, cause) for time, cause in draws if time > 300]
    recurred = np.mean([cause == 1 and time <= 1300 for time, cause in alive])
    risk = recurrence_risk(0.7, 300.0, 1000.0, HAZARD)
    assert abs(recurred - risk) < 4 * np.sqrt(risk * (1 - risk) / len(alive))


def test_without_signals_times_are_weibull_of_the_stated_shape_and_scale() -> None:
    generator = np.random.default_rng(1)
    times = np.array([draw_event(generator, 0.0, HAZARD)[0] for _ in range(8000)])
    fit = WeibullFitter().fit(times)
    total = recurrence_rate(0.0, HAZARD) + death_rate(HAZARD)
    assert fit.rho_ == pytest.approx(1.4, rel=0.04)
    assert fit.lambda_ == pytest.approx(total ** (-1 / 1.4), rel=0.03)


def test_the_stated_five_year_risk_is_met_at_linear_predictor_0() -> None:
    cumulative = recurrence_rate(0.0, HAZARD) * (5 * YEAR) ** HAZARD.shape
    assert 1 - np.exp(-cumulative) == pytest.approx(HAZARD.five_year_recurrence)


def test_follow_up_ends_within_the_study() -> None:
    generator = np.random.default_rng(2)
    ends = np.array([draw_censoring(generator, HAZARD) for _ in range(2000)]) / YEAR
    never_lost = HAZARD.evolve(lost_per_year=0.0)
    administrative = np.array([draw_censoring(generator, never_lost) for _ in range(2000)]) / YEAR
    assert 0 < ends.min() < ends.max() <= HAZARD.study_years
    assert administrative.min() >= HAZARD.study_years - HAZARD.accrual_years


def test_cox_on_the_true_linear_predictor_finds_the_coefficient_1(
    patients: list[SimulatedPatient],
) -> None:
    table = pd.DataFrame(
        {"eta": person.linear_predictor, "time": person.time, "event": person.event == 1}
        for person in patients
    )
    fit = CoxPHFitter().fit(table, "time", "event")
    assert abs(fit.params_["eta"] - 1) < 4 * fit.standard_errors_["eta"]
    assert fit.standard_errors_["eta"] < 0.06


def test_cox_on_the_latents_finds_every_stated_coefficient(
    patients: list[SimulatedPatient],
) -> None:
    signals = SIGNALS["all"]
    table = pd.DataFrame(
        {
            **vars(person.latents),
            "interaction": person.latents.image * person.latents.moderator,
            "time": person.time,
            "event": person.event == 1,
        }
        for person in patients
    )
    fit = CoxPHFitter().fit(table, "time", "event")
    stated = {**signals.model_dump(), "moderator": 0.0}
    for name, coefficient in stated.items():
        assert abs(fit.params_[name] - coefficient) < 4 * fit.standard_errors_[name], name


def test_death_does_not_heed_the_signals(patients: list[SimulatedPatient]) -> None:
    table = pd.DataFrame(
        {"eta": person.linear_predictor, "time": person.time, "event": person.event == 2}
        for person in patients
    )
    fit = CoxPHFitter().fit(table, "time", "event")
    assert abs(fit.params_["eta"]) < 4 * fit.standard_errors_["eta"]


def test_the_true_linear_predictor_ranks_as_well_as_the_documentation_says(
    patients: list[SimulatedPatient],
) -> None:
    """docs/simulation.md: Harrell's C at the second exam, everything known and images alone."""
    seen = [person for person in patients if len(person.days) > 1]
    left = [person.time - person.days[1] for person in seen]
    recurred = [person.event == 1 for person in seen]

    def concordance(*names: str) -> float:
        risk = [-sum(person.terms[name] for name in names) for person in seen]
        return float(concordance_index(left, risk, recurred))

    assert concordance(*seen[0].terms) == pytest.approx(0.78, abs=0.02)
    assert concordance("image", "shared", "change") == pytest.approx(0.70, abs=0.025)
    assert concordance("clinical") == pytest.approx(0.57, abs=0.03)
