"""A cohort, a work folder and a configuration: all that a stage needs, read once."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from sequela.cohort.cohort import Cohort, read_cohort
from sequela.cohort.selection import Selection, select_cases
from sequela.cohort.splits import Splits
from sequela.encoders.text import resolved
from sequela.errors import DataError, LeakageError, LockedError
from sequela.modalities.store import ImageStore
from sequela.modalities.text import load_tokenizer
from sequela.models.build import LuminConfig, ModelConfig
from sequela.training.configuration import Configuration
from sequela.training.judgement import Target
from sequela.training.sampling import Rows
from sequela.training.vocabulary import tokenizer_fingerprint

TINY = "tiny"
OWN = "language-model"
_MADE_BY = {TINY: ("text-encoder", "prepare"), OWN: (OWN, "pretrain-text")}
PROVENANCE = "provenance.json"
"""What a text encoder of our own says of where it comes from."""


@dataclass(frozen=True)
class Fold:
    """One division of the patients, by its place in `splits.csv`."""

    repeat: int = 0
    fold: int = 0


@dataclass(frozen=True)
class Project:
    """What is read from a cohort folder, and where everything made of it stands.

    Attributes:
        cohort: The tables.
        work: The folder for all that is made.
        configuration: What is asked.
        selection: The cases that the protocol makes.
        runs: The folder of its runs; `runs` in the work folder unless said otherwise.
        names: What a run is called instead of by its stage or variant, as in a study.
    """

    cohort: Cohort
    work: Path
    configuration: Configuration
    selection: Selection
    runs: Path | None = None
    names: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def open(
        cls, folder: Path, work: Path | None = None, configuration: Configuration | None = None
    ) -> Project:
        """Read a cohort folder; `work` is `work` inside it unless said otherwise."""
        configuration = configuration or Configuration()
        cohort = read_cohort(folder)
        selection = select_cases(cohort, configuration.protocol)
        return cls(cohort, work or folder / "work", configuration, selection)

    @cached_property
    def splits(self) -> Splits:
        """The division that `prepare` drew.

        Raises:
            DataError: If nothing has been prepared.
            LockedError: If it is not a division of this cohort.
        """
        splits = Splits.read(self.work)
        splits.require_patients(self.selection)
        return splits

    @cached_property
    def folds(self) -> tuple[Fold, ...]:
        """Every division of the patients."""
        pairs = self.splits.table.select("repeat", "fold").unique().sort("repeat", "fold")
        return tuple(Fold(repeat, fold) for repeat, fold in pairs.iter_rows())

    @cached_property
    def prepared(self) -> ImageStore | None:
        """The prepared images, None where the cohort has none.

        Raises:
            DataError: If they are not prepared yet.
        """
        return ImageStore.open(self.work / "prepared") if self.cohort.image_paths else None

    @property
    def store(self) -> ImageStore | None:
        """The prepared images, if they are those that the configuration asks for.

        Raises:
            DataError: If they are not prepared yet.
            LockedError: If they were prepared by another pixel policy.
        """
        store = self.prepared
        if store and store.policy.fingerprint != self.configuration.images.fingerprint:
            raise LockedError(
                "the prepared images were made by another pixel policy than the configuration's",
                hint="run `sequela prepare` again, or take back the change in the images section",
            )
        return store

    @property
    def target(self) -> Target:
        """What is predicted."""
        protocol = self.configuration.protocol
        endpoint = self.cohort.manifest.endpoints[protocol.endpoint]
        return Target(endpoint.cause, protocol.label_horizon)

    def rows(self, part: str, fold: Fold) -> Rows:
        """The cases of one part's patients."""
        chosen = self.patients(part, fold)
        return np.flatnonzero([case.patient_id in chosen for case in self.selection.cases])

    def patients(self, part: str, fold: Fold) -> set[str]:
        """The ids of one part's patients."""
        parts = self.splits.of(fold.repeat, fold.fold)
        return {patient for patient, given in parts.items() if given == part}

    def name(self, base: str, fold: Fold) -> str:
        """The name of a run; the fold is part of it where there are several."""
        return base if len(self.folds) == 1 else f"{base}-{fold.repeat}-{fold.fold}"

    def run_folder(self, base: str, fold: Fold) -> Path:
        """Where a run stands."""
        runs = self.runs or self.work / "runs"
        return runs / self.name(self.names.get(base, base), fold)

    def text_encoder(self, fold: Fold) -> str:
        """The folder or hub name of the text encoder; one of our own belongs to a fold."""
        asked = self.configuration.text.encoder
        if asked not in _MADE_BY:
            return asked
        return str(self.work / self.name(_MADE_BY[asked][0], fold))

    def tokenizer(self, fold: Fold) -> Any:
        """The text encoder's tokenizer, None where the cohort has no texts.

        Raises:
            DataError: If an encoder of our own has not been made yet.
            LeakageError: If it was made from patients that this fold predicts.
        """
        if not self.has_texts:
            return None
        encoder, asked = self.text_encoder(fold), self.configuration.text.encoder
        if asked in _MADE_BY and not Path(encoder).is_dir():
            raise DataError(
                f"the {asked} text encoder has not been made yet",
                hint=f"run `sequela {_MADE_BY[asked][1]}` first",
            )
        self._require_unseen(encoder, fold)
        return load_tokenizer(encoder)

    def _require_unseen(self, encoder: str, fold: Fold) -> None:
        """Refuse an encoder that has read notes of the fold's validation or test patients."""
        file = Path(encoder) / PROVENANCE
        if not file.is_file():
            return
        told = json.loads(file.read_text(encoding="utf-8"))
        there = (told["splits"], told["repeat"], told["fold"])
        here = (self.splits.fingerprint, fold.repeat, fold.fold)
        if told["cohort"] == self.cohort.fingerprint and there != here:
            raise LeakageError(
                f"the text encoder {Path(encoder).name} was trained on notes of this cohort by "
                "another division: it has read notes of patients that are to be predicted",
                hint=f"set text.encoder={OWN} and run `sequela pretrain-text`: a fold has its own",
            )

    @cached_property
    def has_texts(self) -> bool:
        """Whether any case sees a text."""
        return any(exam.texts for case in self.selection.cases for exam in case.exams)

    def model(self, fold: Fold) -> ModelConfig:
        """The model that is configured, less what the cohort lacks; its text encoder described."""
        config = self.configuration.model
        if isinstance(config, LuminConfig):
            image = config.image if self.cohort.image_paths else None
            text = config.text if self.has_texts else None
            config = config.evolve(image=image, text=text) if image or text else config
        if not isinstance(config, LuminConfig) or config.text is None or not self.has_texts:
            return config
        encoder = config.text.evolve(encoder=self.text_encoder(fold), architecture=None)
        return config.evolve(text=resolved(encoder))

    def fingerprints(self, tokenizer: Any) -> dict[str, str | None]:
        """What the data are, so that a run can tell when they have changed."""
        store = self.store
        return {
            "cohort": self.cohort.fingerprint,
            "splits": self.splits.fingerprint,
            "pixels": store.policy.fingerprint if store else None,
            "images": store.fingerprint if store else None,
            "tokenizer": tokenizer_fingerprint(tokenizer),
        }
