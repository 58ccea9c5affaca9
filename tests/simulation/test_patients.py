import numpy as np

from sequela.simulation.patients import SimulatedPatient, draw_patient, plan_visits
from sequela.simulation.settings import SIGNALS, SimulationSettings, VisitSettings

SETTINGS = SimulationSettings(seed=5)


def test_no_exam_is_on_or_after_the_end_of_follow_up(patients: list[SimulatedPatient]) -> None:
    assert all(day < person.time for person in patients for day in person.days)


def test_exams_follow_each_other(patients: list[SimulatedPatient]) -> None:
    assert all(min(np.diff(person.days), default=1) > 0 for person in patients)


def test_some_gaps_are_short_and_some_exams_are_missing(patients: list[SimulatedPatient]) -> None:
    gaps = np.concatenate([np.diff(person.days) for person in patients])
    assert 0.07 < np.mean(gaps < 183) < 0.13
    assert {len(person.days) for person in patients} == {0, 1, 2, 3, 4, 5}


def test_some_patients_have_one_breast_and_it_holds_the_mass(
    patients: list[SimulatedPatient],
) -> None:
    single = [person for person in patients if len(person.sides) == 1]
    assert 0.08 < len(single) / len(patients) < 0.12
    assert all(person.sides == (person.side,) for person in single)


def test_latents_are_standardised_and_apart(patients: list[SimulatedPatient]) -> None:
    values = np.array([list(vars(person.latents).values()) for person in patients])
    np.testing.assert_allclose(values.mean(axis=0), 0, atol=0.06)
    np.testing.assert_allclose(values.std(axis=0), 1, atol=0.05)
    np.testing.assert_allclose(np.corrcoef(values.T), np.eye(values.shape[1]), atol=0.06)


def test_switching_a_signal_changes_outcomes_but_no_latent_and_no_plan() -> None:
    other = SETTINGS.evolve(signals=SIGNALS["none"])
    pairs = [(draw_patient(SETTINGS, number), draw_patient(other, number)) for number in range(60)]
    assert any(one.time != two.time for one, two in pairs)
    for one, two in pairs:
        assert (one.latents, one.covariates, one.side) == (two.latents, two.covariates, two.side)
        shorter, longer = sorted((one.days, two.days), key=len)
        assert longer[: len(shorter)] == shorter


def test_the_plan_of_visits_says_nothing_of_what_comes() -> None:
    """Among patients seen n times, the days of the exams do not know who will recur."""
    settings = SETTINGS.evolve(signals=SIGNALS["none"])
    people = [draw_patient(settings, number) for number in range(2000)]
    seen = [person for person in people if len(person.days) >= 3 and person.time > 1500]
    third_day = np.array([person.days[2] for person in seen])
    recurs = np.array([person.event == 1 for person in seen])
    difference = third_day[recurs].mean() - third_day[~recurs].mean()
    error = third_day.std() * np.sqrt(1 / recurs.sum() + 1 / (~recurs).sum())
    assert abs(difference) < 4 * error


def test_a_plan_has_as_many_visits_as_asked() -> None:
    visits = VisitSettings(fewest=3, most=4)
    generator = np.random.default_rng(0)
    assert {len(plan_visits(generator, visits)) for _ in range(50)} == {3, 4}


def test_a_patient_is_the_same_alone_and_in_any_cohort() -> None:
    larger = SETTINGS.evolve(patients=7, workers=3, images=False)
    assert draw_patient(SETTINGS, 4) == draw_patient(larger, 4)
