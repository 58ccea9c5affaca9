"""A report read by rules: the embedded default, so that nothing needs a language model."""

from __future__ import annotations

from collections.abc import Iterable

from sequela.knowledge import (
    histology_rules,
    invasion_rules,
    node_rules,
    receptor_rules,
    staging_rules,
    tumour_rules,
)
from sequela.knowledge.candidates import (
    Candidate,
    Choice,
    Reader,
    agreed,
    first,
    gravest,
    most_frequent,
    settle,
)
from sequela.knowledge.identifiers import without_identifiers
from sequela.knowledge.instructions import without_instructions
from sequela.knowledge.schema import MAXIMUM_LENGTH, MINIMUM_LENGTH, StructuredReport
from sequela.knowledge.suspicion import unopposed

VERSION = "rules-2"
"""Changes whenever the rules may read a report differently."""

RULES: dict[str, tuple[Reader, Choice]] = {
    "histology": (histology_rules.histology, first),
    "size": (tumour_rules.size, most_frequent),
    "grade": (tumour_rules.grade, most_frequent),
    "pT": (staging_rules.primary_tumour, staging_rules.most_specific),
    "pN": (staging_rules.lymph_nodes, staging_rules.most_specific),
    "pM": (staging_rules.metastasis, staging_rules.most_specific),
    "stage": (staging_rules.stage, most_frequent),
    "nodes_examined": (node_rules.examined, node_rules.only),
    "nodes_positive": (node_rules.positive, node_rules.only),
    "margins": (invasion_rules.margins, gravest("negative", "close", "positive")),
    "lymphovascular_invasion": (invasion_rules.vessel_invasion, agreed),
    "perineural_invasion": (invasion_rules.nerve_invasion, agreed),
    "necrosis": (invasion_rules.necrosis, gravest("absent", "present")),
    "oestrogen_receptor": (receptor_rules.oestrogen_receptor, most_frequent),
    "progesterone_receptor": (receptor_rules.progesterone_receptor, most_frequent),
    "her2": (receptor_rules.her2, most_frequent),
}


"""What reads each field, and which of several sightings is believed."""


def extract_report(text: str, known: Iterable[str] = ()) -> StructuredReport:
    """What a pathology report says, each value with the words that say it.

    Identifiers in these words are struck out.

    Args:
        text: The report, English, as a scanner read it; under 50 characters it says nothing,
            and of a text beyond 50,000 the rest is not read.
        known: Identifiers of the patient, from the cohort's tables.
    """
    if len(text.strip()) < MINIMUM_LENGTH:
        return StructuredReport.of(())
    data = without_instructions(text[:MAXIMUM_LENGTH])
    words = without_identifiers(data, known)
    seen = unopposed(sighted(data), data)
    return StructuredReport.of(
        settle(field, words, seen[field], choose) for field, (_, choose) in RULES.items()
    )


def sighted(text: str) -> dict[str, list[Candidate]]:
    """All that the rules of each field see in a text."""
    return {field: list(read(text)) for field, (read, _) in RULES.items()}
