"""What the audit says of the public pathology cohorts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from sequela.audit.audit import audit_cohort
from sequela.cohort.protocol import ProtocolSettings


def protocol(endpoint: str) -> ProtocolSettings:
    return ProtocolSettings(name="cross-validation", endpoint=endpoint, horizon=None)


def test_breast_cancer_is_better_asked_for_progression(tcga: Callable[..., Path]) -> None:
    audit = audit_cohort(tcga("brca"), protocol("os"))
    assert "A045" in {item.code for item in audit.findings}
    assert audit.leaks == 0
    assert audit.profile["patients"] == 956
    assert audit.profile["events"] == 130


# True of the public tables: patients are censored for progression at their death, a report tells
# of a recurrent tumour, and sites were followed for different times.
TRUE = {"luad": {"A032", "A044"}, "kirc": {"A011"}}


@pytest.mark.parametrize(("cancer", "endpoint"), [("luad", "pfi"), ("kirc", "os")])
def test_a_cohort_of_one_day_has_no_timing_to_leak(
    tcga: Callable[..., Path], cancer: str, endpoint: str
) -> None:
    audit = audit_cohort(tcga(cancer), protocol(endpoint))
    assert {item.code for item in audit.findings} <= TRUE[cancer]
    assert audit.leaks == 0
