"""What models and metrics are called in tables, and in which order models stand."""

from __future__ import annotations

from sequela.models.baselines import BASELINES

RIVALS = ("mirai", "lomar", "late-fusion", "late-fusion-stacked")
ORDER = (
    *BASELINES,
    *RIVALS,
    "resnet50",
    "st-i",
    "st-r",
    "st-b",
    "l-b",
    "lumin-m",
    "lumin-t",
    "lumin",
)
LABELS = {
    "kaplan-meier": "Kaplan–Meier",
    "cox-clinical": "Cox (clinical)",
    "timing-only": "Timing only",
    "cox-text": "Cox (clinical and text)",
    "cox-expression": "Cox (clinical and expression)",
    "cox-expression-mean": "Cox (clinical and expression, mean of two penalties)",
    "cox-report": "Cox (clinical and report fields)",
    "coxnet": "Elastic-net Cox (clinical and expression)",
    "boosting": "Boosting (clinical and text)",
    "boosting-expression": "Boosting (clinical and expression)",
    "mirai": "Mirai-style",
    "lomar": "LoMaR-style",
    "late-fusion": "Late fusion",
    "late-fusion-stacked": "Late fusion (stacked)",
    "resnet50": "ResNet-50",
    "snn": "SNN",
    "abmil": "ABMIL",
    "clam": "CLAM-style",
    "transmil": "TransMIL",
    "text-only": "Text only",
    "mean-fusion": "Late fusion (mean of networks)",
    "kemm": "KEMM",
    "kemm-4-bins": "KEMM, 4-bin likelihood",
    "kemm-ranking": "KEMM, ranking head",
    "kemm-without-skip": "KEMM without its straight way",
    "porpoise": "PORPOISE",
    "mcat": "MCAT",
    "motcat": "MOTCat-style",
    "cmta": "CMTA",
    "survpath": "SurvPath",
    "mmp": "MMP",
    "auc": "AUC",
    "harrell_c": "Harrell's C",
    "uno_c": "Uno's C",
}


def label(name: str) -> str:
    """A model's or metric's name as tables print it."""
    variant, space, rest = name.partition(" ")
    if variant in LABELS:
        return LABELS[variant] + space + rest
    if variant.startswith("lumin"):
        head, dash, ablation = variant.partition("-without-")
        return head.upper() + dash.replace("-", " ") + ablation.replace("-", " ") + space + rest
    return (variant.upper() if variant in ORDER else variant) + space + rest
