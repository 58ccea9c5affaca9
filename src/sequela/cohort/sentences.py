"""Structured fields as sentences, for models that read text."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sequela.cohort.manifest import Covariate, Manifest


def sentence(label: str, values: Iterable[str]) -> str:
    """`Label: value; value.`, each value once and in order; nothing where there is none."""
    said = "; ".join(dict.fromkeys(value.strip().rstrip(".") for value in values if value.strip()))
    return f"{label[:1].upper()}{label[1:]}: {said}." if said else ""


def covariate_sentences(row: Mapping[str, object], manifest: Manifest) -> str:
    """A patient's declared covariates in words, such as "Age: 61 years. Grade: 2.".

    Args:
        row: Values by column, as a row of `Cohort.covariates`; missing ones are left out.
        manifest: Declares the columns, their names for readers and their units.
    """
    parts = (
        sentence(item.label or name.replace("_", " "), [_said(item, row.get(name))])
        for name, item in manifest.clinical.items()
    )
    return " ".join(part for part in parts if part)


def _said(covariate: Covariate, value: object) -> str:
    if value is None:
        return ""
    if covariate.kind == "binary" and not covariate.levels:
        return "yes" if value else "no"
    text = f"{value:.6g}" if isinstance(value, float) else str(value)
    return f"{text} {covariate.unit}".strip()
