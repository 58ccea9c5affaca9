"""What the terminal prints of an evaluation."""

from __future__ import annotations

from typing import Any

from rich.table import Table

from sequela.cli.number_tables import performance

_NUMBER = {"value": 0.7, "low": 0.6, "high": 0.8}
_NONE = {"value": None, "low": None, "high": None}


def content(*models: str, undefined: list[tuple[str, str, str]]) -> dict[str, Any]:
    names = ("auc", "accuracy", "sensitivity", "specificity", "harrell_c")
    missing = {(model, metric) for model, metric, _ in undefined}
    return {
        "models": [
            {
                "name": model,
                "metrics": {n: _NONE if (model, n) in missing else _NUMBER for n in names},
                "risk_groups": {"hazard_ratio": None},
                "warnings": [],
            }
            for model in models
        ],
        "undefined": [
            {"model": model, "metric": metric, "reason": why} for model, metric, why in undefined
        ],
    }


def test_what_is_undefined_for_all_models_has_no_column_and_one_line() -> None:
    why = "a threshold is chosen on validation rows"
    undefined = [(m, n, why) for m in "ab" for n in ("accuracy", "sensitivity")]
    table, *lines = performance(
        content("a", "b", undefined=[*undefined, ("a", "auc", "no variation")])
    )
    assert isinstance(table, Table)
    heads = [str(column.header) for column in table.columns]
    assert heads == ["model", "AUC", "spec.", "C"]
    assert next(iter(table.columns[1].cells)) == "undefined"
    assert lines == [
        f"undefined: all models: accuracy, sensitivity: {why}",
        "undefined: a: auc: no variation",
    ]
