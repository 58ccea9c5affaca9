"""The histological type, in the schema's closed vocabulary."""

from __future__ import annotations

import re
from collections.abc import Iterator

from sequela.knowledge.candidates import Candidate

# A blank is any gap a scanner leaves, CA is (adeno)carcinoma as scanners spell it, INV invasive.
_WORDS = {
    " ": r"[\s.]{1,3}",
    "CA": r"(?:adeno)?carc\S{2,4}ma\b",
    "INV": r"(?:invasive|infiltrating|infiltrative)",
    "RCC": r"renal(?:[\s-]ce[il1n]+)?[\s.]{1,3}carc\S{2,4}ma\b",
}
_NAMES: dict[str, tuple[str, ...]] = {
    "mixed ductal and lobular carcinoma": (
        "(?:ductal and lobular|lobular and ductal|mixed ductal) CA",
        "ductal CA with lobular features",
    ),
    "invasive ductal carcinoma": (
        r"INV\s(?:[\w,]+\s){0,4}?(?:mammary|ductal|duct) (?:cell )?CA",
        "CA, (?:INV )?ductal",
    ),
    "invasive lobular carcinoma": (r"INV\s(?:[\w,]+\s){0,3}?lobular CA",),
    "metaplastic carcinoma": ("metaplastic CA",),
    "mucinous carcinoma": ("(?:mucinous|colloid) CA",),
    "medullary carcinoma": ("medullary CA",),
    "papillary thyroid carcinoma": (
        "papillary thyroid (?:micro)?CA",
        "thyroid[^.;]{0,80}papillary (?:micro)?CA",
    ),
    "follicular thyroid carcinoma": (
        "follicular thyroid CA",
        "thyroid[^.;]{0,80}follicular CA",
    ),
    "adrenocortical carcinoma": (r"adreno?[\s-]?cortical CA",),
    "chromophobe renal cell carcinoma": (
        "chromophobe(?: type)?(?: renal)?(?: cell)? CA",
        r"CA[\s,(\-]+chromophobe",
    ),
    "papillary renal cell carcinoma": ("papillary RCC", r"RCC[\s,(\-]+papillary"),
    "clear cell renal cell carcinoma": (
        r"(?:clear[\s-]cell|conventional)[\s,(\w)]{0,30}?RCC",
        "RCC[^;]{0,60}?(?:clear|conventional)",
        r"kidney[^;]{0,300}clear[\s-]cell (?:\w+ )?CA",
    ),
    "renal cell carcinoma": ("RCC",),
    "mixed endometrioid and serous carcinoma": (
        r"mixed (?:endometrioid and|serous and)\s\w*\s?CA",
        r"(?:endometrioid and (?:papillary )?serous|serous and endometrioid)\s\w*\s?CA",
    ),
    "serous carcinoma": ("serous(?: papillary| endometrial)? CA",),
    "endometrioid adenocarcinoma": (
        "endometrioid(?: type)?(?: endometrial)? CA",
        r"CA[\s,(\-]+(?:of )?endometrioid",
        "endometrial CA[^.;]{0,30}endometrioid",
    ),
    "carcinosarcoma": ("carcinosarcoma", "malignant mixed m[uü]llerian"),
    "adenosquamous carcinoma": ("adeno-?squamous(?: cell)? CA",),
    "squamous cell carcinoma": (r"squamous(?:[\s-]cell)? CA",),
    "urothelial carcinoma": ("(?:urothelial|transitional cell) CA",),
    "hepatocellular carcinoma": ("hepato-?cellular CA",),
    "cholangiocarcinoma": ("cholangioCA",),
    "large cell carcinoma": (r"large[\s-]cell (?:neuroendocrine )?CA",),
    "small cell carcinoma": (r"(?<!non[\s-])small[\s-]cell CA",),
    "clear cell carcinoma": (r"clear[\s-]cell CA",),
    "oligoastrocytoma": ("oligo-?astrocytoma", "mixed glioma"),
    "oligodendroglioma": ("oligodendroglioma",),
    "glioblastoma": ("glioblastoma", "gliosarcoma"),
    "astrocytoma": ("astrocytoma",),
    "melanoma": ("melanoma",),
    "mesothelioma": ("mesothelioma",),
    "thymoma": ("thymoma",),
    "seminoma": ("seminoma",),
    "leiomyosarcoma": ("leiomyosarcoma",),
    "liposarcoma": ("liposarcoma",),
    "pheochromocytoma": ("ph[ae]*ochromocytoma",),
    "paraganglioma": ("paraganglioma",),
    "lymphoma": ("lymphoma",),
    "adenocarcinoma": (r"adenocarc\S{2,4}ma\b",),
    "sarcoma": (r"sarcoma\b",),
    "carcinoma": ("CA",),
}
_GENERAL = {"carcinoma": 4, "adenocarcinoma": 3, "sarcoma": 3, "renal cell carcinoma": 2}
_LABEL = re.compile(
    r"(?:histologic(?:al)?\s(?:type|subtype|diagnosis)|tumou?r type)\W{0,5}[^.;]{0,60}$",
    re.IGNORECASE,
)
_DENIED = re.compile(
    r"\b(?:no|not|negative for|without|rule out|r/o|history of|free of)\b[\w\s,/-]{0,40}$",
    re.IGNORECASE,
)


def _pattern(forms: tuple[str, ...]) -> re.Pattern[str]:
    text = "|".join(forms)
    for word in ("RCC", "INV", "CA"):
        text = text.replace(word, _WORDS[word])
    return re.compile(text.replace(" ", _WORDS[" "]), re.IGNORECASE)


_PATTERNS = {name: _pattern(forms) for name, forms in _NAMES.items()}


def histology(text: str) -> Iterator[Candidate]:
    """Named types that are not denied: first what is labelled so, then precise before general."""
    for name, pattern in _PATTERNS.items():
        for match in pattern.finditer(text):
            before = text[max(0, match.start() - 80) : match.start()]
            if not _DENIED.search(before.rpartition(".")[2]):
                general = _GENERAL.get(name, 1)
                rank = 0 if general in (1, 3) and _LABEL.search(before) else general
                yield Candidate(name, match.start(), match.end(), rank)
