"""docs/evaluation-json.md says what `evaluation.json` holds; this holds it to that."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

from sequela.evaluation.evaluate import evaluate
from sequela.evaluation.metrics import METRICS
from sequela.evaluation.predictions import Predictions
from sequela.evaluation.settings import EvaluationSettings

PAGE = Path(__file__).parents[2] / "docs" / "evaluation-json.md"
DESCRIBED_ELSEWHERE = {"settings", "provenance"}


def keys(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield key
            if key not in DESCRIBED_ELSEWHERE:
                yield from keys(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from keys(inner)


def test_every_field_is_on_the_page(predicted: Callable[..., Predictions]) -> None:
    few = EvaluationSettings(bootstraps=5, curve_bootstraps=2)
    content = evaluate([predicted(visits=2, horizon=1095.0)], few).as_json()
    named = set(re.findall(r"`([a-z_0-9]+)`", PAGE.read_text()))
    assert set(keys(content)) - named == set()
    assert set(METRICS) <= named
