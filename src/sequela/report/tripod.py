"""The 27 items of TRIPOD+AI, filled from what a run knows; the rest is for the authors to write."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sequela.report.evidence import Evidence
from sequela.report.results import ModelResult
from sequela.report.tables import Column, Table
from sequela.report.tripod_items import ITEMS, Told

NOT_AVAILABLE = "not available: no run knows this; the authors must write it"


@dataclass(frozen=True)
class Item:
    """One item of the checklist.

    Attributes:
        number: 1 to 27.
        section: Of a paper.
        topic: In a word or two.
        asks: What is to be reported, in our words.
        filled: What the run says to it, empty where nothing.
    """

    number: int
    section: str
    topic: str
    asks: str
    filled: str

    @property
    def available(self) -> bool:
        """Whether the run says anything."""
        return bool(self.filled)


def checklist(evidence: Evidence, results: Sequence[ModelResult]) -> tuple[Item, ...]:
    """The items in order.

    Source: Collins et al., TRIPOD+AI, BMJ 2024; the wording is ours.
    """
    told = Told(evidence, results)
    return tuple(
        Item(number, section, topic, asks, " ".join(fill(told).split()) if fill else "")
        for number, (section, topic, asks, fill) in enumerate(ITEMS, 1)
    )


def checklist_table(items: Sequence[Item]) -> Table:
    """The checklist as a table."""
    columns = (
        Column("Item", "item", "count"),
        Column("Section"),
        Column("Topic"),
        Column("To report", "to_report"),
        Column("This run", "this_run"),
    )
    rows = tuple(
        (one.number, one.section, one.topic, one.asks, one.filled or NOT_AVAILABLE) for one in items
    )
    filled = sum(one.available for one in items)
    note = (
        f"{filled} of {len(items)} items say what the run knows; the authors read and complete "
        "each. Items after Collins et al., BMJ 2024, in our words."
    )
    return Table("tripod-ai", "TRIPOD+AI checklist", columns, rows, (note,))
