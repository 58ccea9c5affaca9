"""What parts tell of each other, of the visit and of the outcome, beside shuffled weights."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from sequela.evaluation.estimate import Estimate, estimated, undefined
from sequela.interpretation.parts import Parts, parts_of, whole_rows
from sequela.interpretation.portrait import Subject
from sequela.interpretation.probes import tells_apart, tells_event, told
from sequela.interpretation.sanity import shuffled
from sequela.interpretation.scatter import scattered
from sequela.interpretation.similarity import cka_estimate, expected_cka
from sequela.progress import stage
from sequela.training.configuration import ExplainSettings


def study_parts(
    subject: Subject,
    settings: ExplainSettings,
    happened: Bool[np.ndarray, " case"],
    known: Bool[np.ndarray, " case"],
) -> dict[str, Any]:
    """The parts of a model and those of the same with shuffled weights; empty without two.

    Args:
        subject: The model and its cases.
        settings: How many patients.
        happened: Whether each case's event happened within the horizon.
        known: Whether that is known.

    Returns:
        `patients`; `models`, each with `name`, the numbers of `leakage` and its `panels`.
    """
    rows = whole_rows(subject, settings.probed)
    patient = [subject.inputs.cases[row].patient_id for row in rows]
    models = (("as trained", subject.model), ("weights shuffled", shuffled(subject.model)))
    found = []
    with stage("Probing the parts", len(models)) as advance:
        for name, model in models:
            parts = parts_of(model, subject, rows) if rows else Parts({}, {})
            if len(parts.latest()) < 2:
                return {}
            numbers = leakage(parts, patient, happened[rows], known[rows])
            panels = scattered(parts, settings.scattered, settings.seed)
            found.append({"name": name, **numbers, "panels": panels})
            advance(1)
    return {"patients": len(rows), "models": found}


def leakage(
    parts: Parts,
    patient: Sequence[str],
    happened: Bool[np.ndarray, " row"],
    known: Bool[np.ndarray, " row"],
) -> dict[str, Any]:
    """The numbers of one model, JSON-able.

    Args:
        parts: One row a patient.
        patient: Whose row it is.
        happened: Whether the event happened within the horizon.
        known: Whether that is known.

    Returns:
        `tells`, a row a pair of parts: R² of a probe that reads `from` and says `to`; `alike`, a
        row a pair: CKA and what it is by chance; `visit`, how often a probe tells the first visit
        from the last by a part; `event`, the AUC of a probe of the outcome.
    """
    latest = parts.latest()
    names = list(latest)
    people = np.asarray(patient)
    pairs = [(a, b) for place, a in enumerate(names) for b in names[place + 1 :]]
    return {
        "tells": [row for name in names for row in _tells(parts, latest, name, people)],
        "alike": [_alike(parts, latest, *pair) for pair in pairs],
        "visit": {
            name: _visit(parts, latest[name], people).as_json()
            for name in names
            if "@" in latest[name] and not latest[name].endswith("@1")
        },
        "event": {name: _event(parts, latest[name], happened, known).as_json() for name in names},
    }


def _tells(
    parts: Parts, latest: dict[str, str], source: str, people: np.ndarray
) -> list[dict[str, Any]]:
    """What a probe of one part says of each other; those who have the same rows go together."""
    groups: dict[bytes, list[str]] = {}
    own = parts.present[latest[source]]
    others = [name for name in latest if name != source]
    for name in others:
        both = own & parts.present[latest[name]]
        groups.setdefault(both.tobytes(), []).append(name)
    rows: dict[str, dict[str, Any]] = {}
    for key, targets in groups.items():
        both = np.frombuffer(key, dtype=bool)
        reader = parts.vectors[latest[source]][both]
        said = [parts.vectors[latest[name]][both] for name in targets]
        found = _each(reader, said, people[both].tolist())
        for name, estimate in zip(targets, found, strict=True):
            rows[name] = {
                "from": source,
                "to": name,
                "patients": int(both.sum()),
                "r2": estimate.as_json(),
            }
    return [rows[name] for name in others]


def _each(
    source: Float[np.ndarray, "row dim"],
    targets: Sequence[Float[np.ndarray, "row dim"]],
    patient: Sequence[str],
) -> list[Estimate]:
    found: list[Estimate] = []

    def probe() -> Estimate:
        found.extend(told(source, targets, patient))
        return found[0]

    failed = estimated(probe)
    return found or [failed] * len(targets)


def _alike(parts: Parts, latest: dict[str, str], first: str, second: str) -> dict[str, Any]:
    one, other, both = parts.with_both(latest[first], latest[second])
    found = estimated(lambda: cka_estimate(one, other))
    chance = None if found.value is None else round(expected_cka(one, other), 4)
    return {
        "parts": [first, second],
        "patients": int(both.sum()),
        "cka": found.as_json(),
        "chance": chance,
    }


def _visit(parts: Parts, last: str, people: np.ndarray) -> Estimate:
    """Whether the first visit's part can be told from the last's."""
    first = f"{last.partition('@')[0]}@1"
    if first not in parts.vectors:
        return undefined("the model sees one visit")
    one, other, both = parts.with_both(first, last)
    which = np.repeat([True, False], len(one))
    patient = [*people[both].tolist(), *people[both].tolist()]
    return estimated(lambda: tells_apart(np.concatenate([one, other]), which, patient))


def _event(
    parts: Parts, name: str, happened: Bool[np.ndarray, " row"], known: Bool[np.ndarray, " row"]
) -> Estimate:
    rows = parts.present[name] & known
    return estimated(lambda: tells_event(parts.vectors[name][rows], happened[rows]))
