"""What the model is for, what it was made from, and where it ends: facts, card, provenance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sequela.report.estimates import printed
from sequela.report.evidence import Evidence
from sequela.report.protocol import duration
from sequela.report.results import ModelResult
from sequela.report.wording import main_model

_SHORT = 12  # of 64 digits of a fingerprint, where there are many
_INTENDED = (
    "Research on predicting what follows a cancer: comparing models on the same patients, under a "
    "stated protocol.",
    "It is not a medical device. It must not be used to diagnose, to treat, to invite or not to "
    "invite a patient, or to inform anyone of their own risk.",
)


_TOLD = (
    ("auc", "AUC"),
    ("uno_c", "Uno's C"),
    ("ipa", "Gain in Brier score over the null model"),
    ("observed_expected", "Observed over expected events"),
)


def facts(results: Sequence[ModelResult]) -> list[tuple[str, str]]:
    """The numbers a reader looks for first."""
    shown = main_model(results) or (results[0] if results else None)
    if shown is None:
        return []
    counts = shown.counts
    several = counts.get("rows") != counts.get("patients")
    of_them = "Predictions followed by" if several else "With"
    rows = [
        ("Test patients", counts.get("patients")),
        ("Predictions, one a landmark", counts.get("rows") if several else None),
        (f"{of_them} {shown.endpoint}", counts.get("events")),
        (f"{of_them} a competing event", counts.get("competing") or None),
    ]
    found = [(name, printed(count, "count")) for name, count in rows if count is not None]
    if shown.horizon is not None:
        found.append(("Horizon", duration(shown.horizon)))
    return found


def is_synthetic(evidence: Evidence, results: Sequence[ModelResult]) -> bool:
    """Whether the patients are simulated, by the cohort's word or the predictions'."""
    told = any(result.provenance.get("synthetic") for result in results)
    return told or bool(evidence.manifest.get("synthetic"))


def model_card(
    evidence: Evidence, results: Sequence[ModelResult]
) -> list[tuple[str, tuple[str, ...]]]:
    """(heading, sentences) of the model card."""
    card = [
        ("Intended use", _INTENDED),
        ("Data", tuple(_data(evidence, results))),
        ("Inputs", tuple(sentence for sentence in [inputs_in_words(evidence)] if sentence)),
        ("Training", tuple(_training(evidence))),
        ("Evaluation", tuple(_evaluation(results))),
        ("Limitations", tuple(_limitations(evidence, results))),
    ]
    return [(name, sentences) for name, sentences in card if sentences]


def _data(evidence: Evidence, results: Sequence[ModelResult]) -> list[str]:
    manifest = evidence.manifest
    sentences = []
    if manifest.get("description"):
        sentences.append(str(manifest["description"]))
    if is_synthetic(evidence, results):
        sentences.append("All patients are simulated, with a known truth.")
    if manifest.get("licence"):
        sentences.append(f"Licence of the data: {manifest['licence']}.")
    return sentences


def inputs_in_words(evidence: Evidence) -> str:
    """What a model may see of a patient; empty where the cohort is not known."""
    named = evidence.manifest.get("clinical") or {}
    tables = evidence.manifest.get("tables") or {}
    inputs = [name for name in ("images", "texts") if name in tables]
    covariates = [str((about or {}).get("label") or name) for name, about in named.items()]
    sentences = (
        f"A patient's {' and '.join(inputs)}." if inputs else "",
        f"Clinical covariates: {', '.join(covariates)}." if covariates else "",
    )
    return " ".join(sentence for sentence in sentences if sentence)


def _training(evidence: Evidence) -> list[str]:
    names = [run.name for run in evidence.runs]
    if not names:
        return []
    split = "patients of the training split, checked on validation patients"
    return [f"Runs: {', '.join(names)}. Fitted on {split}."]


def _evaluation(results: Sequence[ModelResult]) -> list[str]:
    shown = main_model(results)
    if shown is None:
        return []
    sentences = [f"{shown.label}: {shown.definition.rstrip('.')}." if shown.definition else ""]
    chosen = shown.provenance.get("epoch_chosen_on")
    if chosen in ("validation", "training", "test"):
        sentences.append(f"Its epoch was chosen on {chosen} patients.")
    sentences += [
        f"{name} {shown.metrics[key].text()}." for key, name in _TOLD if key in shown.metrics
    ]
    return [sentence for sentence in sentences if sentence]


def _limitations(evidence: Evidence, results: Sequence[ModelResult]) -> list[str]:
    sentences = []
    if is_synthetic(evidence, results):
        sentences.append(
            "Simulated patients show that the software works; they show nothing about real ones."
        )
    stated = (evidence.evaluation.get("settings") or {}).get("evidence")
    if stated != "external" and not any(result.split == "external" for result in results):
        sentences.append("It was not tested on patients of another hospital.")
    shown = main_model(results)
    events = None if shown is None else shown.counts.get("events")
    if events is not None and events < 100:
        sentences.append(
            f"The test holds {events} events. With fewer than about 100, intervals are wide, and a "
            "difference that was not shown may still be there."
        )
    notes = [note for result in results for note in result.provenance.get("notes", ())]
    return [*sentences, *dict.fromkeys(map(str, notes))]


def provenance(evidence: Evidence, results: Sequence[ModelResult]) -> list[tuple[str, str]]:
    """(what, value): fingerprints and versions, each once."""
    rows: dict[str, list[str]] = {}
    for result in results:
        for key in ("cohort", "splits"):
            if result.provenance.get(key):
                rows.setdefault(f"{key} fingerprint", []).append(str(result.provenance[key]))
        if result.provenance.get("configuration"):
            short = str(result.provenance["configuration"])[:_SHORT]
            rows.setdefault("configuration", []).append(f"{short} ({result.label})")
    if evidence.prepared.get("fingerprint"):
        rows.setdefault("pixel policy", []).append(str(evidence.prepared["fingerprint"]))
    for run in evidence.runs:
        for name, value in _environment(run.versions):
            rows.setdefault(name, []).append(value)
    return [(name, ", ".join(dict.fromkeys(values))) for name, values in rows.items()]


def _environment(versions: Mapping[str, Any]) -> list[tuple[str, str]]:
    """(what, value) of the place in which a run was worked on."""
    packages = versions.get("packages") or {}
    software = " ".join(f"{name} {found}" for name, found in packages.items())
    named = ((name, versions.get(name)) for name in ("python", "platform", "processor", "gpu"))
    return [(name, str(value)) for name, value in (*named, ("packages", software)) if value]
