"""The comparisons in `evaluation.json`: which model is better than which, and how surely."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sequela.report.estimates import NOT_COMPUTED, Estimate
from sequela.report.names import label
from sequela.report.results import ModelResult

_NOT_ASKED = Estimate(None, reason=NOT_COMPUTED)


@dataclass(frozen=True)
class Comparison:
    """Two models on the same patients.

    Attributes:
        left: Name of the one.
        right: Name of the other.
        metric: What is compared.
        difference: Left minus right.
        p: Adjusted for the number of comparisons (Holm), None where it could not be tested.
        over_runs: Left minus right over repeated folds.
    """

    left: str
    right: str
    metric: str
    difference: Estimate
    p: float | None
    over_runs: Estimate = _NOT_ASKED

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
        turned = _turned(self.difference)
        over_runs = _turned(self.over_runs)
        return replace(self, left=name, right=self.left, difference=turned, over_runs=over_runs)


def _turned(difference: Estimate) -> Estimate:
    """Right minus left."""
    value, low, high = (
        None if end is None else -end for end in (difference.value, difference.high, difference.low)
    )
    return replace(difference, value=value, low=low, high=high)


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

    @property
    def rows(self) -> tuple[str, ...]:
        """The models that stand below one they are compared with."""
        return tuple(
            name
            for rank, name in enumerate(self.names)
            if any(self.pair(name, other) for other in self.names[:rank])
        )

    @property
    def columns(self) -> tuple[str, ...]:
        """The models that stand above one they are compared with."""
        return tuple(
            name
            for rank, name in enumerate(self.names, start=1)
            if any(self.pair(name, other) for other in self.names[rank:])
        )

    def pair(self, left: str, right: str) -> Comparison | None:
        """The comparison of two models, None where there is none."""
        for one in self.pairs:
            if {one.left, one.right} == {left, right}:
                return one.seen_from(left)
        return None


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
            None if one.get("p_holm") is None else float(one["p_holm"]),
            Estimate.of(one.get("over_runs")),
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
