from __future__ import annotations

from pathlib import Path

import numpy as np

from sequela.audit.labels import label_cases
from sequela.audit.timing import design_alone, judge_timing
from sequela.cohort.cohort import read_cohort
from sequela.cohort.protocol import ProtocolSettings
from sequela.cohort.selection import select_cases
from sequela.simulation.tumour_cohort import simulate_tumours
from sequela.simulation.tumours import TumourSettings


def test_how_much_a_report_of_one_day_says_is_no_sampling(tmp_path: Path) -> None:
    """A finding that is there takes fewer words here than one that is not, and it shortens life."""
    settings = TumourSettings(patients=200, patches=1, report=2.0)
    signatures = {"KIRC": np.ones((1, 4)), "LUAD": -np.ones((1, 4))}
    simulate_tumours(settings, signatures, tmp_path / "cohort")
    cohort = read_cohort(tmp_path / "cohort")
    protocol = ProtocolSettings(name="cross-validation", endpoint="os", horizon=None)
    labelled = label_cases(cohort, select_cases(cohort, protocol))
    labelled.require_enough()
    assert design_alone(cohort, labelled) is None
    assert judge_timing(cohort, labelled) is None
