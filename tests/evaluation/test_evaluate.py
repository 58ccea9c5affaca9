from __future__ import annotations

import json

from sequela.evaluation.evaluate import evaluate
from sequela.evaluation.predictions import Predictions
from sequela.evaluation.settings import EvaluationSettings

FEW = EvaluationSettings(bootstraps=50)


def test_the_better_model_has_the_higher_auc_and_its_interval_holds_it(
    predictions: Predictions,
) -> None:
    content = json.loads(json.dumps(evaluate([predictions], FEW).as_json(), allow_nan=False))
    good, poor = (model["metrics"]["auc"] for model in content["models"])
    assert good["low"] < good["value"] < good["high"]
    assert good["value"] > poor["value"] > 0.5
