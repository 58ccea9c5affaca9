"""Sentences that contradict the rest of a report on a code: what else they claim is not believed.

A planted sentence seldom claims one thing. Where it names a T, N, stage or grade that another
sentence denies, nobody knows which of the two is the report's own; so of fields for which one
sighting suffices (a margin reached, a vessel invaded) neither of the two is heard.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from sequela.knowledge.candidates import Candidate
from sequela.knowledge.schema import Evidence

Seen = Mapping[str, Sequence[Candidate]]

_LENGTH_OF_CODE = {"pT": 2, "pN": 2, "stage": 3, "grade": 1}
_MOST_EXPLICIT = 3
"""Ranks below it are codes; the others are words that stand for one, as `poorly`."""
_SENTENCE = re.compile(r"(?:[^.;。\n]|[.](?=\d))+")


def unopposed(seen: Seen, text: str) -> dict[str, list[Candidate]]:
    """The candidates of each field, without those of sentences that others contradict.

    Args:
        seen: What each rule saw; of codes all is kept, for they are weighed by themselves.
        text: Where.
    """
    suspect = contradicting(seen, text)
    return {
        field: [
            each for each in candidates if field in _LENGTH_OF_CODE or not within(each, suspect)
        ]
        for field, candidates in seen.items()
    }


def contradicting(seen: Seen, text: str) -> list[tuple[int, int]]:
    """Where sentences name a code, in a report that names another one elsewhere."""
    return list(_contradicting(seen, text))


def _contradicting(seen: Seen, text: str) -> Iterator[tuple[int, int]]:
    sentences = [match.span() for match in _SENTENCE.finditer(text)]
    for field, length in _LENGTH_OF_CODE.items():
        codes = [
            each
            for each in seen.get(field, ())
            if each.rank < _MOST_EXPLICIT and not each.value.endswith("X")
        ]
        if len({_shortened(each.value, length) for each in codes}) > 1:
            yield from (span for span in sentences if any(within(each, [span]) for each in codes))


def _shortened(value: str, length: int) -> str:
    return value.rstrip("ABC123")[:length] if length == 3 else value[:length]


def within(place: Candidate | Evidence, spans: Sequence[tuple[int, int]]) -> bool:
    """Whether a place touches one of some others."""
    return any(start < place.end and place.start < end for start, end in spans)
