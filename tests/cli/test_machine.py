from __future__ import annotations

import json
from typing import get_args

import pytest

from sequela.cli import main as command_line
from sequela.cohort.protocol import ProtocolSettings
from sequela.models.baselines import BASELINES
from sequela.models.build import VARIANTS


def said(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, object]:
    with pytest.raises(SystemExit) as caught:
        command_line.main(["--json", *words])
    assert not caught.value.code
    content = json.loads(capsys.readouterr().out)
    assert isinstance(content, dict)
    return content


def test_every_variant_and_baseline_is_listed(capsys: pytest.CaptureFixture[str]) -> None:
    listed = said(capsys, "list", "variants")["variants"]
    assert isinstance(listed, dict)
    assert set(listed) == {*VARIANTS, *BASELINES}
    assert len(set(listed.values())) == len(listed), "two variants read alike"


def test_every_protocol_is_listed(capsys: pytest.CaptureFixture[str]) -> None:
    listed = said(capsys, "list", "protocols")["protocols"]
    assert isinstance(listed, dict)
    assert set(listed) == set(get_args(ProtocolSettings.model_fields["name"].annotation))


@pytest.mark.parametrize("kind", ["encoders", "metrics"])
def test_what_is_listed_has_a_sentence(capsys: pytest.CaptureFixture[str], kind: str) -> None:
    listed = said(capsys, "list", kind)[kind]
    assert isinstance(listed, dict)
    assert listed
    assert all(len(sentence) > 2 for sentence in listed.values())


def test_the_doctor_proves_a_decoder_for_every_syntax_of_a_hospital(
    capsys: pytest.CaptureFixture[str],
) -> None:
    symptoms = said(capsys, "doctor")["symptoms"]
    assert isinstance(symptoms, list)
    decoders = [symptom for symptom in symptoms if symptom["name"].startswith("DICOM")]
    assert len(decoders) == 13
    assert all(symptom["well"] for symptom in decoders)
    assert all(symptom["well"] or symptom["mend"] for symptom in symptoms)
