"""Why the numbers may be believed, or not: the audit, the evidence, subgroups, calibration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from sequela.report.estimates import Estimate
from sequela.report.evidence import Evidence
from sequela.report.names import label
from sequela.report.results import ModelResult
from sequela.report.subgroups import Subgroups, forest_figure, read_subgroups


@dataclass(frozen=True)
class Graded:
    """How strong the evidence behind a model's numbers is.

    Attributes:
        name: Of the model.
        grade: From `unknown` to `external`.
        reason: Why that grade.
        sampling: What an audit says of the design, None where nobody asked.
        marks: What stands beside each of its numbers.
    """

    name: str
    grade: str
    reason: str
    sampling: Mapping[str, Any] | None
    marks: tuple[str, ...]

    @property
    def label(self) -> str:
        """The model's name as tables print it."""
        return label(self.name)

    @property
    def timing(self) -> Estimate:
        """How well the times of visits alone tell the outcome."""
        sampling = self.sampling or {}
        value = {"value": sampling.get("auc"), **{key: sampling.get(key) for key in _ENDS}}
        return Estimate.of(value, reason=str(sampling.get("reason") or "nobody asked"))


@dataclass(frozen=True)
class Spread:
    """How far the runs of a model lie apart in one number; no part of its interval."""

    model: str
    metric: str
    runs: int
    over_seeds: float | None
    over_folds: float | None


@dataclass(frozen=True)
class Recalibrated:
    """Calibration on test patients, as predicted or after a map that validation patients fitted."""

    model: str
    map: str
    numbers: Mapping[str, Estimate]


@dataclass(frozen=True)
class Bounds:
    """Lower bounds on the time to the event, and how often they held.

    Attributes:
        model: Whose.
        level: The chance with which they were to hold.
        coverage: How often they did, on the test patients.
        median: Of the bounds, in days.
    """

    model: str
    level: float
    coverage: Estimate
    median: float | None


RECALIBRATED = (
    ("brier", "Brier", "number"),
    ("observed_expected", "Observed / expected", "ratio"),
    ("calibration_slope", "Calibration slope", "ratio"),
)
_ENDS = ("low", "high")
_MAPS = {
    "nothing": "as predicted",
    "slope-intercept": "slope and intercept",
    "platt": "Platt",
    "isotonic": "isotonic",
}


def trust(
    evidence: Evidence, results: Sequence[ModelResult], main: ModelResult | None
) -> dict[str, Any]:
    """What the sections audit, evidence, subgroups and recalibration show."""
    nodes = {node["name"]: node for node in evidence.evaluation.get("models", ())}
    ordered = [nodes[result.name] for result in results]
    graded = [_graded(node) for node in ordered if node.get("evidence")]
    divided = [group for node in ordered for group in read_subgroups(node)]
    shown = [one for one in divided if main is not None and one.model == main.name] or divided
    return {
        "audit": evidence.audit if evidence.audit.get("findings") is not None else None,
        "graded": graded,
        "unseen": not any(one.grade in ("unknown", "apparent") for one in graded),
        "stated": (evidence.evaluation.get("settings") or {}).get("threshold") is not None,
        "biased": any("outcome-dependent sampling" in one.marks for one in graded),
        "spread": [row for node in ordered for row in _spread(node)],
        "subgroups": divided,
        "forests": _forests(shown),
        "recalibrated": [row for node in ordered for row in _recalibrated(node)],
        "recalibration_metrics": RECALIBRATED,
        "bounds": [bound for node in ordered for bound in _bounds(node)],
    }


def _graded(node: Mapping[str, Any]) -> Graded:
    stated = node["evidence"]
    sampling = (node.get("provenance") or {}).get("sampling")
    marks = tuple(str(mark) for mark in node.get("marks") or ())
    return Graded(node["name"], str(stated["grade"]), str(stated["reason"]), sampling, marks)


def _forests(shown: Sequence[Subgroups]) -> list[tuple[str, Markup]]:
    """One drawing a metric, of all divisions of one model."""
    if not any(group.metrics for one in shown for group in one.groups):
        return []
    first = [one for one in shown if one.model == shown[0].model]
    drawings = []
    for name, title, neutral in (
        ("harrell_c", "Harrell’s C", 0.5),
        ("observed_expected", "Observed / expected", 1.0),
    ):
        drawing = forest_figure(first, name, neutral, f"forest-{name}")
        if drawing:
            # Matplotlib escapes the text it writes into an SVG.
            drawings.append((f"{label(first[0].model)}: {title}", Markup(drawing)))  # noqa: S704
    return drawings


def _spread(node: Mapping[str, Any]) -> list[Spread]:
    found = node.get("spread") or {}
    return [
        Spread(
            label(node["name"]),
            label(name),
            int(found[name]["runs"]),
            found[name]["over_seeds"],
            found[name]["over_folds"],
        )
        for name in ("auc", "harrell_c")
        if name in found
    ]


def _recalibrated(node: Mapping[str, Any]) -> list[Recalibrated]:
    found = node.get("recalibration") or {}
    after = [(one["name"], one["after"]) for one in found.get("maps") or () if one["after"]]
    if not after or not found.get("before"):
        return []
    return [
        Recalibrated(
            label(node["name"]),
            _MAPS.get(name, name),
            {key: Estimate.of(numbers.get(key)) for key, _, _ in RECALIBRATED},
        )
        for name, numbers in [("nothing", found["before"]), *after]
    ]


def _bounds(node: Mapping[str, Any]) -> list[Bounds]:
    found = node.get("conformal") or {}
    coverage = Estimate.of(found.get("coverage"), reason=str(found.get("reason") or ""))
    if not coverage.defined:
        return []
    return [Bounds(label(node["name"]), float(found["level"]), coverage, found["median_bound"])]
