"""What a study file asks, and where it is answered; read without torch."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, field_validator

from sequela.settings import Settings


def _as_lines(value: Any, place: str = "") -> Any:
    """Sections written as a mapping, as `section.key=value`; a list is left as it is."""
    if not isinstance(value, Mapping):
        return value if not place else [f"{place}={json.dumps(value)}"]
    parts = {f"{place}.{key}" if place else str(key): inner for key, inner in value.items()}
    return [line for name, inner in parts.items() for line in _as_lines(inner, name)]


Lines = Annotated[tuple[str, ...], BeforeValidator(_as_lines)]


class StudyEntry(Settings):
    """One row of the study's tables.

    Attributes:
        variant: A variant or a baseline.
        name: What the tables call it; the variant if empty.
        settings: Of this entry alone: `section.key=value` each, or a mapping of sections.
        seeds: Instead of the study's.
        ensemble: Also the mean of what its seeds predict, as a model LABEL-ensemble.
    """

    variant: str
    name: str = Field("", pattern=r"^[\w.+-]*$")
    settings: Lines = ()
    seeds: tuple[int, ...] | None = None
    ensemble: bool = False

    @property
    def label(self) -> str:
        """What the tables call it."""
        return self.name or self.variant


class StudySettings(Settings):
    """A study file.

    Attributes:
        cohort: The cohort's folder, seen from the file's.
        name: Of the study's folder; the file's name if empty.
        configuration: A configuration file, seen from this one; the cohort's own if not given.
        settings: For all entries: `section.key=value` each, as on the line of `sequela train`, or
            a mapping of sections, as in `sequela.yaml`.
        seeds: Each entry is run once with each; folds and repeats are `split.folds` and
            `split.repeats`.
        entries: A variant or baseline each, or a mapping with one.
    """

    cohort: Path
    name: str = Field("", pattern=r"^[\w.+-]*$")
    configuration: Path | None = None
    settings: Lines = ()
    seeds: tuple[int, ...] = Field((0,), min_length=1)
    entries: tuple[StudyEntry, ...] = Field(min_length=1)

    @field_validator("entries", mode="before")
    @classmethod
    def _names_are_entries(cls, value: Any) -> Any:
        if not isinstance(value, list | tuple):
            return value
        return [{"variant": one} if isinstance(one, str) else one for one in value]

    def folder(self, file: Path, work: Path | None) -> Path:
        """Where the study that `file` describes stands: `studies/NAME` in the work folder."""
        work = work or file.parent / self.cohort / "work"
        return work / "studies" / (self.name or file.stem)
