"""What each item of TRIPOD+AI asks for, and what a run can say to it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sequela import __version__
from sequela.report.cohort_flow import count_flow
from sequela.report.evidence import Evidence
from sequela.report.model_card import inputs_in_words, is_synthetic
from sequela.report.protocol import duration, protocol_in_words
from sequela.report.results import ModelResult
from sequela.report.wording import main_model


@dataclass(frozen=True)
class Told:
    """What the items are filled from."""

    evidence: Evidence
    results: Sequence[ModelResult]

    @property
    def main(self) -> ModelResult | None:
        """The model that the report is about."""
        return main_model(self.results) or next(iter(self.results), None)

    def of_manifest(self, key: str) -> str:
        """A field of `cohort.yaml`, as text."""
        return str(self.evidence.manifest.get(key) or "")


def _title(told: Told) -> str:
    main = told.main
    if main is None:
        return ""
    within = f" within {duration(main.horizon)}" if main.horizon else ""
    return f"Prediction of {main.endpoint}{within} by {main.label}; {_kind(told)}."


def _kind(told: Told) -> str:
    external = any(one.split == "external" for one in told.results)
    trained = bool(told.evidence.runs)
    parts = ["development" if trained else "", "external evaluation" if external else "evaluation"]
    return " and ".join(part for part in parts if part)


def _objectives(told: Told) -> str:
    names = ", ".join(one.label for one in told.results)
    return f"To compare on the same patients: {names}." if names else ""


def _data(told: Told) -> str:
    origin = "Simulated patients." if is_synthetic(told.evidence, told.results) else ""
    licence = told.of_manifest("licence")
    return " ".join(
        (told.of_manifest("description"), origin, f"Licence: {licence}." if licence else "")
    )


def _participants(told: Told) -> str:
    left_out = told.evidence.exclusions
    rules = " ".join(protocol_in_words(told.evidence.config, {}, {})[:1])
    reasons = (
        ""
        if left_out is None or left_out.is_empty()
        else "Left out for: " + ", ".join(sorted(left_out["reason"].drop_nulls().unique())) + "."
    )
    return f"{rules} {reasons}"


def _preparation(told: Told) -> str:
    images = told.evidence.prepared.get("fingerprint")
    text = (told.evidence.config.get("text") or {}).get("tokens")
    return " ".join(
        (
            f"Images prepared under one pixel policy ({str(images)[:12]})." if images else "",
            f"Texts cut at {text} tokens." if text else "",
        )
    )


def _outcome(told: Told) -> str:
    return told.main.definition if told.main else ""


def _predictors(told: Told) -> str:
    return inputs_in_words(told.evidence)


def _size(told: Told) -> str:
    main = told.main
    if main is None or "patients" not in main.counts:
        return ""
    counts = main.counts
    rows, events = counts.get("rows", counts["patients"]), counts.get("events", 0)
    several = f" in {rows} predictions" if rows != counts["patients"] else ""
    return (
        f"Judged on {counts['patients']} patients{several}, {events} followed by the event. "
        "No sample size was computed beforehand."
    )


def _missing(told: Told) -> str:
    if not told.evidence.config:
        return ""
    return "A missing exam, view, text or covariate is masked, never imputed by a zero."


def _methods(told: Told) -> str:
    settings = told.evidence.evaluation.get("settings") or {}
    words = protocol_in_words(told.evidence.config, told.evidence.split_settings, {})[1:]
    level = f"{float(settings.get('level') or 0.95) * 100:g}%"
    count = settings.get("bootstraps")
    resampled = f"{level} intervals from {count} resamples of patients." if count else ""
    return " ".join((*words, resampled))


def _imbalance(told: Told) -> str:
    if not told.evidence.runs:
        return ""
    return "No class was weighted or resampled; no probability needs correcting for it."


def _fairness(told: Told) -> str:
    columns = {
        str(division["column"])
        for node in told.evidence.evaluation["models"]
        for division in node.get("subgroups") or ()
    }
    return f"Numbers in subgroups by {', '.join(sorted(columns))}." if columns else ""


def _output(told: Told) -> str:
    main = told.main
    if main is None:
        return ""
    probability = ", and the probability of being free of the event" if main.calibration else ""
    return (
        f"A risk, higher is worse{probability}. Thresholds come from validation patients unless "
        "stated; risk groups are parted at the validation median."
    )


def _separation(told: Told) -> str:
    nodes = told.evidence.evaluation["models"]
    grades = {
        f"{one['evidence']['grade']} ({one['evidence']['reason']})"
        for one in nodes
        if one.get("evidence")
    }
    chosen = {str(one.provenance.get("epoch_chosen_on") or "") for one in told.results} - {""}
    on = f"Epochs were chosen on: {', '.join(sorted(chosen))}." if chosen else ""
    return " ".join((f"Evidence: {'; '.join(sorted(grades))}." if grades else "", on))


def _code(told: Told) -> str:
    return (
        "Funding, conflicts, protocol and registration: for the authors. "
        f"Data: {told.of_manifest('licence') or 'for the authors'}. "
        f"Code: Sequela {__version__}, Apache-2.0."
    )


def _flow(told: Told) -> str:
    if told.evidence.splits is None:
        return ""
    flow = count_flow(told.evidence.splits, told.evidence.exclusions)
    splits = ", ".join(f"{count} {split}" for split, count in flow.splits)
    return f"{flow.assessed} patients assessed, {flow.included} included: {splits}."


def _development(told: Told) -> str:
    names = [run.name for run in told.evidence.runs]
    return f"Runs: {', '.join(names)}." if names else ""


def _specification(told: Told) -> str:
    if not told.evidence.runs:
        return ""
    return "Each run folder holds the weights, the configuration in full, and the versions."


def _performance(told: Told) -> str:
    main = told.main
    if main is None:
        return ""
    named = (("auc", "AUC"), ("uno_c", "Uno's C"), ("observed_expected", "observed/expected"))
    found = [f"{name} {main.metrics[key].text()}" for key, name in named if key in main.metrics]
    return f"{main.label}: {'; '.join(found)}." if found else ""


def _updating(told: Told) -> str:
    updated = [
        node["name"]
        for node in told.evidence.evaluation["models"]
        if (node.get("recalibration") or {}).get("before")
    ]
    names = ", ".join(updated)
    return (
        f"Recalibrated on validation patients, before and after reported: {names}." if names else ""
    )


def _limitations(told: Told) -> str:
    warnings = [warning for one in told.results for warning in one.warnings]
    external = any(one.split == "external" for one in told.results)
    alone = "" if external else "Not tested on patients of another hospital."
    return " ".join((alone, *dict.fromkeys(warnings)))


def _usability(told: Told) -> str:
    return (
        "Research use only, not a medical device. "
        "Who lacks an input is predicted from the others; see Missing data."
        if told.evidence.runs
        else "Research use only, not a medical device."
    )


ITEMS: tuple[tuple[str, str, str, Callable[[Told], str] | None], ...] = (
    (
        "Title",
        "Title",
        "That a model is developed or evaluated, for whom, for what outcome",
        _title,
    ),
    ("Abstract", "Abstract", "A structured summary, as TRIPOD+AI for abstracts has it", None),
    ("Introduction", "Background", "The setting, whom it serves, known inequalities in care", None),
    ("Introduction", "Objectives", "What is developed or evaluated, and against what", _objectives),
    ("Methods", "Data", "Where the data come from, when, and why they fit the purpose", _data),
    ("Methods", "Participants", "Setting, who could take part, treatments received", _participants),
    ("Methods", "Data preparation", "What was done to the data, alike in all groups", _preparation),
    ("Methods", "Outcome", "What is predicted, by when, how and by whom it was assessed", _outcome),
    (
        "Methods",
        "Predictors",
        "Which were considered, how and when they were measured",
        _predictors,
    ),
    ("Methods", "Sample size", "How it was arrived at, for development and evaluation", _size),
    ("Methods", "Missing data", "How they were handled, and what was left out for them", _missing),
    ("Methods", "Analytical methods", "How data were divided, models built and judged", _methods),
    ("Methods", "Class imbalance", "What was done about it, and about its effects", _imbalance),
    ("Methods", "Fairness", "What was done so that no group is served worse", _fairness),
    ("Methods", "Model output", "What the model gives, and how thresholds were chosen", _output),
    ("Methods", "Training and evaluation", "How the two sets of patients differ", _separation),
    ("Methods", "Ethical approval", "Who approved, and how consent was had or waived", None),
    ("Open science", "Openness", "Funding, conflicts, protocol, registration, data, code", _code),
    ("Open science", "Patients and public", "How they had a part in the study, or that not", None),
    ("Results", "Participants", "How many, with the event, with what missing; a diagram", _flow),
    (
        "Results",
        "Model development",
        "How many patients and events went into each step",
        _development,
    ),
    (
        "Results",
        "Model specification",
        "The whole model, so that others can predict",
        _specification,
    ),
    ("Results", "Model performance", "With intervals, in key subgroups, with plots", _performance),
    ("Results", "Model updating", "What was updated, and the performance after it", _updating),
    ("Discussion", "Interpretation", "What was found, beside objectives and other studies", None),
    ("Discussion", "Limitations", "Of sample, missing data, overfitting, fairness", _limitations),
    ("Discussion", "Usability", "How poor or absent inputs are met; who must do what", _usability),
)
"""Section, topic, what is to be reported, and what says it of a run; None where no run knows."""
