"""The results in words, written from the comparisons and never beyond them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from sequela.report.comparisons import Comparison, ComparisonSet
from sequela.report.estimates import Estimate, printed
from sequela.report.names import label
from sequela.report.results import ModelResult

SIGNIFICANT = 0.05
Verdict = Literal["better", "worse", "not shown", "not testable"]


@dataclass(frozen=True)
class Headline:
    """What a reader takes away.

    Attributes:
        lead: One sentence: did the model beat its rivals?
        points: What stands behind it, a sentence each.
    """

    lead: str
    points: tuple[str, ...]


def verdict(comparison: Comparison) -> Verdict:
    """What may be said of `comparison.left` against `comparison.right`."""
    if comparison.difference.value is None or comparison.p is None:
        return "not testable"
    if comparison.p >= SIGNIFICANT:
        return "not shown"
    return "better" if comparison.difference.value > 0 else "worse"


def main_model(results: Sequence[ModelResult]) -> ModelResult | None:
    """The model the page is about: LUMIN or KEMM where run, else the first that is no baseline."""
    models = [result for result in results if not result.is_baseline]
    ours = [result for result in models if result.variant in ("lumin", "kemm")]
    return next(iter(ours or models), None)


def headline(results: Sequence[ModelResult], sets: Sequence[ComparisonSet]) -> Headline:
    """The summary of an evaluation."""
    main = main_model(results)
    if main is None:
        nothing = "Only baselines were evaluated" if results else "Nothing was evaluated"
        return Headline(f"{nothing}; there is no model to compare.", ())
    metric = "auc" if main.horizon is not None else "harrell_c"
    against = _comparisons_of(main.name, sets, metric)
    points = (*_own_numbers(main, metric), *(_comparison(one) for one in against), *_refusals(sets))
    return Headline(_lead(main.label, against), points)


def _comparisons_of(name: str, sets: Sequence[ComparisonSet], metric: str) -> list[Comparison]:
    """Those of one set that holds the model: on this metric if there is one, else on the first."""
    mine = sorted((one for one in sets if name in one.names), key=lambda one: one.metric != metric)
    chosen = mine[0] if mine else None
    pairs = [chosen.pair(name, other) for other in chosen.names if other != name] if chosen else []
    return [pair for pair in pairs if pair is not None]


def _refusals(sets: Sequence[ComparisonSet]) -> list[str]:
    reasons = [(name, reason) for one in sets for name, reason in one.refused]
    return [
        f"{label(name)} is left out of the comparison: {reason}."
        for name, reason in dict(reasons).items()
    ]


def _lead(model: str, against: Sequence[Comparison]) -> str:
    if not against:
        return f"{model} was not compared with another model."
    found: dict[Verdict, list[str]] = {}
    for comparison in against:
        found.setdefault(verdict(comparison), []).append(comparison.right_label)
    total = len(against)
    metric = label(against[0].metric)
    better = found.get("better", [])
    if len(better) == total:
        return f"{model} beat {_all_of(total)} on {metric}: {_listed(better)}."
    if better:
        start = (
            f"{model} beat {len(better)} of the {total} models it was compared with on {metric} "
            f"({_listed(better)})"
        )
    else:
        start = f"{model} was not shown to beat {_any_of(total)} on {metric}"
    rest = [
        text.format(_listed(found[kind]))
        for kind, text in _REST.items()
        if kind in found and not (kind == "not shown" and not better)
    ]
    return "; ".join([start, *rest]) + "."


_REST: dict[Verdict, str] = {
    "not shown": "a difference from {} was not shown",
    "worse": "it was worse than {}",
    "not testable": "the difference from {} could not be tested",
}


def _any_of(total: int) -> str:
    return _all_of(total).replace("all", "any of the", 1)


def _all_of(total: int) -> str:
    return (
        "the one model it was compared with"
        if total == 1
        else f"all {total} models it was compared with"
    )


def _own_numbers(model: ModelResult, metric: str) -> list[str]:
    sentences = []
    found = model.metrics.get(metric)
    if found is not None:
        sentences.append(f"The {label(metric)} of {model.label} was {found.text()}.")
    ratio = model.metrics.get("hazard_ratio")
    if ratio is not None:
        sentences.append(_risk_groups(model.label, ratio, model.metrics.get("log_rank_p")))
    return sentences


def _risk_groups(model: str, ratio: Estimate, log_rank: Estimate | None) -> str:
    if ratio.value is None:
        return f"The hazard ratio of {model}'s risk groups is undefined: {ratio.reason}."
    test = ""
    if log_rank is not None and log_rank.value is not None:
        test = f"; log-rank {_p(log_rank.value)}"
    return (
        f"The hazard in {model}'s high-risk group was {ratio.text('ratio')} times that in its "
        f"low-risk group{test}."
    )


def _comparison(one: Comparison) -> str:
    difference = one.difference
    if difference.value is None:
        return f"Against {one.right_label}: undefined, {difference.reason}."
    said = {
        "better": "better",
        "worse": "worse",
        "not shown": "a difference was not shown",
        "not testable": "not tested",
    }[verdict(one)]
    test = "" if one.p is None else f", Holm-adjusted {_p(one.p)}"
    return (
        f"Against {one.right_label}: {label(one.metric)} difference "
        f"{difference.text(signed=True)}{test}: {said}."
    )


def _p(value: float) -> str:
    text = printed(value, "p")
    return f"p {text}" if text.startswith("<") else f"p = {text}"


def _listed(names: Sequence[str]) -> str:
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last
