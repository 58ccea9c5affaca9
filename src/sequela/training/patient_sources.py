"""Where a project's genes, reports and claims are: fitted in training, and found again later."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sequela.errors import DataError, LockedError
from sequela.knowledge.background import CANCER_TYPES, read_pack
from sequela.knowledge.frozen import FILE_NAME, FrozenKnowledge
from sequela.knowledge.rules import extract_report
from sequela.knowledge.schema import StructuredReport
from sequela.modalities.patient_inputs import PatientInputs
from sequela.modalities.slide_bags import SlideBags
from sequela.models.peer_config import PatientConfig
from sequela.progress import say
from sequela.storage import owned
from sequela.training.knowledge_tables import Knowledge
from sequela.training.patient_data import PatientScalers, PatientSources
from sequela.training.project import Project

SLIDES = "slides"
"""The folder of prepared slides, in the work folder."""


def freeze_knowledge(project: Project) -> FrozenKnowledge | None:
    """The frozen knowledge of the work folder, made by the embedded rules where there is none.

    Of every patient the texts are read that the protocol shows, so nothing later than the
    landmark; the claims are those of the packs that come with the package.

    Returns:
        None for a cohort that has neither texts nor a cancer type of a pack.
    """
    file = project.work / FILE_NAME
    if file.is_file():
        return FrozenKnowledge.read(file)
    reports: dict[str, StructuredReport] = {}
    for case in project.selection.cases:
        if case.texts:
            reports[case.patient_id] = extract_report("\n".join(text.text for text in case.texts))
    cancers = {patient.cancer_type for patient in project.cohort.patients}
    claims = {name: read_pack(name) for name in CANCER_TYPES} if cancers & {*CANCER_TYPES} else {}
    if not reports and not claims:
        return None
    knowledge = FrozenKnowledge(reports, claims, {"reports": "rules", "claims": "package"})
    with owned(project.work):
        if not file.is_file():
            knowledge.write(file)
    return FrozenKnowledge.read(file)


def fitted_sources(project: Project, patients: Sequence[str]) -> PatientSources:
    """What a model may read, fitted on these training patients."""
    settings = project.configuration
    knowledge = _knowledge(project, settings.knowledge)
    scalers = PatientScalers.fit(
        project.cohort,
        patients,
        settings.genes,
        settings.knowledge,
        knowledge.reports if knowledge else None,
    )
    return PatientSources(project.cohort, scalers, knowledge, slide_bags(project))


def slide_bags(project: Project) -> SlideBags | None:
    """The patients' patches; None where no slide has features.

    Raises:
        DataError: If there are slides, and they are not prepared.
    """
    settings = project.configuration.slides
    return SlideBags.of(project.cohort.patients, project.work / SLIDES, settings.policy)


def kept_sources(project: Project, metadata: Mapping[str, Any]) -> PatientSources:
    """What a trained model may read of a cohort, its own or another.

    Raises:
        LockedError: If the knowledge or the encoder of slides is not what the model was trained
            with.
    """
    scalers = PatientScalers.from_state(metadata["patients"])
    knowledge = _knowledge(project, scalers.encoder)
    require_knowledge(project, metadata, knowledge.fingerprint if knowledge else None)
    bags = slide_bags(project)
    told = metadata.get("slides")
    if told and bags:
        same = project.cohort.fingerprint == metadata["cohort"]
        _require_same_features(told, bags.made, same=same)
    return PatientSources(project.cohort, scalers, knowledge, bags)


def require_knowledge(
    project: Project, metadata: Mapping[str, Any], fingerprint: str | None
) -> None:
    """Refuse other knowledge of the cohort that a model was trained on.

    Raises:
        LockedError: If its hash is not the checkpoint's.
    """
    if project.cohort.fingerprint == metadata["cohort"] and metadata["knowledge"] != fingerprint:
        raise LockedError(
            f"{FILE_NAME} is not the one that the model was trained with: their hashes differ",
            hint="bring back the file, or train again",
        )


def said_empty(inputs: PatientInputs, config: PatientConfig, variant: str) -> int:
    """How many patients have nothing of what a variant reads, said where there are any.

    Raises:
        DataError: If nobody has anything of it.
    """
    empty = inputs.empty if config.reads else 0
    what = f"have nothing of what {variant} reads ({', '.join(config.reads)})"
    if empty and empty == len(inputs):
        raise DataError(
            f"all {empty} patients {what}",
            hint="add the missing tables to the cohort, or use a variant that reads what it has",
        )
    if empty:
        say(
            f"{empty} of {len(inputs)} patients {what}: they stay in, and all of a cancer get the "
            "same risk, that of a patient of whom nothing is known"
        )
    return empty


def _require_same_features(told: Mapping[str, Any], here: Mapping[str, Any], *, same: bool) -> None:
    """Refuse patches that another encoder saw, and of the same cohort, other patches."""
    differ = [name for name in ("width", "encoder", "encoder_hash") if told[name] != here[name]]
    if differ or (same and told["index"] != here["index"]):
        raise LockedError(
            "the slides' features are not those that the model was trained with"
            + (f": they differ in {', '.join(differ)}" if differ else ""),
            hint="prepare the slides as they were (slides section of the configuration), or train "
            "again",
        )


def _knowledge(project: Project, encoder: str) -> Knowledge | None:
    frozen = freeze_knowledge(project)
    if frozen is None:
        return None
    return Knowledge(frozen.reports, frozen.claims, encoder, frozen.fingerprint)
