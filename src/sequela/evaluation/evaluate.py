"""From predictions to every number of the report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from sequela.errors import DataError, UndefinedMetricError, UsageError
from sequela.evaluation.comparison import (
    Difference,
    delong_differences,
    paired_differences,
    refusal,
    require_comparable,
)
from sequela.evaluation.description import described
from sequela.evaluation.estimate import Estimate, estimated
from sequela.evaluation.evidence import (
    evidence_of,
    marks_of,
    require_accepted,
    stamp,
    weakest,
)
from sequela.evaluation.metrics import metrics_of
from sequela.evaluation.outcome import Question
from sequela.evaluation.over_time import last_common_day
from sequela.evaluation.predictions import Predictions
from sequela.evaluation.rows import ModelRows, models_of
from sequela.evaluation.runs import difference_over_runs
from sequela.evaluation.settings import EvaluationSettings
from sequela.evaluation.subgroups import Division, subgroups_of
from sequela.evaluation.uncertainty import Drawn, Resampler, Resampling
from sequela.progress import stage
from sequela.storage import write_json

FORMAT = "sequela-evaluation"
VERSION = 1
COMPARED = ("auc", "harrell_c", "uno_c")


@dataclass(frozen=True)
class Evaluation:
    """Every number about some predictions, laid out as docs/evaluation-json.md says."""

    content: dict[str, object]

    def as_json(self) -> dict[str, object]:
        """What `evaluation.json` holds: plain values, null where a number is undefined."""
        return self.content

    def write(self, path: Path) -> None:
        """Write `evaluation.json`, whole or not at all."""
        write_json(path, self.content)


@dataclass(frozen=True)
class _Judged:
    model: ModelRows
    question: Question
    metrics: dict[str, Drawn]

    def grade(self, settings: EvaluationSettings) -> str:
        return str(evidence_of(self.model, settings.evidence)["grade"])


def evaluate(
    predictions: Sequence[Predictions],
    settings: EvaluationSettings,
    divisions: Sequence[Division] = (),
) -> Evaluation:
    """Judge every model in the tables on its test or external rows, and compare them.

    A metric is computed within each run (repeat, fold, seed) and averaged over runs; resamples draw
    whole patients, the same ones for every model. A number that does not exist is null and says
    why.

    Args:
        predictions: Tables of one model or several.
        settings: How predictions become numbers.
        divisions: By what the patients are divided into subgroups, each with its own numbers.

    Raises:
        DataError: If a table does not keep the contract.
        LeakageError: If cases were sampled by the outcome and the settings do not accept it.
    """
    judged, entries = [], []
    models = models_of(predictions)
    require_accepted(models, accepted=settings.accept_biased_design)
    resampler = Resampler(Resampling.asked(settings))
    with stage("Evaluating models", len(models)) as advance:
        for model in models:
            judged.append(_judge(model, settings, resampler))
            rivals = [one.test for one in models if _asked(one) == _asked(model)]
            until = last_common_day(rivals)
            entries.append(_entry(judged[-1], settings, resampler, divisions, until))
            advance(1)
    return Evaluation(
        {
            "format": FORMAT,
            "version": VERSION,
            "settings": settings.model_dump(mode="json"),
            "models": entries,
            "comparisons": _comparisons(judged, settings),
            "undefined": [
                {"model": one.model.name, "metric": name, "reason": drawn.estimate.reason}
                for one in judged
                for name, drawn in one.metrics.items()
                if drawn.estimate.value is None
            ],
        }
    )


def _asked(model: ModelRows) -> tuple[str, str]:
    return model.endpoint, model.split


def _entry(
    one: _Judged,
    settings: EvaluationSettings,
    resampler: Resampler,
    divisions: Sequence[Division],
    until: float,
) -> dict[str, object]:
    """A model's entry, every number in it with its grade and marks."""
    entry = {
        **described(one.model, one.question, one.metrics, settings, resampler, until),
        "subgroups": [
            subgroups_of(one.model.test, one.question, settings, division) for division in divisions
        ],
    }
    stamp(entry, one.grade(settings), marks_of(one.model))
    return entry


def compare(
    predictions: Sequence[Predictions], settings: EvaluationSettings, *, metric: str = "auc"
) -> dict[str, object]:
    """All pairs of models by one metric, as one entry of `comparisons` in `evaluation.json`.

    Args:
        predictions: Of two models or more, of one endpoint and split.
        settings: How to resample.
        metric: `auc`, `harrell_c` or `uno_c`.

    Raises:
        DataError: If a model's epoch was chosen on test, the models differ in their rows, or there
            are fewer than two.
        LeakageError: As `evaluate`.
        UsageError: If models are not compared by that metric.
    """
    if metric not in COMPARED:
        raise UsageError(f"models are compared by {' or '.join(COMPARED)}, not by {metric}")
    models = models_of(predictions)
    asked = {(one.endpoint, one.split, question_of(one, settings)) for one in models}
    if len(models) < 2 or len(asked) > 1:
        raise DataError(
            f"two models or more of one endpoint, split and horizon are compared, found "
            f"{len(models)} model(s) of {len(asked)}",
            hint="give tables that predict the same thing for the same patients",
        )
    require_comparable(models)
    require_accepted(models, accepted=settings.accept_biased_design)
    resampler = Resampler(Resampling.asked(settings))
    return _comparison([_judge(one, settings, resampler) for one in models], metric, settings)


def question_of(model: ModelRows, settings: EvaluationSettings) -> Question:
    """The settings' horizon, or else the predictions' own."""
    own = model.provenance.horizon
    return Question(model.provenance.cause, own if settings.horizon is None else settings.horizon)


def _judge(model: ModelRows, settings: EvaluationSettings, resampler: Resampler) -> _Judged:
    question = question_of(model, settings)
    return _Judged(model, question, metrics_of(model, question, settings, resampler))


def _comparisons(
    judged: Sequence[_Judged], settings: EvaluationSettings
) -> list[dict[str, object]]:
    groups: dict[tuple[object, ...], list[_Judged]] = {}
    for one in judged:
        key = (one.model.endpoint, one.model.split, one.question)
        groups.setdefault(key, []).append(one)
    return [
        _comparison(group, metric, settings)
        for group in groups.values()
        if len(group) > 1
        for metric in COMPARED
    ]


def _comparison(
    group: Sequence[_Judged], metric: str, settings: EvaluationSettings
) -> dict[str, object]:
    honest = [one for one in group if one.model.provenance.epoch_chosen_on != "test"]
    reference = (honest or list(group))[0].model
    reasons = {one.model.name: refusal(one.model, reference) for one in group}
    kept = [one for one in group if not reasons[one.model.name]]
    differences, method = _differences(kept, metric, settings)
    first = reference.test
    entry: dict[str, object] = {
        "endpoint": reference.endpoint,
        "split": reference.split,
        "metric": metric,
        "models": [one.model.name for one in kept],
        "patients": len(np.unique(first.patient)),
        "rows": len(first),
        "method": method,
        "differences": [difference.as_json() for difference in differences],
        "refused": [{"name": name, "reason": why} for name, why in reasons.items() if why],
    }
    marks = dict.fromkeys(mark for one in kept for mark in marks_of(one.model))
    stamp(entry, weakest([one.grade(settings) for one in kept]), list(marks))
    return entry


def _differences(
    kept: Sequence[_Judged], metric: str, settings: EvaluationSettings
) -> tuple[tuple[Difference, ...], str]:
    if len(kept) < 2:
        return (), ""
    models, question = [one.model for one in kept], kept[0].question
    # Risks of different runs share no scale, so DeLong's ranks are those of one run.
    plain = metric == "auc" and question.horizon is None and len(models[0].test.run_masks) == 1
    drawn = {one.model.name: one.metrics[metric] for one in kept}
    if plain and all(model.test.one_row_a_patient for model in models):
        try:
            found = delong_differences(models, question, settings.level, settings.reference)
        except UndefinedMetricError:
            pass
        else:
            return _over_runs(found, kept, metric, settings.level), "DeLong, paired; Holm"
    found = paired_differences(models, drawn, settings.level, settings.reference)
    by_influence = all(one.influence is not None for one in drawn.values())
    method = "infinitesimal jackknife" if by_influence else "patient bootstrap"
    return _over_runs(found, kept, metric, settings.level), f"{method}, paired; Holm"


def _over_runs(
    found: tuple[Difference, ...], kept: Sequence[_Judged], metric: str, level: float
) -> tuple[Difference, ...]:
    by_name = {one.model.name: one for one in kept}

    def tested(difference: Difference) -> Estimate:
        one, other = by_name[difference.first], by_name[difference.second]
        drawn = one.metrics[metric], other.metrics[metric]
        return difference_over_runs(one.model, other.model, *drawn, level)

    return tuple(replace(one, over_runs=estimated(partial(tested, one))) for one in found)
