"""What a rule saw in a report, and which of several sightings is believed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from sequela.knowledge.schema import FIELDS, Evidence, Finding


@dataclass(frozen=True)
class Candidate:
    """A value that a rule read at a place.

    Attributes:
        value: In the field's vocabulary.
        start: First character of the words that say so.
        end: One past the last.
        rank: How explicit the words are; 0 is best.
    """

    value: str
    start: int
    end: int
    rank: int = 0


Reader = Callable[[str], Iterable[Candidate]]
Choice = Callable[[Sequence[Candidate]], Candidate | None]


def most_frequent(candidates: Sequence[Candidate]) -> Candidate | None:
    """The value seen most often; none where two are seen equally often."""
    counts = Counter(candidate.value for candidate in candidates).most_common(2)
    if len(counts) > 1 and counts[0][1] == counts[1][1]:
        return None
    return first([each for each in candidates if each.value == counts[0][0]])


def first(candidates: Sequence[Candidate]) -> Candidate | None:
    """The value seen first."""
    return min(candidates, key=lambda each: each.start)


def gravest(*order: str) -> Choice:
    """The first sighting of the value that comes last in `order`."""

    def choose(candidates: Sequence[Candidate]) -> Candidate | None:
        return max(candidates, key=lambda each: (order.index(each.value), -each.start))

    return choose


def agreed(candidates: Sequence[Candidate]) -> Candidate | None:
    """The value seen first; none where two are seen."""
    return first(candidates) if len({each.value for each in candidates}) == 1 else None


def settle(field: str, text: str, candidates: Iterable[Candidate], choose: Choice) -> Finding:
    """The finding that the most explicit candidates support, or unknown.

    Args:
        field: A name of the schema.
        text: The report that was read.
        candidates: What the rules of the field saw; values outside its vocabulary are dropped.
        choose: Which of equally explicit candidates is believed; None where they contradict.
    """
    fitting = [each for each in candidates if FIELDS[field].admits(each.value)]
    if not fitting:
        return Finding(field)
    best = min(each.rank for each in fitting)
    chosen = choose([each for each in fitting if each.rank == best])
    if chosen is None:
        return Finding(field)
    words = text[chosen.start : chosen.end]
    return Finding(field, chosen.value, Evidence(chosen.start, chosen.end, words))
