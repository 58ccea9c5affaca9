"""Gradient boosting of Cox's partial likelihood with small trees; no torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from sequela.survival.cause_specific import StepHazard
from sequela.survival.followup import Followup

ROUNDS, RATE, DEPTH, SHARE_A_LEAF = 100, 0.05, 2, 0.05


@dataclass(frozen=True)
class Tree:
    """Which number is asked at each node, and what each leaf adds to the log hazard.

    Attributes:
        feature: The number that a node asks for, -2 in a leaf.
        threshold: Up to which its patients go left.
        left: The node to the left.
        right: The node to the right.
        value: What a leaf adds.
    """

    feature: tuple[int, ...]
    threshold: tuple[float, ...]
    left: tuple[int, ...]
    right: tuple[int, ...]
    value: tuple[float, ...]

    def leaves(self, numbers: Float[np.ndarray, "patient feature"]) -> Int[np.ndarray, " patient"]:
        """The leaf of each patient."""
        # The trees were grown on single precision: a number at a threshold must fall as it did.
        asked, narrow = np.array(self.feature), numbers.astype(np.float32)
        node, rows = np.zeros(len(numbers), dtype=np.int64), np.arange(len(numbers))
        while (asked[node] >= 0).any():
            inner = asked[node] >= 0
            goes = narrow[rows, np.where(inner, asked[node], 0)] <= np.array(self.threshold)[node]
            down = np.where(goes, np.array(self.left)[node], np.array(self.right)[node])
            node = np.where(inner, down, node)
        return node

    def __call__(
        self, numbers: Float[np.ndarray, "patient feature"]
    ) -> Float[np.ndarray, " patient"]:
        """What the tree adds to each patient's log hazard."""
        added: Float[np.ndarray, " patient"] = np.array(self.value)[self.leaves(numbers)]
        return added


@dataclass(frozen=True)
class BoostedHazard:
    """A sum of small trees, each a step towards the patients' residuals."""

    trees: tuple[Tree, ...]

    @classmethod
    def fit(
        cls,
        numbers: Float[np.ndarray, "patient feature"],
        train: Followup,
        event: Bool[np.ndarray, " patient"],
    ) -> BoostedHazard:
        """Fitted on training patients.

        Every round grows a tree on the martingale residuals, the gradient of the partial
        likelihood, and gives each leaf a shrunken Newton step.

        Source: Friedman 2001, algorithm 1; Ridgeway 1999 for Cox's likelihood. The number of
        rounds, their rate and the depth are fixed: nothing is chosen on other patients.
        """
        from sklearn.tree import DecisionTreeRegressor

        score = np.zeros(len(numbers))
        least = max(1, round(SHARE_A_LEAF * len(numbers)))
        trees = []
        for _ in range(ROUNDS):
            expected = _expected(score, train, event)
            grower = DecisionTreeRegressor(max_depth=DEPTH, min_samples_leaf=least, random_state=0)
            grown = grower.fit(numbers, event - expected).tree_
            tree = _stepped(grown, numbers, event - expected, expected)
            score = score + tree(numbers)
            trees.append(tree)
        return cls(tuple(trees))

    def score(self, numbers: Float[np.ndarray, "patient feature"]) -> Float[np.ndarray, " patient"]:
        """Each patient's log hazard relative to the baseline."""
        return sum((tree(numbers) for tree in self.trees), np.zeros(len(numbers)))

    def state(self) -> list[dict[str, Any]]:
        """What `from_state` needs, as JSON holds it."""
        return [asdict(tree) for tree in self.trees]

    @classmethod
    def from_state(cls, state: list[Mapping[str, Any]]) -> BoostedHazard:
        """The trees whose `state()` this is."""
        return cls(
            tuple(Tree(**{name: tuple(values) for name, values in one.items()}) for one in state)
        )


def _expected(
    score: Float[np.ndarray, " patient"], train: Followup, event: Bool[np.ndarray, " patient"]
) -> Float[np.ndarray, " patient"]:
    """The events that each patient's hazard up to the last contact lets expect."""
    relative = np.exp(score)
    baseline = StepHazard.breslow(train.time, event, relative, entry=train.entry)
    passed = baseline.at(train.time)
    if train.entry is not None:
        passed = passed - baseline.at(train.entry)
    expected: Float[np.ndarray, " patient"] = relative * passed
    return expected


def _stepped(
    grown: Any,
    numbers: Float[np.ndarray, "patient feature"],
    residual: Float[np.ndarray, " patient"],
    expected: Float[np.ndarray, " patient"],
) -> Tree:
    """A grown tree whose leaves hold shrunken Newton steps.

    The curvature of a leaf is the events expected in it; one more keeps a small leaf's step small.
    """
    shape = Tree(
        tuple(grown.feature.tolist()),
        tuple(grown.threshold.tolist()),
        tuple(grown.children_left.tolist()),
        tuple(grown.children_right.tolist()),
        (0.0,) * grown.node_count,
    )
    leaf = shape.leaves(numbers)
    pull = np.bincount(leaf, residual, grown.node_count)
    curve = np.bincount(leaf, expected, grown.node_count)
    value = tuple((RATE * pull / (curve + 1.0)).tolist())
    return Tree(shape.feature, shape.threshold, shape.left, shape.right, value)
