from __future__ import annotations

import pytest

from sequela.audit.outcome_words import tells_outcome

AFFIRMED = (
    "Local recurrence in the left breast, biopsy proven.",
    "She relapsed in March.",
    "Patient died at home.",
    "No lymphadenopathy but recurrence in the scar.",
    "Recurrent carcinoma of the right breast.",
    "Lokaal recidief links.",
    "Tumorrecidief in het litteken, histologisch bewezen.",
    "Geen klachten, maar wel een recidief.",
    "Patiënte is overleden.",
    "Lokalrezidiv rechts oben.",
    "Keine Schmerzen, aber Rezidiv in der Narbe.",
    "Die Patientin ist verstorben.",
    "No complaints. Recurrence at ultrasound.",
)
NOT_AFFIRMED = (
    "No sign of recurrence at visit 2.",
    "No evidence of local, regional or distant recurrence.",
    "There is no mass, no calcification and no recurrence.",
    "Recurrence was ruled out.",
    "Recurrence: none.",
    "Recurrence score 18.",
    "Recurrence-free after three years.",
    "Risk of recurrence was discussed.",
    "Suspected recurrence; biopsy planned.",
    "Her mother died of breast cancer.",
    "Recurrent cysts on both sides.",
    "Geen recidief.",
    "Geen aanwijzingen voor een lokaal recidief.",
    "Recidiefvrij.",
    "Verdenking op recidief, punctie volgt.",
    "Haar moeder is overleden aan borstkanker.",
    "Kein Hinweis auf ein Rezidiv.",
    "Kein Anhalt für Lokalrezidiv oder Metastasen.",
    "Rezidivfrei seit zwei Jahren.",
    "Das Rezidivrisiko wurde besprochen.",
    "Ein Rezidiv ist ausgeschlossen.",
    "Stable findings after surgery and radiotherapy.",
    "",
)


@pytest.mark.parametrize("text", AFFIRMED)
def test_an_outcome_that_happened_is_told(text: str) -> None:
    assert tells_outcome(text)
    assert tells_outcome(f"Follow-up after surgery. {text.upper()} Control in a year.")


@pytest.mark.parametrize("text", NOT_AFFIRMED)
def test_what_is_negated_feared_or_anothers_is_not_told(text: str) -> None:
    assert not tells_outcome(text)
    assert not tells_outcome(f"Follow-up after surgery. {text.upper()} Control in a year.")
