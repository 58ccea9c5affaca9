"""The demo of KEMM asks for what there is, and says what its controls came to."""

from __future__ import annotations

import yaml

from sequela.cli.kemm_demonstration import _CONTROLS, _signatures, verdict
from sequela.cli.words import packaged
from sequela.encoders.frozen_text import WIDTH
from sequela.knowledge.background import CANCER_TYPES
from sequela.training.study import StudySettings


def test_the_study_of_the_demo_runs_kemm_its_controls_and_the_rows_on_top() -> None:
    asked = StudySettings.model_validate(yaml.safe_load(packaged("demo-kemm.yaml")))
    labels = [entry.label for entry in asked.entries]
    assert labels[:4] == ["kaplan-meier", "cox-clinical", "cox-expression", "kemm"]
    assert {*_CONTROLS} <= {*labels}


def test_signatures_live_in_the_space_of_the_claims() -> None:
    signatures = _signatures()
    assert tuple(signatures) == CANCER_TYPES
    assert all(each.shape[0] > 0 and each.shape[1] == WIDTH for each in signatures.values())


def test_a_control_that_is_ahead_is_said_with_a_minus() -> None:
    found = {"kemm": 0.6, "learned-queries": 0.5, "wrong-cancer-pbk": 0.65}
    content = {
        "models": [
            {"name": name, "metrics": {"harrell_c": {"value": value}}}
            for name, value in found.items()
        ]
    }
    ahead, behind = verdict(content)
    assert "+0.100 over learned-queries" in ahead
    assert "-0.050 over wrong-cancer-pbk" in behind
