"""Words in a report that speak to a machine: a report is data, and they are taken out of it.

No list of words is complete. This is the first of two lines: whatever passes it still has to stand
in the report as the words of a finding (`evidence.py`).
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator

_MACHINE = (
    r"\b(?:language models?|LLMs?|chat ?gpt|gpt-?\d|artificial intelligence|chatbot"
    r"|(?:dear|beste|automat\w+) (?:model|computer|machine|reader)|(?:extraction|reading) tools?"
    r"|your?(?! for )|urgent|pretend|from now on|AI (?:model|system|agent)"
    r"|(?:for|to|voor|as an?) (?:the )?AI(?=\s?[:,]|\sread)"
    r"|assistant(?!\s?(?:prof|dir|surg|med))"
    r"|system (?:prompt|message|note)|prompt|taalmodel|systeem(?:bericht|prompt)|json|assistent)\b"
)
_COMMAND = (
    r"\b(?:ignore|disregard|forget|override|overwrite|bypass|negeer|vergeet|overschrijf|obey|decode"
    r"|execute)\b.{0,60}\b(?:instruct\w*|above|previous\w*|before|prior|earlier|report|rules?|text"
    r"|everything|all|document|data|follow\w*|obey|bovenstaande|hierboven|vorige|eerdere|tekst"
    r"|gegevens|alles|verslag|this)\b"
    r"|\b(?:new|nieuwe) (?:task|instructions?|opdracht)\b|\b(?:you are now|you must|je bent nu"
    r"|moet je)\b|\b(?:instruct(?:ion|ie)s?)\b.{0,20}(?:for|voor|to)\b.{0,20}"
    r"\b(?:ai|model|machine)\b"
    r"|\b(?:respond|answer|reply|antwoord|beantwoord)\s(?:only|with|that|uitsluitend|alleen"
    r"|met|elk)\b|\b(?:answered|output|fill(?:ed)? in|vul(?:t)? in|invullen)\b.{0,40}"
    r"\b(?:p?[TNM]\d|stage|grade|field|value|worst)|\b(?:set|zet)\b.{0,20}\b(?:stage|grade|p?[TN]"
    r"|margins?)\b.{0,6}\b(?:to|op)\b|\b(?:extract\w*|uitlezen|uitlees)\b.{0,30}\b(?:data|document"
    r"|dit|this)\b.{0,30}\b(?:return|output|geef|answer|write)"
    r"|\bcorrect (?:values?|answers?) (?:are|is)\b|\bjuiste (?:antwoord|waarde)"
)
_ABOUT_TEXTS = re.compile(
    r"\b(?:pars(?:er?|ing)|summar\w+|administrator|overrid\w+|placeholder|abstractors?|coders?"
    r"|(?:true|real|actual|correct(?:ed)?|final) (?:report|data|record|document|text|version)"
    r"|(?:end|start|beginning) of (?:the )?(?:\w+ )?(?:report|document|text|file)"
    r"|(?:before|above|below|after) this (?:line|point|sentence|note)|is (?:only )?a test"
    r"|(?:must|shall|should|has to|needs to) (?:always )?(?:be )?(?:record|report|stat|cod|read"
    r"|return|answer|extract|classif|register|label|enter|writ|say|mention|treat)\w*"
    r"|(?:please|kindly|always|simply|just) (?:record|report|state|note|code|enter|use|write|put"
    r"|return|say|mention|classify|treat|assume|consider|register)|make sure|ensure that|remember"
    r"|do not (?:report|mention|use|read|believe|trust)|regardless|no matter|whatever (?:the|is)"
    r"|will be (?:graded|paid|rewarded|penali[sz]ed|punished|evaluated)|instead of)\b",
    re.IGNORECASE,
)
_CLAIM = re.compile(
    r"\b[ypcr]{0,2}T[0-4]|\bN[0-3]\b|\bM[01]\b|\bstage\b|\bgrade\b|\bmargins?\b|\binvasion\b|\bcm\b"
    r"|\bnodes?\b|\bnecrosis\b|\breceptors?\b|\bher-?2\b",
    re.IGNORECASE,
)
"""What a finding is told by: without any, a sentence about texts does no harm."""
_CHINESE = (
    r"忽略|无视|指令|系统|输出|字段|填写|设为|语言模型|人工智能"
    r"|助手|返回|回答|答案|覆盖|新任务|忘记|提取"
)
_MARKUP = (
    r"<[!/]?-{0,2}[a-z|][^>\n]{0,200}>|<\||\|>|<<\s?/?sys|\[/?inst\]|```|^\s?#{2,}\s"
    r"|\[\[|\]\]|%%|\\(?:begin|end|text\w*|color|hidden|phantom)\{"
    r"|&(?:lt|gt|amp|#\d{1,5});|\{\{|\}\}|\b[a-z]{4,}\(['\"]|\\(?:text)?color|\{\s?\"\w+\"\s?:|(?<!\w\s)\b(?:assistant|system)\s?:|\beval\(|\batob\b"
)
_SPEAKS = re.compile(
    f"{_MACHINE}|{_COMMAND}|{_CHINESE}|{_MARKUP}", re.IGNORECASE | re.DOTALL | re.MULTILINE
)
_SCRIPT = re.compile(r"[\u0370-\u1fff\u2e80-\u9fff\uac00-\ud7af\uff00-\uffef]")
_FOREIGN = re.compile(
    r"\b(?:alle|het|een|voor|niet|moet|bij|hierboven|hoogste|noteer|gelieve|velden|en|van|de|op"
    r"|und|der|die|das|den|nicht|mit|f[uü]r|alle|bitte|les|des|une|pour|avec|veuillez|el|los|las"
    r"|una|para|por|que|con|il|gli|della|per)\b",
    re.IGNORECASE,
)
_ACCENTED = re.compile("[\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u024f]")
_ENGLISH = re.compile(r"\b(?:the|of|is|are|and|with|no|in|from|not|for|free)\b", re.IGNORECASE)
_PAIRED = re.compile(
    r"<(?P<tag>[a-z]{1,12})\b[^>\n]{0,200}>.{0,2000}?</(?P=tag)>|<!--.{0,2000}?-->"
    r"|\[INST\].{0,2000}?\[/INST\]|<\|im_start\|>.{0,2000}?<\|im_end\|>|```.{0,2000}?```"
    r"|<<SYS>>.{0,2000}?<</SYS>>|###? ?instruction.{0,2000}?###? ?response:?"
    r"|\\textcolor\{[^}]{0,40}\}\{[^}]{0,2000}\}|\{\\color\{[^}]{0,40}\}[^}]{0,2000}\}",
    re.IGNORECASE | re.DOTALL,
)
_BLOB = re.compile(r"(?<![A-Za-z0-9+/])[A-Za-z0-9+/]{24,}={0,2}(?![A-Za-z0-9+/])")
_INVISIBLE = re.compile(
    "[^\n]{0,80}[\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff\U000e0000-\U000e007f][^\n]{0,80}"
)
_SENTENCE = re.compile(r"[^.;。\n]+(?:[.;。](?=\d)[^.;。\n]+)*[.;。]?")
_CARRIES_ON = 2
"""Sentences of the same line after one that speaks to a machine, which are taken with it."""


def without_instructions(text: str) -> str:
    """The report with whatever speaks to a machine blanked out; every place stays where it was."""
    for start, end in instructions(text):
        text = text[:start] + " " * (end - start) + text[end:]
    return text


def instructions(text: str) -> Iterator[tuple[int, int]]:
    """Where a report speaks to a machine: markup, hidden and encoded text, commands."""
    for pattern in (_PAIRED, _INVISIBLE):
        yield from (match.span() for match in pattern.finditer(text))
    for blob in _BLOB.finditer(text):
        if _is_text(blob[0]):
            yield blob.span()
    yield from _sentences(text)


def _sentences(text: str) -> Iterator[tuple[int, int]]:
    """Sentences that match, each with the next few of its line, which may carry on.

    In a report in English, a sentence in another script or language is not the report's own.
    """
    english = len(_ENGLISH.findall(text)) > len(_FOREIGN.findall(text))
    english &= len(_SCRIPT.findall(text)) < 0.1 * len(text)
    for line in re.finditer(r"[^\n]+", text):
        left = 0
        for sentence in _SENTENCE.finditer(line[0]):
            strange = bool(_SPEAKS.search(sentence[0])) or (english and _is_foreign(sentence[0]))
            strange |= bool(_CLAIM.search(sentence[0]) and _ABOUT_TEXTS.search(sentence[0]))
            left = _CARRIES_ON + 1 if strange else left - 1
            if left > 0:
                yield line.start() + sentence.start(), line.start() + sentence.end()


def _is_foreign(sentence: str) -> bool:
    words = {word.lower() for word in _FOREIGN.findall(sentence)}
    claims = words and not _ENGLISH.search(sentence) and _ACCENTED.search(sentence)
    return len(words) > 1 or bool(claims) or _SCRIPT.search(sentence) is not None


def _is_text(blob: str) -> bool:
    """Whether base64 decodes to something readable, or to base64 again."""
    try:
        decoded = base64.b64decode(blob + "=" * (-len(blob) % 4), validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return False
    return sum(letter.isprintable() for letter in decoded) > 0.9 * len(decoded)
