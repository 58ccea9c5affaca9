"""`evaluation.json` as typed results: a row a model, in the order in which tables print them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sequela.models.baselines import BASELINES
from sequela.report.calibration import Calibration, DecisionCurve, RiskBin
from sequela.report.estimates import NOT_COMPUTED, Estimate
from sequela.report.names import ORDER, label
from sequela.report.over_time import numbers_over_time
from sequela.report.survival_curves import Curve


@dataclass(frozen=True)
class GroupCounts:
    """What became of a risk group by the table's day (five years).

    Attributes:
        group: `high` or `low`.
        event: With the event.
        free: Known to be free of it.
        competing: Who had another event first.
        excluded: Censored before the day.
        rate: Events among those not excluded.
        incidence: The risk by then, counting the censored rightly.
    """

    group: str
    event: int
    free: int
    competing: int
    excluded: int
    rate: float | None
    incidence: Estimate


@dataclass(frozen=True)
class ModelResult:
    """What evaluation found for one model on one split.

    Attributes:
        name: Unique on the page.
        variant: The named variant.
        endpoint: What is predicted.
        split: `test` or `external`.
        horizon: Days after the landmark to which the numbers refer, None for ever.
        definition: The label in words.
        provenance: Where the predictions come from.
        counts: `patients`, `rows`, `events` and so on.
        metrics: Metric name to estimate.
        curves: Survival curves of the risk groups.
        table_day: Day to which `table` refers.
        table: Counts of the risk groups.
        calibration: None where the model predicts no probability.
        decision: None likewise.
        warnings: What must stand beside its numbers.
    """

    name: str
    variant: str
    endpoint: str
    split: str
    horizon: float | None
    definition: str
    provenance: Mapping[str, Any]
    counts: Mapping[str, int]
    metrics: Mapping[str, Estimate]
    curves: tuple[Curve, ...]
    table_day: float | None
    table: tuple[GroupCounts, ...]
    calibration: Calibration | None
    decision: DecisionCurve | None
    warnings: tuple[str, ...]

    @property
    def label(self) -> str:
        """The model's name as tables print it."""
        return label(self.name)

    @property
    def is_baseline(self) -> bool:
        """Whether it stands at the top of the table, for what others must beat."""
        return self.variant in BASELINES


def read_results(evaluation: Mapping[str, Any]) -> list[ModelResult]:
    """The models: test before external, baselines first, then in the paper's order."""
    ranks = {name: rank for rank, name in enumerate(ORDER)}
    results = [_result(node) for node in evaluation["models"]]
    return sorted(
        results,
        key=lambda one: (
            one.endpoint,
            one.split != "test",
            ranks.get(one.variant, len(ranks)),
            one.name,
        ),
    )


def _result(node: Mapping[str, Any]) -> ModelResult:
    groups = node.get("risk_groups") or {}
    table = groups.get("horizon_table") or {}
    curves = [_curve(group) for group in groups.get("groups", ()) if group.get("curve")]
    return ModelResult(
        name=node["name"],
        variant=node["variant"],
        endpoint=node["endpoint"],
        split=node["split"],
        horizon=_optional(node.get("horizon")),
        definition=str(node.get("definition", "")),
        provenance=node.get("provenance") or {},
        counts=node.get("counts") or {},
        metrics=_metrics(node, groups),
        curves=tuple(curves),
        table_day=_optional(table.get("day")),
        table=tuple(_counts(row) for row in table.get("rows", ())),
        calibration=_calibration(node.get("calibration") or {}, node.get("risk_histogram") or {}),
        decision=_decision(node.get("decision_curve") or {}),
        warnings=tuple(str(text) for text in node.get("warnings", ())),
    )


def _metrics(node: Mapping[str, Any], groups: Mapping[str, Any]) -> dict[str, Estimate]:
    """The metrics, and the numbers of the risk groups and of all time beside them."""
    missing = str(groups.get("reason") or NOT_COMPUTED)
    metrics = {name: Estimate.of(value) for name, value in node.get("metrics", {}).items()}
    ratio = Estimate.of(groups.get("hazard_ratio"), reason=missing)
    log_rank = groups.get("log_rank") or {}
    metrics["hazard_ratio"] = ratio
    metrics["wald_p"] = Estimate(
        ratio.p, reason="" if ratio.p is not None else ratio.reason or missing, marks=ratio.marks
    )
    reason = str(log_rank.get("reason") or missing)
    p = _optional(log_rank.get("p"))
    metrics["log_rank_p"] = Estimate(p, reason="" if p is not None else reason, marks=ratio.marks)
    return {**metrics, **numbers_over_time(node)}


def _curve(node: Mapping[str, Any]) -> Curve:
    curve, at_risk = node["curve"], node.get("at_risk") or {"time": (), "count": ()}
    return Curve(
        group=node["name"],
        kind=str(curve.get("kind", "kaplan-meier")),
        times=_floats(curve["time"]),
        survival=_floats(curve["estimate"]),
        low=[_optional(value) for value in curve["low"]],
        high=[_optional(value) for value in curve["high"]],
        at_risk=list(zip(_floats(at_risk["time"]), at_risk["count"], strict=True)),
    )


def _counts(node: Mapping[str, Any]) -> GroupCounts:
    return GroupCounts(
        group=node["name"],
        event=int(node["event"]),
        free=int(node["event_free"]),
        competing=int(node.get("competing") or 0),
        excluded=int(node["excluded"]),
        rate=Estimate.of(node.get("event_rate")).value,
        incidence=Estimate.of(node.get("incidence")),
    )


def _calibration(node: Mapping[str, Any], histogram: Mapping[str, Any]) -> Calibration | None:
    groups = node.get("groups") or {}
    if not groups.get("predicted"):
        return None
    columns = [groups[key] for key in ("predicted", "observed", "low", "high")]
    bins = [
        RiskBin(float(predicted), float(observed), _optional(low), _optional(high))
        for predicted, observed, low, high in zip(*columns, strict=True)
        if observed is not None
    ]
    bars = [histogram.get(key) or [] for key in ("case", "control", "unknown")]
    counts = [int(sum(bar)) for bar in zip(*bars, strict=True)]
    return Calibration(bins, _floats(histogram.get("edges") or ()), counts)


def _decision(node: Mapping[str, Any]) -> DecisionCurve | None:
    columns = [node.get(key) or () for key in ("threshold", "model", "treat_all")]
    nothing = [None] * len(columns[0])
    columns += [node.get(key) or nothing for key in ("low", "high")]
    rows = [
        (float(threshold), float(model), float(everyone), _optional(low), _optional(high))
        for threshold, model, everyone, low, high in zip(*columns, strict=True)
        if model is not None and everyone is not None
    ]
    return DecisionCurve(*map(list, zip(*rows, strict=True))) if rows else None


def _floats(values: Sequence[float | int]) -> list[float]:
    return [float(value) for value in values]


def _optional(value: float | int | None) -> float | None:
    return None if value is None else float(value)
