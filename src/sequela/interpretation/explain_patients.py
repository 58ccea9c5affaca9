"""The explanation of a model of patients who are seen once: what it says of some, and its worth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from jaxtyping import Float, Int

from sequela.interpretation.claim_maps import SCHEMA, attention_table
from sequela.interpretation.deletion import deletion_test
from sequela.interpretation.examples import RULE, choose_examples
from sequela.interpretation.outcomes import Told, outcomes, within
from sequela.interpretation.patient_portrait import PatientSubject, patient_portrait
from sequela.interpretation.planted_patches import check_claims, planted_patches
from sequela.interpretation.seed_spread import seed_spread
from sequela.models.peer_config import PatientConfig
from sequela.progress import stage
from sequela.storage import atomic
from sequela.training.patient_sources import kept_sources
from sequela.training.prediction import Trained, answers_of
from sequela.training.project import Project
from sequela.training.run import Run

ATTENTION = "attention.parquet"
"""In `explanations/`: what each claim looks at, of the patients who are shown."""
_DAYS_A_YEAR = 365.25
_TRUTH = Path("truth") / "patches.parquet"


def explain_patients(
    run: Run,
    project: Project,
    trained: Trained,
    rows: Int[np.ndarray, " row"],
    folder: Path,
    *,
    show_texts: bool,
) -> dict[str, Any]:
    """Explain some of the patients; pictures and maps are written, the rest is returned for JSON.

    Args:
        run: The run that is explained.
        project: The cohort.
        trained: Its model, one of patients who are seen once.
        rows: The test cases of its fold.
        folder: An empty one.
        show_texts: Whether reports may be written out.
    """
    subject, metadata = _subject(project, trained, rows, show_texts=show_texts), trained.metadata
    risk = answers_of(trained, subject.inputs, project.configuration.machine).risk
    followup = project.selection.followup[rows]
    endpoint, cause = metadata["protocol"]["endpoint"], metadata["cause"]
    called = project.cohort.manifest.endpoints[endpoint].causes.get(cause, endpoint)
    told = Told(followup, cause, metadata["horizon"], called)
    settings = project.configuration.explain
    names = [case.patient_id for case in subject.cases]
    spread = seed_spread(run.folder.parent, run.name, names)
    return {
        "seen": "once",
        "rule": RULE,
        "patients": _patients(subject, risk, told, spread, settings.patients, folder),
        "checks": _checks(subject, project, settings.checked),
        "parts": {},
    }


def _subject(
    project: Project, trained: Trained, rows: Int[np.ndarray, " row"], *, show_texts: bool
) -> PatientSubject:
    config = trained.config
    assert isinstance(config, PatientConfig)  # noqa: S101 - the caller asked
    cases = [project.selection.cases[row] for row in rows]
    sources = kept_sources(project, trained.metadata)
    inputs = sources.inputs([case.patient_id for case in cases], config)
    return PatientSubject(trained.model, config, trained.head, cases, inputs, sources, show_texts)


def _patients(
    subject: PatientSubject,
    risk: Float[np.ndarray, " row"],
    told: Told,
    spread: Mapping[str, dict[str, Any]],
    count: int,
    folder: Path,
) -> list[dict[str, Any]]:
    happened, known = outcomes(told.followup, told.cause, told.horizon)
    names = [case.patient_id for case in subject.cases]
    choices = choose_examples(names, risk, happened, known, count)
    patients, tables = [], [pl.DataFrame(schema=SCHEMA)]
    with stage("Explaining patients", len(choices)) as advance:
        for number, choice in enumerate(choices, start=1):
            shown = patient_portrait(subject, choice.row, folder, f"patient-{number}")
            words = {
                "label": f"Patient {number}",
                "why": choice.why + within(told.horizon),
                "outcome": _outcome(told, choice.row),
                "rank": {"below": int((risk < risk[choice.row]).sum()), "of": len(risk) - 1},
                "seeds": spread.get(names[choice.row]),
            }
            patients.append({**shown.content, **words})
            tables.append(attention_table(number, shown.maps, shown.slides, subject.sets()))
            advance(1)
    with atomic(folder / ATTENTION) as temporary:
        pl.concat(tables).write_parquet(temporary)
    return patients


def _outcome(told: Told, row: int) -> str:
    """What became of a patient, as a sentence without its full stop."""
    event, years = int(told.followup.event[row]), told.followup.time[row] / _DAYS_A_YEAR
    if not event:
        return f"Followed for {years:.1f} years without {told.endpoint}"
    called = told.endpoint.capitalize() if event == told.cause else "Another event"
    return f"{called} {years:.1f} years after the index date"


def _checks(subject: PatientSubject, project: Project, most: int) -> dict[str, Any]:
    """What the maps are worth, asked of patients whose claims look at something."""
    rows = [row for row in range(len(subject.cases)) if subject.claims(row)][:most]
    truth = project.cohort.folder / _TRUTH
    planted: dict[str, Sequence[Any]] = {}
    if truth.is_file() and rows:
        planted |= check_claims(subject, rows, planted_patches(pl.read_parquet(truth), subject))
    return {"deletion": deletion_test(subject, rows) if rows else [], **planted}
