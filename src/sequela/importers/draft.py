"""The `cohort.yaml` that an import leaves behind, so that what it wrote can be checked at once."""

from __future__ import annotations

from pathlib import Path

import yaml

from sequela.cohort.manifest import FILE_NAME, Manifest
from sequela.cohort.schema import SCHEMA
from sequela.storage import write_text

_HEAD = """\
# Written by an import; edit it freely. It has no outcomes yet: to train or test on this cohort, add
# outcomes.csv (patient_id, endpoint, time, event), name it under tables, and say what the events
# mean, as in
#   endpoints: {recurrence: {causes: {1: recurrence, 2: death}, cause: 1}}
"""


def draft_manifest(folder: Path) -> tuple[str, ...]:
    """Write `cohort.yaml` for the tables that stand in a folder, or leave the one that is there.

    Args:
        folder: The cohort folder, after an import.

    Returns:
        What the user has to know about it, if anything.
    """
    found = [name for name in SCHEMA if (folder / f"{name}.csv").is_file()]
    if (folder / FILE_NAME).is_file():
        named = Manifest.load(folder).tables.keys()
        lacking = [f"{name}: {{file: {name}.csv}}" for name in found if name not in named]
        return (f"add to tables in {FILE_NAME}: {', '.join(lacking)}",) if lacking else ()
    content: dict[str, object] = {"name": folder.name}
    if "age" in _header(folder / "patients.csv"):
        content["clinical"] = {"age": {"kind": "numeric", "unit": "years"}}
    content["tables"] = {name: {"file": f"{name}.csv"} for name in found}
    write_text(folder / FILE_NAME, _HEAD + yaml.safe_dump(content, sort_keys=False))
    return (f"wrote {FILE_NAME}; outcomes are still to be added to it",)


def _header(path: Path) -> list[str]:
    with path.open(encoding="utf-8") as file:
        return file.readline().strip().split(",")
