"""What the report is made from: the files of a work folder, read once; absent ones are None."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import polars as pl
import yaml

from sequela.errors import DataError
from sequela.report.names import label


@dataclass(frozen=True)
class RunRecord:
    """What a run folder says about itself.

    Attributes:
        name: The folder's name.
        config: The resolved configuration.
        versions: Where it was last worked on: platform, processor, packages.
        identity: Stage, variant, fold, and fingerprints of all that went in.
        epochs: Lines of the log that report an epoch.
    """

    name: str
    config: Mapping[str, Any]
    versions: Mapping[str, Any]
    identity: Mapping[str, Any]
    epochs: Sequence[Mapping[str, Any]]

    @property
    def label(self) -> str:
        """What a figure of the run is called."""
        return label(self.name)


@dataclass(frozen=True)
class Evidence:
    """The contents of a work folder; what it does not hold is None or empty.

    Attributes:
        folder: The work folder.
        evaluation: `evaluation.json`.
        exclusions: `exclusions.csv`.
        splits: `splits.csv`.
        split_settings: `splits.json`.
        runs: The run folders, by name.
        prepared: `prepared/prepared.json`.
        quality: `prepared/images.parquet`, a row an image.
        contact_sheet: Where `prepared/contact-sheet.png` stands.
        explanations: `explanations/explanations.json`.
        manifest: `cohort.yaml` of the cohort folder that the work folder stands in.
        audit: `audit.json`.
        study: `study.json`, where the folder is a study's.
        pages: The folder of the patients' pages, seen from the report.
    """

    folder: Path
    evaluation: Mapping[str, Any]
    exclusions: pl.DataFrame | None = None
    splits: pl.DataFrame | None = None
    split_settings: Mapping[str, Any] = field(default_factory=dict)
    runs: tuple[RunRecord, ...] = ()
    prepared: Mapping[str, Any] = field(default_factory=dict)
    quality: pl.DataFrame | None = None
    contact_sheet: Path | None = None
    explanations: Mapping[str, Any] = field(default_factory=dict)
    manifest: Mapping[str, Any] = field(default_factory=dict)
    audit: Mapping[str, Any] = field(default_factory=dict)
    study: Mapping[str, Any] = field(default_factory=dict)
    pages: str = "explanations"

    @property
    def config(self) -> Mapping[str, Any]:
        """The configuration of the first run; what the page says in words is shared by all."""
        return next((run.config for run in self.runs if run.config), {})


def gather(work: Path, base: Path | None = None) -> Evidence:
    """Read a work folder, or an evaluation that stands by itself.

    Args:
        work: The folder with `evaluation.json`, runs and explanations, of a study its own; or a
            file like `evaluation.json`, beside which nothing is looked at.
        base: The work folder with the division and the prepared images, where it is another.

    Raises:
        DataError: If there is no `evaluation.json`, or a file is not what its name says.
    """
    if work.is_file():
        return Evidence(folder=work.parent, evaluation=_json(work))
    evaluation = work / "evaluation.json"
    if not evaluation.is_file():
        raise DataError(
            f"{work.name} has no evaluation.json to report",
            hint="run `sequela evaluate` first",
        )
    base = base or work
    prepared = base / "prepared"
    sheet = prepared / "contact-sheet.png"
    quality = prepared / "images.parquet"
    return Evidence(
        folder=work,
        evaluation=_json(evaluation),
        exclusions=_csv(base / "exclusions.csv"),
        splits=_csv(base / "splits.csv"),
        split_settings=_json(base / "splits.json"),
        runs=tuple(_run(folder) for folder in sorted((work / "runs").glob("*/"))),
        prepared=_json(prepared / "prepared.json"),
        quality=pl.read_parquet(quality) if quality.is_file() else None,
        contact_sheet=sheet if sheet.is_file() else None,
        explanations=_json(work / "explanations" / "explanations.json"),
        manifest=_yaml(base.parent / "cohort.yaml"),
        audit=_json(base / "audit.json"),
        study=_json(work / "study.json"),
    )


def beside(evidence: Evidence, out: Path) -> Evidence:
    """The same, for a report that stands at `out`: where from there the patients' pages are."""
    folder = (evidence.folder / "explanations").resolve()
    return replace(evidence, pages=Path(os.path.relpath(folder, out.parent.resolve())).as_posix())


def _run(folder: Path) -> RunRecord:
    log = folder / "log.jsonl"
    lines = log.read_text(encoding="utf-8").splitlines() if log.is_file() else []
    epochs = [line for line in (_line(text) for text in lines) if "train_loss" in line]
    config = _yaml(folder / "config.yaml")
    environments = _json(folder / "versions.json").get("environments") or [{}]
    identity = _json(folder / "identity.json")
    return RunRecord(folder.name, config, environments[-1], identity, epochs)


def _line(text: str) -> Mapping[str, Any]:
    """A line of a log; one that a killed process left half written is no line."""
    try:
        value = json.loads(text)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _csv(path: Path) -> pl.DataFrame | None:
    return pl.read_csv(path, infer_schema=False) if path.is_file() else None


def _yaml(path: Path) -> Mapping[str, Any]:
    if not path.is_file():
        return {}
    try:
        return _mapping(yaml.safe_load(path.read_text(encoding="utf-8")), path)
    except yaml.YAMLError:
        raise _unreadable(path, "YAML") from None


def _json(path: Path) -> Mapping[str, Any]:
    if not path.is_file():
        return {}
    try:
        return _mapping(json.loads(path.read_text(encoding="utf-8")), path)
    except ValueError:
        raise _unreadable(path, "JSON") from None


def _mapping(value: Any, path: Path) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise DataError(f"{path.name} should hold an object, found a {type(value).__name__}")
    return value


def _unreadable(path: Path, kind: str) -> DataError:
    return DataError(
        f"{path.name} is not valid {kind}", hint="run the command that writes it again"
    )
