"""A report read by rules: the embedded default, so that nothing needs a language model."""

from __future__ import annotations

from sequela.knowledge import staging_rules, tumour_rules
from sequela.knowledge.candidates import Choice, Reader, most_frequent, settle
from sequela.knowledge.schema import MINIMUM_LENGTH, StructuredReport

VERSION = "rules-1"
"""Changes whenever the rules may read a report differently."""

_RULES: dict[str, tuple[Reader, Choice]] = {
    "size": (tumour_rules.size, most_frequent),
    "grade": (tumour_rules.grade, most_frequent),
    "pT": (staging_rules.primary_tumour, staging_rules.most_specific),
    "pN": (staging_rules.lymph_nodes, staging_rules.most_specific),
    "pM": (staging_rules.metastasis, staging_rules.most_specific),
    "stage": (staging_rules.stage, most_frequent),
}


def extract_report(text: str) -> StructuredReport:
    """What a pathology report says, each value with the words that say it.

    Args:
        text: The report, English, as a scanner read it; under 50 characters it says nothing.
    """
    if len(text.strip()) < MINIMUM_LENGTH:
        return StructuredReport.of(())
    return StructuredReport.of(
        settle(field, text, read(text), choose) for field, (read, choose) in _RULES.items()
    )
