"""What the maps of claims are worth: planted patches found, and risks moved by deletion."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sequela.report.estimates import Estimate, printed
from sequela.report.tables import Cell, Column, Table

_SOURCES = {
    "slide": "patches",
    "genes": "gene sets (expression)",
    "mutation": "gene sets (mutations)",
    "copy_number": "gene sets (copy number)",
}
_DELETED = (
    Column("deleted"),
    Column("most looked at", "most", style="number"),
    Column("at random", "random", style="number"),
    Column("least", "least", style="number"),
    Column("most, by shuffled weights", "shuffled", style="number"),
    Column("most − random", "beyond_random", style="number", signed=True),
    Column("most − shuffled", "beyond_shuffled", style="number", signed=True),
)
_FOUND = (
    Column("maps"),
    Column("hits", style="text"),
    Column("share", style="number"),
    Column("AUC of patches", "auc", style="number"),
)


def claim_tables(explanations: Mapping[str, Any]) -> tuple[Table, ...]:
    """The tables of the checks; none for maps of images, or where nothing could be asked."""
    checks = explanations.get("checks") or {}
    return (*_deletion(checks.get("deletion") or ()), *_pointing(checks))


def in_short(explanations: Mapping[str, Any]) -> tuple[str, ...]:
    """What the deletion test came to, a sentence a source, the bad news too."""
    checks = explanations.get("checks") or {}
    by_source: dict[str, list[Mapping[str, Any]]] = {}
    for one in checks.get("deletion") or ():
        by_source.setdefault(str(one["source"]), []).append(one)
    return tuple(_sentence(one) + _elsewhere(one, rest) for one, *rest in by_source.values())


def _elsewhere(one: Mapping[str, Any], rest: Sequence[Mapping[str, Any]]) -> str:
    """Whether other shares say the same; empty where they do."""
    found = _above_zero(one["beyond_random"])
    differ = [
        f"{float(each['share']):.0%}"
        for each in rest
        if _above_zero(each["beyond_random"]) != found
    ]
    if not differ:
        return ""
    return f" At {' and '.join(differ)} {'no' if found else 'a'} difference from chance is shown."


def _sentence(one: Mapping[str, Any]) -> str:
    most, by_chance = (float(one[name]["value"]) for name in ("most", "random"))
    what = _SOURCES[str(one["source"])]
    start = (
        f"Without the {float(one['share']):.0%} of {what} that are looked at most, the risk score "
        f"moves by {printed(most)}; without as many others by {printed(by_chance)}"
    )
    faithful = _above_zero(one["beyond_random"])
    if not faithful:
        return f"{start}: no difference is shown, so these maps do not say what moved the risk."
    if not _above_zero(one["beyond_shuffled"]):
        return (
            f"{start}. But shuffled weights look at what moves it as much: the maps show how the "
            "model is built, not what it has learned."
        )
    return f"{start}, and more than what shuffled weights look at."


def _above_zero(node: Mapping[str, Any]) -> bool:
    return node["low"] is not None and float(node["low"]) > 0


def _deletion(found: Any) -> tuple[Table, ...]:
    rows: list[tuple[Cell, ...]] = [
        (
            f"{float(one['share']):.0%} of {_SOURCES[str(one['source'])]}",
            *(Estimate.of(one[column.key]) for column in _DELETED[1:]),
        )
        for one in found
    ]
    if not rows:
        return ()
    people = max(int(one["patients"]) for one in found)
    notes = (
        "At least one is deleted. Mean change of the risk score, either way. “By shuffled "
        "weights”: the order comes from the same model with the weights of each layer shuffled, "
        "the score from the trained one.",
        "Gene sets are deleted where the network reads them; a straight way past the network still "
        "reads their genes.",
    )
    caption = f"What deleting what claims look at does to the risk, {people} test patients"
    return (Table("deletion", caption, _DELETED, tuple(rows), notes),)


def _pointing(checks: Mapping[str, Any]) -> tuple[Table, ...]:
    rows: list[tuple[Cell, ...]] = []
    for one in checks.get("pointing") or ():
        if "auc" not in one:
            return ()
        hits = f"{float(one['hits']):g} of {int(one['maps'])}"
        rows.append((str(one["name"]), hits, Estimate.of(one["share"]), Estimate.of(one["auc"])))
    for one in checks.get("beyond") or ():
        rows.append((str(one["name"]), None, Estimate.of(one["share"]), Estimate.of(one["auc"])))
    if not rows:
        return ()
    people = int(checks["pointing"][0]["patients"])
    return (
        Table(
            "planted-patches",
            f"Whether claims find the simulated patches that are like them, {people} patients",
            _FOUND,
            tuple(rows),
            (
                "A hit is a map that peaks on a patch like its claim. AUC: the chance that a patch "
                "like the claim is looked at more than another of the slide. Intervals by patient.",
            ),
        ),
    )
