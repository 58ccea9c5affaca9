"""A small cohort as plain text files, and the means to plant a fault in it."""

from __future__ import annotations

import copy
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

sys.path.append(str(Path(__file__).parent))  # plants.py

Tables = dict[str, list[dict[str, Any]]]
Write = Callable[..., Path]

MANIFEST: dict[str, Any] = {
    "name": "little",
    "synthetic": True,
    "endpoints": {
        "recurrence": {"causes": {1: "recurrence", 2: "death without recurrence"}, "cause": 1}
    },
    "clinical": {
        "age": {"kind": "numeric", "unit": "years"},
        "grade": {"kind": "ordinal", "levels": ["1", "2", "3"]},
    },
    "tables": {
        name: {"file": f"{name}.csv"}
        for name in ("patients", "outcomes", "exams", "images", "texts")
    },
}

VIEWS = (("L", "CC"), ("L", "MLO"), ("R", "CC"), ("R", "MLO"))


def little_tables(patients: int = 4, exams: int = 3) -> Tables:
    """Each patient has exams on days 0, 365 and 730, a report a day after each, and an outcome."""
    tables: Tables = {name: [] for name in MANIFEST["tables"]}
    for number in range(patients):
        patient = f"P{number}"
        site = f"S{number % 2}"
        tables["patients"].append(
            {"patient_id": patient, "site": site, "age": 50 + number, "grade": 1 + number % 3}
        )
        tables["outcomes"].append(
            {
                "patient_id": patient,
                "endpoint": "recurrence",
                "time": 900 + 10 * number,
                "event": number % 2,
            }
        )
        for visit in range(exams):
            exam = f"{patient}-E{visit}"
            tables["exams"].append(
                {"exam_id": exam, "patient_id": patient, "day": 365 * visit, "vendor": "V"}
            )
            tables["texts"].append(
                {
                    "text_id": f"{exam}-T",
                    "patient_id": patient,
                    "day": 365 * visit,
                    "kind": "report",
                    "text": f"No sign of recurrence at visit {visit}.",
                    "exam_id": exam,
                    "available_day": 365 * visit + 1,
                }
            )
            tables["images"] += [
                {
                    "image_id": f"{exam}-{side}{view}",
                    "exam_id": exam,
                    "side": side,
                    "view": view,
                    "path": f"dicom/{exam}-{side}{view}.dcm",
                }
                for side, view in VIEWS
            ]
    return tables


def write_tables(folder: Path, tables: Tables, manifest: dict[str, Any] | None = None) -> Path:
    """Write a cohort folder; every image is an empty file."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "cohort.yaml").write_text(yaml.safe_dump(manifest or MANIFEST, sort_keys=False))
    for name, rows in tables.items():
        header = list(dict.fromkeys(key for row in rows for key in row))
        lines = [header, *([_cell(row.get(key)) for key in header] for row in rows)]
        text = "".join(",".join(map(str, line)) + "\n" for line in lines)
        (folder / f"{name}.csv").write_text(text, encoding="utf-8")
    for row in tables.get("images", []):
        path = folder / row["path"]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return folder


def _cell(value: Any) -> str:
    text = "" if value is None else str(value)
    return '"' + text.replace('"', '""') + '"' if any(mark in text for mark in ',"\n') else text


@pytest.fixture
def little() -> Callable[..., Tables]:
    return little_tables


@pytest.fixture
def tables() -> Tables:
    return little_tables()


@pytest.fixture
def manifest() -> dict[str, Any]:
    return copy.deepcopy(MANIFEST)


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def written(tables: Tables, manifest: dict[str, Any] | None = None) -> Path:
        return write_tables(tmp_path / "cohort", tables, manifest)

    return written
