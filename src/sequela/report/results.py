"""`evaluation.json` as typed results: a row a model, in the order in which tables print them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sequela.report.estimates import Estimate
from sequela.report.survival_curves import Curve

BASELINES = ("kaplan-meier", "cox-clinical", "timing-only")
LABELS = {
    "lumin": "LUMIN",
    "lumin-m": "LUMIN-M",
    "lumin-t": "LUMIN-T",
    "kaplan-meier": "Kaplan–Meier",
    "cox-clinical": "Cox, clinical",
    "timing-only": "Timing only",
    "resnet50": "ResNet-50",
    "st-i": "ST-I",
    "st-r": "ST-R",
    "st-b": "ST-B",
    "l-b": "L-B",
}


@dataclass(frozen=True)
class ModelResult:
    """What evaluation found for one model.

    Attributes:
        name: As in the JSON.
        metrics: Metric name to estimate.
        curves: Survival curves of the risk groups.
    """

    name: str
    metrics: Mapping[str, Estimate]
    curves: tuple[Curve, ...]

    @property
    def label(self) -> str:
        """The model's name as tables print it."""
        return label(self.name)

    @property
    def is_baseline(self) -> bool:
        """Whether it stands at the top of the table, for what others must beat."""
        return self.name in BASELINES


def label(name: str) -> str:
    """A variant's name as tables print it."""
    return LABELS.get(name, name)


def read_results(evaluation: Mapping[str, Any]) -> list[ModelResult]:
    """The models of an evaluation, baselines first."""
    results = [_result(node) for node in evaluation["models"]]
    ranks = {name: rank for rank, name in enumerate(BASELINES)}
    return sorted(results, key=lambda result: ranks.get(result.name, len(BASELINES)))


def _result(node: Mapping[str, Any]) -> ModelResult:
    metrics = {name: Estimate.of(value) for name, value in node.get("metrics", {}).items()}
    groups = node.get("stratification", {}).get("groups", ())
    return ModelResult(node["variant"], metrics, tuple(_curve(group) for group in groups))


def _curve(node: Mapping[str, Any]) -> Curve:
    curve = node["curve"]
    return Curve(
        node["group"],
        [float(day) for day in curve["time"]],
        [float(value) for value in curve["survival"]],
        [_optional(value) for value in curve["low"]],
        [_optional(value) for value in curve["high"]],
        [(float(day), int(count)) for day, count in node.get("at_risk", ())],
    )


def _optional(value: float | int | None) -> float | None:
    return None if value is None else float(value)
