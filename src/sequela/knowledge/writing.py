"""Background claims of a cohort's cancers: the packaged ones, or written by a language model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from sequela.errors import DataError
from sequela.knowledge.background import MAXIMUM_WORDS, Claim, packaged_pack
from sequela.knowledge.cache import AnswerCache
from sequela.knowledge.client import NoAnswerError
from sequela.knowledge.frozen import FILE_NAME, FrozenKnowledge
from sequela.knowledge.prompts import BACKGROUND_PROMPT, background_prompt
from sequela.knowledge.reading import parsed_object
from sequela.knowledge.refine import CACHE, Ask, known_so_far
from sequela.storage import owned

_CLAIM = TypeAdapter(Claim)


@dataclass(frozen=True)
class Written:
    """Claims by cancer type, who has reviewed them, and the hash of the frozen file."""

    claims: Mapping[str, int]
    review: Mapping[str, str]
    fingerprint: str


def write_background(
    cancers: tuple[str, ...], work: Path, *, ask: Ask | None = None, model: str = ""
) -> Written:
    """Freeze the claims about some cancers in WORK/knowledge.json.

    Args:
        cancers: Cancer types.
        work: Where the frozen file and a model's answers go.
        ask: Puts a prompt to a language model; without one the packaged claims are taken.
        model: The model's name.

    Raises:
        UsageError: If the package has no claims about a cancer type.
        DataError: If a model's answer holds no claim that can be used.
    """
    packs = {cancer: _claims(cancer, work, ask, model) for cancer in cancers}
    with owned(work):
        before = known_so_far(work)
        claims = {**before.claims, **{name: pack[0] for name, pack in packs.items()}}
        review = {name: pack[1] for name, pack in packs.items()}
        origin = dict(before.provenance.get("claims", {}))
        origin |= {name: {"review": review[name], "prompt": _prompt(ask)} for name in packs}
        knowledge = FrozenKnowledge(before.reports, claims, {**before.provenance, "claims": origin})
        knowledge.write(work / FILE_NAME)
    counts = {name: len(items) for name, items in claims.items()}
    return Written(counts, review, knowledge.fingerprint)


def _prompt(ask: Ask | None) -> str:
    return BACKGROUND_PROMPT if ask else ""


def _claims(cancer: str, work: Path, ask: Ask | None, model: str) -> tuple[tuple[Claim, ...], str]:
    if ask is None:
        pack = packaged_pack(cancer)
        return pack.claims, pack.review
    answered = AnswerCache(work / CACHE, model).ask(background_prompt(cancer), ask)
    claims = claims_in(answered.text, cancer) if not answered.failure else ()
    if not claims:
        raise DataError(
            f"the language model wrote no claim about {cancer} that can be used",
            hint="ask another model, or leave --model out to take the packaged claims",
        )
    return claims, f"Written by the language model {model}; nobody has reviewed it."


def claims_in(answer: str, cancer: str) -> tuple[Claim, ...]:
    """The claims of an answer that are whole, up to a hundred words of each modality."""
    try:
        rows = parsed_object(answer).get("claims")
    except NoAnswerError:
        return ()
    words, claims = {"slide": 0, "genes": 0}, list[Claim]()
    for row in rows if isinstance(rows, list) else ():
        claim = _claim(row, cancer, len(claims))
        length = len(claim.text.split()) if claim else 0
        if claim and 0 < length <= MAXIMUM_WORDS - words[claim.modality]:
            words[claim.modality] += length
            claims.append(claim)
    return tuple(claims)


def _claim(row: Any, cancer: str, number: int) -> Claim | None:
    try:
        own = {**row, "id": f"{cancer.lower()}-written-{number + 1}", "cancer_type": cancer}
        return _CLAIM.validate_python(own)
    except (TypeError, ValidationError):
        return None
