"""TNM codes and stage groups in a report, as they are written and as scanners misread them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from sequela.knowledge.candidates import Candidate

_ONE = "1lI|!"
_DIGITS = str.maketrans({**dict.fromkeys("lI|!i", "1"), "O": "0", "o": "0", "Z": "2", "z": "2"})
_ALONE_LETTER = r"(?![a-zA-Z])"
_BEFORE_N = r"(?=[pP]?[nN]\s?[0-3xXoOlI])"
_BEFORE_M = r"(?=(?:[pP]?[mM]|[LVRG])\s?[01xXoOlI])"
_T_CODE = (
    rf"(?:[0-4{_ONE}Zz]\s?(?:mic?|[a-dA-D](?:{_ALONE_LETTER}|{_BEFORE_N})(?:\s?[12](?!\d))?)?"
    r"|[iI][sS]|[xX])"
)
_N_CODE = rf"(?:[0-3{_ONE}OoxX]\s?(?:mi|[a-cA-C](?:{_ALONE_LETTER}|{_BEFORE_M}))?)"
_M_CODE = rf"(?:[01{_ONE}OoxX]\s?(?:[a-cA-C]{_ALONE_LETTER})?)"
_GAP = r"[\s,;.()/:\-]{0,4}"
_AFTER = r"(?:(?![a-zA-Z0-9])|(?=[LVRG][0-3OXx]))"
_SUFFIX = r"(?:\s?\([^)]{1,5}\))?"

# pT2a N0 MX in one breath: the most explicit way of writing it.
_TNM = re.compile(
    rf"(?<![a-zA-Z])(?:[yr]?[pP])?\s?T\s?(?P<T>{_T_CODE}){_SUFFIX}"
    rf"{_GAP}[pP]?\s?N(?:\s?(?=[0-3xXoO]))?(?P<N>{_N_CODE}){_SUFFIX}(?:{_GAP}[pP]?\s?M\s?(?P<M>{_M_CODE}))?{_AFTER}"
)
_ALONE = {
    "T": re.compile(rf"(?<![a-zA-Z])[yr]?(?:[pP]\s?T\s?|pt)(?P<code>{_T_CODE})(?![a-zA-LO-Z0-9])"),
    "N": re.compile(rf"(?<![a-zA-Z])[yr]?(?:[pP]\s?N\s?|pn)(?P<code>{_N_CODE})(?![a-zA-LN-Z0-9])"),
    "M": re.compile(rf"(?<![a-zA-Z])[yr]?(?:[pP]\s?M\s?|pm)(?P<code>{_M_CODE}){_AFTER}"),
}


def _labelled(label: str, letter: str, code: str) -> re.Pattern[str]:
    """`Primary tumour (pT): pT2a`, with or without the letters."""
    label = rf"(?:{label}|{letter}[\s-]?stage|pathologic(?:al)? {letter})"
    before = rf"{label}\W{{0,3}}(?:\(p?{letter}\))?\W{{0,6}}"
    return re.compile(rf"{before}p?{letter}?\s?(?P<code>{code}){_AFTER}", re.IGNORECASE)


_LABELLED = {
    "T": _labelled(r"primary tumou?r|p?TNM[\s\w]{0,14}s[tl]a[gq]e\w*", "T", _T_CODE),
    "N": _labelled("regional lymph nodes?", "N", _N_CODE),
    "M": _labelled("distant metastas[ie]s", "M", _M_CODE),
}
_ROMAN = rf"(?:[{_ONE}]{{0,3}}V|I[{_ONE}]{{0,2}}|[{_ONE}]{{2,3}})"
_STAGE = re.compile(
    rf"(?P<system>ajcc|figo|uicc|tnm|pathologic(?:al)?|overall|surgical)?[\s(]{{0,3}}(?<![TNM]\s)\bstage"
    rf"(?:\s?group(?:ing)?)?(?:\s?\([^)]{{1,25}}\))?[\s:=\-]{{0,4}}(?:is\s)?"
    rf"(?P<roman>{_ROMAN})\s?(?P<letter>[ABCabc](?:\s?[12])?)?(?![a-zA-Z0-9/])",
    re.IGNORECASE,
)


def primary_tumour(text: str) -> Iterator[Candidate]:
    """The T code of the primary tumour."""
    return _codes("T", text)


def lymph_nodes(text: str) -> Iterator[Candidate]:
    """The N code of the regional lymph nodes."""
    return _codes("N", text)


def metastasis(text: str) -> Iterator[Candidate]:
    """The M code of distant metastases."""
    return _codes("M", text)


def _codes(letter: str, text: str) -> Iterator[Candidate]:
    for match in _TNM.finditer(text):
        if match[letter]:
            yield Candidate(_canonical(letter, match[letter]), match.start(), match.end(), 0)
    for rank, pattern in ((1, _ALONE[letter]), (2, _LABELLED[letter])):
        for match in pattern.finditer(text):
            yield Candidate(_canonical(letter, match["code"]), match.start(), match.end(), rank)


def _canonical(letter: str, code: str) -> str:
    code = code.replace(" ", "")
    if code.lower() in ("is", "x"):
        return letter + ("is" if code.lower() == "is" else "X")
    tail = code[1:].lower().replace("mic", "mi")
    return letter + code[0].translate(_DIGITS) + ("1mi" if letter == "T" and tail == "mi" else tail)


def stage(text: str) -> Iterator[Candidate]:
    """The stage group, where it is named as one."""
    for match in _STAGE.finditer(text):
        roman = re.sub(f"[{_ONE}]", "I", match["roman"]).upper()
        letter = (match["letter"] or "").replace(" ", "").upper()
        yield Candidate(roman + letter, match.start(), match.end(), 0 if match["system"] else 1)


def most_specific(candidates: Sequence[Candidate]) -> Candidate | None:
    """The code as exactly as one says it; none where codes contradict each other."""
    told = [each for each in candidates if not each.value.endswith("X")] or list(candidates)
    if len({each.value[:2] for each in told}) > 1:
        return None
    return max(told, key=lambda each: (len(each.value), -each.start))
