"""Whether a text says that the outcome has happened, in English, Dutch or German."""

from __future__ import annotations

import re

_TUMOUR = (
    r"(?:\w*tumou?r\w*|\w*cancer|\w*kanker|\w*krebs\w*|\w*car[cz]ino\w*|\w*karzinom\w*|disease"
    r"|malignanc(?:y|ies)|maligniteit|malignom\w*|ziekte|erkrankung)"
)
_OUTCOME = re.compile(
    r"\b(?:recurrences?(?![ -](?:free|score|risk|rate))|recurred"
    r"|relapsed?(?![ -](?:free|risk|rate))|relapses"
    rf"|(?:recurrent|recidiverende?|rezidivierende[rsnm]?) (?:\w+ )?{_TUMOUR}"
    # A person dies; `died` alone is as often a misread `cited`.
    r"|(?:patient|she|he|who|and|has|had|woman|man|ms|mrs|mr)\.? died"
    r"|died (?:of|from|at|in|on|after|following|due|suddenly)|deceased|passed away|exitus"
    r"|\w*recidie(?:f|ven)(?!vrij|kans|risico)|overleden"
    r"|\w*rezidiv(?!ier|frei|risiko|rate|wahrscheinlich|verdacht|verdächtig|prophylaxe)\w*"
    r"|rückfall|verstorben|gestorben)\b",
    re.IGNORECASE,
)

_BEFORE = re.compile(
    r"\b(?:"
    # It has not happened.
    r"no|not|never|none|nor|neither|without|den(?:y|ies|ied)|negative for|free of|free from"
    r"|absence of|rules? out|ruled out|exclud(?:e|es|ed|ing)|geen|niet|nooit|zonder|vrij van"
    r"|uitsluit\w*|uitgesloten|noch|weder|kein\w*|nicht|nie|ohne|frei von|ausschluss|ausgeschlossen"
    # It might.
    r"|risk|chance|likelihood|probability|possib\w+|suspicio\w+|suspect\w*|prevent\w*|if|in case"
    r"|should|could|may have|may be|might|worr(?:y|ied)|fears?|afraid|anxi\w+"
    r"|surveillance for|screening for|monitor\w* for"
    r"|risico|kans|mogelijk\w*|verden\w*|verdacht"
    r"|indien|angst|bang|controle op|risiko|möglich\w*|falls|verhinder\w*|vermeid\w*"
    r"|wahrscheinlichkeit"
    r"|sorge|früherkennung|nachsorge auf"
    # It happened to somebody else.
    r"|mother|father|parents?|sister|brother|aunt|uncle|grand\w+|husband|wife|son|daughter|cousin|family"
    r"|moeder|vader|ouders?|haar man|zijn vrouw|ihr mann|seine frau|eltern"
    r"|zus|broer|tante|oom|echtgenoot|mutter|vater|schwester|bruder|onkel"
    r"|ehemann|familie\w*"
    r")\b",
    re.IGNORECASE,
)

_AFTER = re.compile(
    r"\b(?:ruled out|excluded|unlikely|not|none|absent|no|negative|score|risk|rate|suspected"
    r"|uitgesloten|onwaarschijnlijk|niet|geen|nee|ausgeschlossen|unwahrscheinlich|nicht|kein\w*"
    r"|nein|möglich|mogelijk|possible)\b|\?",
    re.IGNORECASE,
)

_SENTENCE = re.compile(r"[.;!\n]+|\?(?=\s)")
_TURN = re.compile(r"\b(?:but|however|although|maar|echter|jedoch|aber|doch|allerdings)\b", re.I)
_WORDS_BEFORE, _WORDS_AFTER = 8, 5
_SHORTEST = 2  # words of a clause that says something; one by itself is a heading or a misreading


def tells_outcome(text: str) -> bool:
    """Whether the text affirms a recurrence or a death of the patient.

    What is negated, feared, only possible, or said of a relative is not affirmed. A rule in the
    manner of NegEx: words within the clause, up to eight before and five after.

    Source: Chapman et al. 2001, J Biomed Inform 34:301.
    """
    return any(
        _affirmed(clause)
        for sentence in _SENTENCE.split(text)
        if sentence
        for clause in _TURN.split(sentence)
    )


def _affirmed(clause: str) -> bool:
    if len(clause.split()) < _SHORTEST:
        return False
    for match in _OUTCOME.finditer(clause):
        before = " ".join(clause[: match.start()].split()[-_WORDS_BEFORE:])
        after = " ".join(clause[match.end() :].partition(",")[0].split()[:_WORDS_AFTER])
        if not _BEFORE.search(before) and not _AFTER.search(after):
            return True
    return False
