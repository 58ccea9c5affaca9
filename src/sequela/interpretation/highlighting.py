"""Weights of tokens as weights of the words of a note, in the note's own spelling."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

Piece = tuple[str, float]
CUT = " […] "
"""Stands where the model did not read on, since the text was too long for it."""


def highlighted(
    text: str, ids: Sequence[int], weights: Sequence[float], tokenizer: Any
) -> list[Piece]:
    """The text in pieces, each with the sum of its tokens' weights; gaps weigh 0.

    Args:
        text: What was tokenised.
        ids: The token ids that the model saw: all, or the head and tail of them.
        weights: One a token id.
        tokenizer: A Hugging Face tokenizer.
    """
    found = tokenizer(text, return_offsets_mapping=True, verbose=False)
    places = kept_places(found["input_ids"], ids)
    spans = [found["offset_mapping"][place] for place in places]
    words = list(_words(text, spans, weights))
    pieces: list[Piece] = []
    end = 0
    for start, stop, weight in words:
        pieces += _gap(text[end:start])
        pieces.append((text[start:stop], weight))
        end = stop
    return pieces + _gap(text[end:])


def kept_places(whole: Sequence[int], kept: Sequence[int]) -> list[int]:
    """Where each kept id stands among all: a head and a tail of them."""
    head = 0
    while head < min(len(kept), len(whole)) and whole[head] == kept[head]:
        head += 1
    tail = len(kept) - head
    return [*range(head), *range(len(whole) - tail, len(whole))]


def _words(
    text: str, spans: Sequence[tuple[int, int]], weights: Sequence[float]
) -> Iterator[tuple[int, int, float]]:
    """Start, end and weight of each run of tokens without a space between."""
    start = end = 0
    total = carried = 0.0
    for (left, right), own in zip(spans, weights, strict=True):
        if left == right:  # a special token, or a space of which the tokenizer gives no place
            carried += own
            continue
        weight, carried = own + carried, 0.0
        inner = right - len(text[left:right].lstrip())
        if inner > end or inner == right:
            if end > start:
                yield start, end, total
            start, total = inner, 0.0
        if inner == right:  # a token of spaces alone
            yield left, right, weight
            start = end = right
        else:
            end, total = right, total + weight
    if end > start:
        yield start, end, total


def _gap(text: str) -> list[Piece]:
    if not text:
        return []
    return [(text, 0.0)] if text.isspace() else [(CUT, 0.0)]
