"""A study: entries × seeds × folds over one cohort, as a YAML file asks for them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from sequela.errors import UsageError
from sequela.models.build import variant
from sequela.settings import read_settings
from sequela.storage import fingerprint
from sequela.training.baselines import baseline_name
from sequela.training.configuration import Configuration
from sequela.training.ensemble import SUFFIX
from sequela.training.pretraining import NAME as PRETRAINING
from sequela.training.project import Project
from sequela.training.stages import require_known
from sequela.training.study_file import StudyEntry, StudySettings

OF_AN_ENTRY = ("model", "head", "pretrain", "train")
"""Sections that one entry may set apart from the others; the rest is what makes them comparable."""


@dataclass(frozen=True)
class Member:
    """One entry with one seed; its project knows the entry's configuration and runs' names."""

    label: str
    variant: str
    seed: int
    project: Project


@dataclass(frozen=True)
class Study:
    """What is asked, and where it stands.

    Attributes:
        name: Of the study.
        folder: `studies/NAME` in the work folder: runs, predictions, numbers, tables.
        project: The cohort with the configuration that all entries share.
        entries: In the order of the file.
        members: Every entry with each of its seeds.
    """

    name: str
    folder: Path
    project: Project
    entries: tuple[StudyEntry, ...]
    members: tuple[Member, ...]

    @property
    def labels(self) -> tuple[str, ...]:
        """What the tables call its entries."""
        return tuple(entry.label for entry in self.entries)


def read_study(file: Path, overrides: Sequence[str] = (), work: Path | None = None) -> Study:
    """The study that a file describes.

    Args:
        file: YAML, as `StudySettings`.
        overrides: `section.key=value` for all entries, after those of the file.
        work: Where all that is made goes; `work` in the cohort's folder unless said otherwise.

    Raises:
        UsageError: If the file holds what cannot be used, a name stands twice, or an entry sets
            what the entries of a study have in common.
    """
    asked = read_settings(StudySettings, file)
    require_known([entry.variant for entry in asked.entries])
    _require_distinct(asked.entries)
    here = file.parent
    cohort = here / asked.cohort
    base = _base_file(cohort, here / asked.configuration if asked.configuration else None)
    shared = (*asked.settings, *overrides)
    project = Project.open(cohort, work, read_settings(Configuration, base, shared))
    folder = asked.folder(file, project.work)
    members = tuple(
        _member(entry, seed, replace(project, runs=folder / "runs"), base, shared)
        for entry in asked.entries
        for seed in entry.seeds or asked.seeds
    )
    return Study(folder.name, folder, project, asked.entries, members)


def _base_file(cohort: Path, named: Path | None) -> Path | None:
    own = cohort / "sequela.yaml"
    return named or (own if own.is_file() else None)


def _require_distinct(entries: Sequence[StudyEntry]) -> None:
    names = [entry.label for entry in entries]
    names += [f"{entry.label}{SUFFIX}" for entry in entries if entry.ensemble]
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise UsageError(
            f"{len(twice)} name(s) stand more than once in the study",
            hint="give entries of the same variant a `name` each",
            items=tuple(twice),
        )
    foreign = tuple(
        f"{entry.label}: {setting}"
        for entry in entries
        for setting in entry.settings
        if setting.partition(".")[0] not in OF_AN_ENTRY or setting.startswith("train.seed")
    )
    if foreign:
        raise UsageError(
            "entries of one study differ in their model and its fitting alone",
            hint=f"set {', '.join(OF_AN_ENTRY)} in an entry, seeds under `seeds`, and all else "
            "in the study's settings, for every entry",
            items=foreign,
        )


def _member(
    entry: StudyEntry, seed: int, project: Project, base: Path | None, shared: Sequence[str]
) -> Member:
    seeds = (f"train.seed={seed}", f"pretrain.seed={seed}")
    configuration = read_settings(Configuration, base, (*shared, *entry.settings, *seeds))
    names: Mapping[str, str] = {
        entry.variant: f"{entry.label}-seed{seed}",
        PRETRAINING: f"aligned-{_alignment(configuration)[:8]}",
    }
    member = replace(project, configuration=configuration, names=names)
    return Member(entry.label, entry.variant, seed, member)


def _alignment(configuration: Configuration) -> str:
    """What alignment depends on; entries that agree in it share one."""
    model = configuration.model.model_dump(mode="json")
    parts = [
        getattr(configuration, name).model_dump_json()
        for name in ("protocol", "split", "images", "text", "pretrain")
    ]
    return fingerprint(*parts, *(str(model.get(key)) for key in ("image", "text", "dim")))


def aligning_project(study: Study, member: Member) -> Project:
    """The project in which a member's alignment is made, the same for all that share it.

    Of the model section it holds what alignment reads: both encoders and the width.
    """
    asked, model = member.project.configuration, study.project.configuration.model
    own = asked.model.model_dump()
    seen = {key: own[key] for key in ("image", "text", "dim") if key in own}
    train = study.project.configuration.train
    configuration = asked.evolve(
        model=model.evolve(**seen).model_dump(),
        train=train.model_dump(),
        head=study.project.configuration.head.model_dump(),
    )
    return replace(member.project, configuration=configuration)


def starts_aligned(member: Member) -> bool:
    """Whether a member's weights come from an alignment."""
    if baseline_name(member.variant):
        return False
    return variant(member.variant, member.project.configuration.model).pretrained_alignment
