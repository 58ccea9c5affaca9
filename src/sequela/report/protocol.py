"""What was done, in words, from the settings of the run that did it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sequela.report.estimates import printed

DAYS_A_YEAR = 365.25


def protocol_in_words(
    config: Mapping[str, Any], splits: Mapping[str, Any], evaluation: Mapping[str, Any]
) -> list[str]:
    """Sentences on selection, splits, training and evaluation; silent on what is not known.

    Args:
        config: The resolved configuration of a run.
        splits: `splits.json`.
        evaluation: `evaluation.json`.
    """
    sentences = [
        _selection(config.get("protocol") or {}),
        _division({**splits, **(config.get("split") or {})}),
        _training(config),
        _thresholds(evaluation.get("settings") or {}),
    ]
    return [sentence for sentence in sentences if sentence]


def duration(days: int | float) -> str:
    """A time span as a clinician says it."""
    years = days / DAYS_A_YEAR
    if years >= 0.99 and abs(years - round(years, 1)) < 0.01:
        return "1 year" if round(years, 1) == 1 else f"{years:.1f} years".replace(".0 ", " ")
    return "1 day" if days == 1 else f"{days:g} days"


def _selection(protocol: Mapping[str, Any]) -> str:
    endpoint = str(protocol.get("endpoint") or "the event")
    horizon = protocol.get("horizon")
    until = f"within {duration(horizon)}" if horizon else "at any later time"
    match protocol.get("name"):
        case "landmark":
            blackout = protocol.get("blackout") or 0
            begun = (
                f" An event in the first {duration(blackout)} counts as already begun, and the "
                "landmark is left out."
                if blackout
                else ""
            )
            return (
                "A patient is seen from a landmark, the day of an exam. A model reads only the "
                f"exams and notes that were available by then, and predicts {endpoint} {until} "
                f"after it.{begun}"
            )
        case "paper":
            gap = protocol.get("minimum_gap")
            apart = f" at least {duration(gap)} apart" if gap else ""
            return (
                f"As in the published protocol, a patient is represented by the last exams{apart} "
                f"before {endpoint} or the end of follow-up. This choice looks at the outcome, so "
                "exam timing alone predicts it; read the numbers as a comparison with the paper, "
                "not as what a clinic would see."
            )
        case "cross-validation":
            return f"Models predict {endpoint} {until}, and are judged on folds they did not see."
    return ""


def _division(split: Mapping[str, Any]) -> str:
    test = split.get("test")
    if test is None:
        return ""
    rest = split.get("validation")
    inner = (
        "" if not rest else f" {printed(float(rest), 'percent')} of the others were for validation."
    )
    return (
        f"{_parts(split, float(test))}{inner} All exams of a patient are in the same part, and "
        "whatever is fitted, scalers and thresholds included, saw no test patient."
    )


def _parts(split: Mapping[str, Any], test: float) -> str:
    if split.get("file"):
        return f"The division was taken as published ({split['file']}); each fold was tested once."
    seed = f" with seed {split['seed']}" if "seed" in split else ""
    folds = split.get("folds") or 1
    if folds > 1:
        together = f", no {split['group']} in two of them," if split.get("group") else ""
        return f"{folds} folds{together} were drawn once{seed}, and each was tested once."
    kept = printed(test, "percent")
    return f"The division was drawn once{seed}: {kept} of the patients were kept for the test."


def _training(config: Mapping[str, Any]) -> str:
    train = config.get("train") or {}
    if "epochs" not in train:
        return ""
    batch = f" with batches of {train['batch']}" if "batch" in train else ""
    select = {
        "loss": "the lowest loss",
        "auc": "the highest AUC",
        "concordance": "the highest concordance",
    }.get(train.get("select", ""))
    kept = f"; the epoch with {select} on validation patients was kept" if select else ""
    return f"Models were trained for at most {train['epochs']} epochs{batch}{kept}."


def _thresholds(settings: Mapping[str, Any]) -> str:
    resamples = settings.get("bootstraps")
    level = settings.get("level")
    if not resamples or not level:
        return ""
    return (
        f"Intervals are {level * 100:g}% intervals; where no other method is named they come from "
        f"{resamples:,} resamples of the patients. {_threshold(settings.get('threshold'))}"
    )


def _threshold(stated: float | None) -> str:
    if stated is not None:
        return (
            f"The threshold of accuracy, sensitivity and specificity, and the border between the "
            f"risk groups, is {stated:g}, as the owner of the predictions stated it."
        )
    return (
        "The threshold of accuracy, sensitivity and specificity (Youden) and the border between "
        "the risk groups (the median risk) come from validation patients; without any, what needs "
        "them is undefined."
    )
