"""`explanations/`: example patients of a run, and what their maps are worth."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from jaxtyping import Bool, Float, Int

from sequela.errors import DataError
from sequela.interpretation.examples import RULE, Choice, choose_examples
from sequela.interpretation.explain_patients import explain_patients
from sequela.interpretation.history import history, standpoints
from sequela.interpretation.leakage import study_parts
from sequela.interpretation.outcomes import Told, outcomes, within
from sequela.interpretation.pointing import Lesion, lesions_in_prepared
from sequela.interpretation.portrait import Subject, portrait
from sequela.interpretation.sanity import check_maps
from sequela.models.build import PatientConfig
from sequela.progress import stage
from sequela.seal import SEAL, seal
from sequela.storage import owned, write_json
from sequela.training.inputs import Sources, case_inputs
from sequela.training.prediction import Trained, answers, load_trained, sources_of
from sequela.training.project import Fold, Project
from sequela.training.run import Run

FILE_NAME = "explanations.json"


def explain(
    run: Run, project: Project, *, show_texts: bool | None = None, folder: Path | None = None
) -> Path:
    """Explain some test patients of a run; the folder is written anew.

    Args:
        run: A finished run of a model.
        project: The cohort it was trained on.
        show_texts: Whether notes are written out. None says yes for synthetic patients only,
            since a real note may hold a name.
        folder: Where to; `explanations` in the work folder by default.

    Returns:
        The folder written.

    Raises:
        DataError: If the run is not finished, or is a baseline.
        LockedError: If images were prepared by another pixel policy than the run's.
    """
    trained = _trained(run, project)
    metadata = trained.metadata
    rows = project.rows("test", Fold(metadata["repeat"], metadata["fold"]))
    shown = project.cohort.manifest.synthetic if show_texts is None else show_texts
    folder = folder or project.work / "explanations"
    with owned(folder):
        fresh = _fresh(folder)
        if isinstance(trained.config, PatientConfig):
            content = explain_patients(run, project, trained, rows, fresh, show_texts=shown)
        else:
            content = _explain_cases(project, trained, rows, fresh, show_texts=shown)
        write_json(fresh / FILE_NAME, {"run": run.name, **content})
        _replace(folder, fresh)
        seal(folder)
    return folder


def _explain_cases(
    project: Project,
    trained: Trained,
    rows: Int[np.ndarray, " row"],
    fresh: Path,
    *,
    show_texts: bool,
) -> dict[str, Any]:
    """Explain some cases with exams; pictures are written, the rest is returned for JSON."""
    metadata = trained.metadata
    followup = project.selection.followup[rows]
    happened, known = outcomes(followup, metadata["cause"], metadata["horizon"])
    sources = sources_of(project, trained)
    subject, risk = _subject(project, trained, rows, sources, show_texts=show_texts)

    def looking_back(row: int) -> Subject:
        cases = standpoints(project.selection.cases[rows[row]])
        return replace(subject, inputs=case_inputs(cases, trained.config, sources))

    patients = [case.patient_id for case in subject.inputs.cases]
    settings = project.configuration.explain
    choices = choose_examples(patients, risk, happened, known, settings.patients)
    told = Told(followup, metadata["cause"], metadata["horizon"], metadata["protocol"]["endpoint"])
    return {
        "rule": RULE,
        "patients": _patients(subject, choices, told, fresh, looking_back),
        "checks": _checks(subject, project, happened),
        "parts": study_parts(subject, settings, happened, known),
    }


def furthest_off(content: Mapping[str, Any]) -> dict[str, float]:
    """How far, at worst, weights of words, parts and modalities sum past what they should.

    Args:
        content: Of `explanations.json`.

    Returns:
        In units of the score; without an entry for what was not attributed.
    """
    off: dict[str, float] = {}
    for patient in content["patients"]:
        for kind in ("words", "parts", "shapley"):
            node = patient.get(kind)
            if node:
                total = node["sum"] if "sum" in node else sum(w for _, w in node["weights"])
                wrong = abs(total - (node["score"] - node["baseline"]))
                off[kind] = max(off.get(kind, 0.0), wrong)
    return off


def _subject(
    project: Project,
    trained: Trained,
    rows: Int[np.ndarray, " row"],
    sources: Sources,
    *,
    show_texts: bool,
) -> tuple[Subject, Float[np.ndarray, " row"]]:
    """The model with the cases of some rows, and their predicted risks."""
    cases = [project.selection.cases[row] for row in rows]
    settings = project.configuration.explain
    said = answers(trained, cases, sources, project.configuration.machine)
    subject = Subject(
        model=trained.model,
        head=trained.head,
        exams=trained.config.exams,
        inputs=case_inputs(cases, trained.config, sources),
        tokenizer=sources.tokenizer,
        show_texts=show_texts,
        nodes=settings.nodes,
        attention=settings.attention,
        orders=settings.orders,
    )
    return subject, said.risk


def _patients(
    subject: Subject,
    choices: Sequence[Choice],
    told: Told,
    folder: Path,
    looking_back: Callable[[int], Subject],
) -> list[dict[str, Any]]:
    patients = []
    with stage("Explaining patients", len(choices)) as advance:
        for number, choice in enumerate(choices, start=1):
            words = {
                "label": f"Patient {number}",
                "why": choice.why + within(told.horizon),
                "outcome": told.sentence(choice.row),
            }
            shown = portrait(subject, choice.row, folder, f"patient-{number}")
            patients.append({**shown, **history(looking_back(choice.row)), **words})
            advance(1)
    return patients


def _trained(run: Run, project: Project) -> Trained:
    if not run.finished:
        raise DataError(
            f"run {run.name} is not finished", hint="run `sequela train` again: it goes on"
        )
    if "model" not in run.metadata():
        raise DataError(
            f"run {run.name} is a baseline, which looks at no image or text",
            hint="explain the run of a model, as lumin",
        )
    return load_trained(run, project.configuration.machine.torch_device())


def _fresh(folder: Path) -> Path:
    """An empty folder in which the explanation is made, while an earlier one stands."""
    fresh = folder / ".new"
    if fresh.exists():
        shutil.rmtree(fresh)
    fresh.mkdir()
    return fresh


def _replace(folder: Path, fresh: Path) -> None:
    """Put the new explanation in place of an earlier one.

    The JSON goes first and comes last: without it the images mean nothing.
    """
    for name in (SEAL, FILE_NAME):
        (folder / name).unlink(missing_ok=True)
    for path in (*folder.glob("patient-*"), *folder.glob("*.parquet")):
        path.unlink()
    for path in sorted(set(fresh.iterdir()) - {fresh / FILE_NAME}):
        path.replace(folder / path.name)
    (fresh / FILE_NAME).replace(folder / FILE_NAME)
    fresh.rmdir()


def _checks(
    subject: Subject, project: Project, happened: Bool[np.ndarray, " patient"]
) -> dict[str, Any]:
    """The checks of the maps, on cases with a lesion where the truth is known."""
    if subject.inputs.images is None:
        return {}
    lesions = _lesions(project)
    most = project.configuration.explain.checked
    return check_maps(subject, _to_check(subject, lesions, happened)[:most].tolist(), lesions)


def _to_check(
    subject: Subject, lesions: Mapping[str, Lesion], happened: Bool[np.ndarray, " patient"]
) -> Int[np.ndarray, " row"]:
    """The cases with a lesion in sight, or without such knowledge all, with the event first.

    The last case of every patient comes before the second last of any.
    """
    cases = subject.inputs.cases
    turn, seen = np.zeros(len(cases), dtype=np.int64), Counter[str]()
    for row in sorted(range(len(cases)), key=lambda row: -cases[row].landmark):
        turn[row] = seen[cases[row].patient_id]
        seen[cases[row].patient_id] += 1
    if not lesions:
        return np.lexsort((turn, ~happened))
    with_lesion = [
        any(image.image_id in lesions for exam in case.exams for image in exam.images)
        for case in cases
    ]
    rows = np.flatnonzero(with_lesion)
    return rows[np.argsort(turn[rows], kind="stable")]


def _lesions(project: Project) -> dict[str, Lesion]:
    truth = project.cohort.folder / "truth" / "lesions.parquet"
    store = project.prepared
    if store is None or not truth.is_file():
        return {}
    return lesions_in_prepared(pl.read_parquet(truth), store.quality, store.policy)
