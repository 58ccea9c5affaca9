"""`evaluation.json` as typed results: a row a model, in the order in which tables print them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sequela.report.calibration import Calibration, DecisionCurve, RiskBin
from sequela.report.estimates import NOT_COMPUTED, Estimate
from sequela.report.survival_curves import Curve

BASELINES = ("kaplan-meier", "cox-clinical", "timing-only")
_ORDER = (*BASELINES, "resnet50", "st-i", "st-r", "st-b", "l-b", "lumin-m", "lumin-t", "lumin")
LABELS = {
    "kaplan-meier": "Kaplan–Meier",
    "cox-clinical": "Cox (clinical)",
    "timing-only": "Timing only",
    "resnet50": "ResNet-50",
    "auc": "AUC",
    "harrell_c": "Harrell's C",
}


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


@dataclass(frozen=True)
class Comparison:
    """Two models on the same patients.

    Attributes:
        left: Name of the one.
        right: Name of the other.
        metric: What is compared.
        difference: Left minus right.
        p: Adjusted for the number of comparisons (Holm), None where it could not be tested.
    """

    left: str
    right: str
    metric: str
    difference: Estimate
    p: float | None

    @property
    def right_label(self) -> str:
        """The other model's name as tables print it."""
        return label(self.right)

    def seen_from(self, name: str) -> Comparison | None:
        """The same with `name` on the left, None where it takes no part."""
        if self.left == name:
            return self
        if self.right != name:
            return None
        value, low, high = (
            None if end is None else -end
            for end in (self.difference.value, self.difference.high, self.difference.low)
        )
        turned = replace(self.difference, value=value, low=low, high=high)
        return replace(self, left=name, right=self.left, difference=turned)


@dataclass(frozen=True)
class ComparisonSet:
    """All pairs of models on one endpoint and split.

    Attributes:
        split: `test` or `external`.
        metric: What is compared.
        method: How, as `DeLong`.
        names: The models, in the order of the tables.
        pairs: The comparisons.
        refused: (model, why it does not take part).
    """

    split: str
    metric: str
    method: str
    names: tuple[str, ...]
    pairs: tuple[Comparison, ...]
    refused: tuple[tuple[str, str], ...]

    def pair(self, left: str, right: str) -> Comparison | None:
        """The comparison of two models, None where there is none."""
        for one in self.pairs:
            if {one.left, one.right} == {left, right}:
                return one.seen_from(left)
        return None


def label(name: str) -> str:
    """A model's or metric's name as tables print it."""
    variant, space, rest = name.partition(" ")
    if variant in LABELS:
        return LABELS[variant] + space + rest
    if variant.startswith("lumin"):
        head, dash, ablation = variant.partition("-without-")
        return head.upper() + dash.replace("-", " ") + ablation.replace("-", " ") + space + rest
    return (variant.upper() if variant in _ORDER else variant) + space + rest


def read_results(evaluation: Mapping[str, Any]) -> list[ModelResult]:
    """The models: test before external, baselines first, then in the paper's order."""
    ranks = {name: rank for rank, name in enumerate(_ORDER)}
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


def read_comparisons(
    evaluation: Mapping[str, Any], results: Sequence[ModelResult]
) -> list[ComparisonSet]:
    """The comparisons of an evaluation, models in the order of `results`."""
    order = {result.name: rank for rank, result in enumerate(results)}
    return [_comparisons(node, order) for node in evaluation.get("comparisons", ())]


def _comparisons(node: Mapping[str, Any], order: Mapping[str, int]) -> ComparisonSet:
    metric = str(node["metric"])
    pairs = [
        Comparison(
            one["first"],
            one["second"],
            metric,
            Estimate.of(one["difference"], reason=str(one.get("reason") or "")),
            _optional(one.get("p_holm")),
        )
        for one in node.get("differences", ())
    ]
    return ComparisonSet(
        split=str(node.get("split", "test")),
        metric=metric,
        method=str(node.get("method", "")),
        names=tuple(sorted(node["models"], key=lambda name: order.get(name, len(order)))),
        pairs=tuple(pairs),
        refused=tuple((str(one["name"]), str(one["reason"])) for one in node.get("refused", ())),
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
    """The metrics, and the three numbers of the risk groups beside them."""
    missing = str(groups.get("reason") or NOT_COMPUTED)
    metrics = {name: Estimate.of(value) for name, value in node.get("metrics", {}).items()}
    ratio = Estimate.of(groups.get("hazard_ratio"), reason=missing)
    log_rank = groups.get("log_rank") or {}
    metrics["hazard_ratio"] = ratio
    metrics["wald_p"] = Estimate(
        ratio.p, reason="" if ratio.p is not None else ratio.reason or missing
    )
    reason = str(log_rank.get("reason") or missing)
    p = _optional(log_rank.get("p"))
    metrics["log_rank_p"] = Estimate(p, reason="" if p is not None else reason)
    return metrics


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
    rows = [
        (float(threshold), float(model), float(everyone))
        for threshold, model, everyone in zip(
            *(node.get(key) or () for key in ("threshold", "model", "treat_all")), strict=True
        )
        if model is not None and everyone is not None
    ]
    return DecisionCurve(*map(list, zip(*rows, strict=True))) if rows else None


def _floats(values: Sequence[float | int]) -> list[float]:
    return [float(value) for value in values]


def _optional(value: float | int | None) -> float | None:
    return None if value is None else float(value)
