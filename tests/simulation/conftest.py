import pytest

from sequela.simulation.patients import SimulatedPatient, draw_patient
from sequela.simulation.settings import SimulationSettings


@pytest.fixture(scope="session")
def patients() -> list[SimulatedPatient]:
    """A large cohort with every signal on."""
    settings = SimulationSettings(seed=11)
    return [draw_patient(settings, number) for number in range(3000)]
