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
    "The patient died of progressive disease.",
    "Local recurrence was treated by mastectomy.",
    "Relapse in the liver two years later.",
    "Recidiverend mammacarcinoom rechts.",
    "Status na lokaal recidief, waarvoor ablatio.",
    "Patiënte is in maart overleden aan gemetastaseerde ziekte.",
    "Exitus letalis im Mai.",
    "Zustand nach Lokalrezidiv, R0-Resektion.",
    "Rezidivierendes Mammakarzinom der rechten Brust.",
    "Sie erlitt einen Rückfall.",
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
    "There has been no local or distant disease recurrence to date.",
    "She is afraid of a recurrence.",
    "Mammography as surveillance for recurrence.",
    "Both parents died of cancer.",
    "Her father and her brother died young.",
    "Microscopic examination substantiates the above died diagnosis.",
    "Recurrent urinary tract infections.",
    "Recurrent laryngeal nerve identified and preserved.",
    "Er zijn geen tekenen van recidief.",
    "Geen recidief of metastasen.",
    "Patiënte is bang voor een recidief.",
    "Controle op recidief.",
    "Recidiverende urineweginfecties.",
    "Haar man is vorig jaar overleden.",
    "Recidief onwaarschijnlijk.",
    "Recidiefkans besproken.",
    "Rezidivierende Harnwegsinfekte.",
    "Verdacht auf Rezidiv, Stanzbiopsie geplant.",
    "Zum Ausschluss eines Rezidivs.",
    "Ihr Mann ist verstorben.",
    "Sie hat Angst vor einem Rezidiv.",
    "Derzeit weder Rezidiv noch Metastasen.",
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


def test_a_heading_or_a_misread_word_by_itself_says_nothing() -> None:
    assert not tells_outcome("recurred")
    assert not tells_outcome("Diagnosis.\nRecurrence\nNone.")
