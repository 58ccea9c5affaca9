"""What identifies a patient is struck out before a text goes into a prompt.

Rules find identifiers by their form and by the label before them; a name in running prose without
either passes. Texts that leave the machine need a pseudonymisation of their own first.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

MARK = "#"
_MONTH = (
    r"(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?"
    r"|sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)"
)
_NAME = r"[A-Z][\w'’.^-]{1,40}(?:[ ,]{1,3}[A-Z][\w'’.-]{0,40}){0,3}"
_PATTERNS = tuple(
    re.compile(pattern)
    for pattern in (
        r"(?i)\b[tf]?[ce]?[gc]a\s?-\s?[a-z0-9]{2}\s?-\s?[a-z0-9]{4}[\w-]{0,64}",  # a barcode
        r"(?<![A-Za-z0-9])-?[A-Z0-9]{2}-(?=[A-Z]{0,3}\d)[A-Z0-9]{4}(?:-\d{2}[A-Z]?[\w-]*)?(?![A-Za-z0-9])",
        r"(?i)\b[0-9a-f]{8}\W?[0-9a-f]{4}\W?[0-9a-f]{4}\W?[0-9a-f]{4}\W?\s?[0-9a-f]{8,14}\w*",
        r"(?i)\buuid\b\W{0,3}\S+",
        r"(?<![\w.+-])[\w.+-]{1,64}@[\w-]{1,64}\.[\w.-]{1,64}",
        r"(?i)\b(?:https?://|www\.)\S+",
        r"(?i)\b[\w-]{1,64}\.(?:jpe?g|png|gif|bmp|tiff?|pdf|docx?|dcm|svs|ndpi|mrxs)\b",
        r"\b\d{1,3}(?:\.\d{1,3}){3}\b(?!\.\d)|\b\d{1,40}(?:\.\d{1,40}){4,30}\b",
        r"(?i)\b[0-9a-f]{2}(?::[0-9a-f]{2}){5}\b",
        r"\b\d{1,4}[-/.]\d{1,2}[-/.]\d{2,4}\b",
        rf"(?i)\b\d{{1,2}}(?:st|nd|rd|th)?[\s-]{_MONTH}[\s,-]{{1,2}}\d{{2,4}}\b",
        rf"(?i)\b{_MONTH}\.?\s\d{{1,2}}(?:st|nd|rd|th)?,?\s\d{{2,4}}\b",
        r"\b(?:19|20)\d{2}\b",
        r"\+?\(?\d{3}\)?[\s.-]\d{3}[\s.-]\d{4}\b|\+\d[\d\s.-]{7,}\d",
        r"\b\d{3}-\d{2}-\d{4}\b",
        r"\b[A-Z]{1,4}-?\d{2}[- ]\d{3,}\b|\b[A-Z]{1,3}\d{5,}\b|\b\d{6,}\b",
        r"\b\d{1,5}\s(?:[A-Z][a-z]+\s){1,3}(?:Street|St|Avenue|Ave|Road|Rd|Lane|Drive|Blvd)\b\.?",
        r"\b[A-Z]{2}\s\d{5}(?:-\d{4})?\b",
        rf"\b(?:Dr|Mr|Mrs|Ms|Miss|Prof|Professor|Doctor)\.?\s{_NAME}",
        rf"\b{_NAME},?\s(?:M\.?D|Ph\.?D|D\.?O|M\.?B)\b\.?",
        rf"(?i:\b(?:patient(?:'s)? name|name|surname|physician|pathologist|surgeon"
        rf"|signed(?: out)? by|verified by|performed by|dictated by|attending)\b\s?[:=]\s?){_NAME}",
        r"(?i)\b(?:mrn|ssn|medical record|record|account|acct|accession|policy|member|licen[sc]e"
        r"|plate|serial|device|vin|health plan|finger ?print|biometric|photo(?:graph)?|vehicle"
        r"|case|hosp\w*|history|chart)"
        r"\s?(?:no|nr|number|id|#)?\.?\s?[:#=]\s?[\w/-]*\d[\w/-]*",
        r"(?i)\b(?:dob|date of birth|born|age)\b\s?[:=]?\s?\S+",
        r"(?i)\baged?\s(?:over\s)?\d{2,3}\b|\b\d{2,3}[\s-]?(?:year|yr|y/?o)s?\b[\s-]?(?:old)?",
    )
)


def without_identifiers(text: str, known: Iterable[str] = ()) -> str:
    """The text with whatever may identify a patient struck out; every place stays where it was.

    Args:
        text: A report.
        known: Identifiers of this patient, as the cohort's tables hold them.
    """
    for word in sorted({part for name in known for part in _forms(name)}, key=len, reverse=True):
        text = re.sub(re.escape(word), lambda match: MARK * len(match[0]), text, flags=re.I)
    for pattern in _PATTERNS:
        text = pattern.sub(_struck, text)
    return text


def _forms(name: str) -> set[str]:
    """An identifier and its tail, as a label of a specimen shows it."""
    tail = "-".join(name.split("-")[1:])
    return {form for form in (name, name.replace("-", ""), tail) if len(form) >= 5}


def _struck(match: re.Match[str]) -> str:
    return "".join(letter if letter.isspace() else MARK for letter in match[0])
