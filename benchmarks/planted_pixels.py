"""Are signals found that stand in pixels and notes, where nothing but files is given?

    python benchmarks/planted_pixels.py [--patients 3000] [--seeds 1] [--work FOLDER] [--only …]

Cohorts come from `sequela simulate` with images, as small as a mass can be told in (64 × 64), and
go through `sequela study` whole: decoding, encoders from random weights, explanations. Prints each
model's C beside the oracle's, the differences in AUC with their intervals (patients resampled, Holm
over all pairs), and whether LUMIN's maps find the mass better than chance and shuffled weights do.
What was made stands in FOLDER and is not made again.

Signals: change alone (at the last exam the mass's size tells nothing of it), interaction alone,
none. `planted_signals.py` asks the same of fusion alone, of more patients.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import yaml

from sequela.evaluation.predictions import Predictions
from sequela.survival.concordance import concordance

OFF = "image: 0, text: 0, shared: 0, clinical: 0"
SIGNALS = {
    "change": f"{OFF}, interaction: 0, change: 2.0",
    "interaction": f"{OFF}, interaction: 2.0, change: 0",
    "null": f"{OFF}, interaction: 0, change: 0",
}
HORIZON = 1095.0
SIMULATION = (
    "simulation.mammogram={height: 64, width: 64, growth: 0.4, size_day: 435, "
    "transfer_syntaxes: [explicit], displays: [linear]}",
    "simulation.visits={fewest: 2, most: 2, short_share: 0, unilateral: 1.0}",
    "simulation.languages=[en]",
    f"simulation.horizon={HORIZON:g}",
)
CONFIGURATION = {
    "protocol": {"name": "landmark", "horizon": HORIZON, "require_pair": True},
    "split": {"test": 0.4},
    "images": {"size": 64},
    "text": {
        "encoder": "tiny",
        "tokens": 96,
        "tiny": {"vocabulary": 400, "layers": 1, "dim": 32, "heads": 2},
    },
    "model": {
        "dim": 32,
        "heads": 4,
        "layers": 1,
        "pretrained_alignment": False,
        "image": {
            "name": "resnet10t",
            "options": {
                "channels": [8, 16, 24, 32],
                "stem_width": 4,
                "stem_type": "deep_tiered",
            },
        },
    },
    "head": {"kind": "cox"},
    "train": {
        "epochs": 8,
        "batch": 32,
        "image_rate": 3e-3,
        "text_rate": 3e-3,
        "new_rate": 3e-3,
        "clip": 1.0,
        "weight_decay": 0.01,
        "patience": None,
        "select": "concordance",
    },
    "explain": {"checked": 300},
}
BASELINES = ["kaplan-meier", "cox-clinical", "timing-only"]
SHORTCUT = {"variant": "lumin", "name": "lumin-shortcut", "settings": ["model.shortcut=true"]}
ENTRIES: dict[str, list[Any]] = {
    "change": [*BASELINES, "st-b", "lumin-m", "lumin-t", "lumin"],
    "interaction": [*BASELINES, "st-b", "lumin-m", "lumin", SHORTCUT],
    "null": [*BASELINES, "st-b", "lumin"],
}
CLAIMS = {
    "change": [(one, other) for one in ("lumin-t", "lumin") for other in ("lumin-m", "st-b")],
    "interaction": [(one, "st-b") for one in ("lumin-m", "lumin", "lumin-shortcut")],
    "null": [("lumin", "timing-only")],
}


def studied(name: str, patients: int, seeds: int, work: Path) -> Path:
    """The folder of a finished study of a cohort with this signal."""
    cohort = work / name
    if not (cohort / "cohort.yaml").exists():
        signals = f"simulation.signals={{{SIGNALS[name]}}}"
        size = f"simulation.patients={patients}"
        sequela("simulate", str(cohort), size, "simulation.seed=0", signals, *SIMULATION)
    (cohort / "sequela.yaml").write_text(yaml.safe_dump(CONFIGURATION))
    study = {"cohort": name, "name": "pixels", "seeds": list(range(seeds))}
    file = work / f"{name}.yaml"
    file.write_text(yaml.safe_dump(study | {"entries": ENTRIES[name]}))
    sequela("study", str(file), "--jobs", "1")
    return cohort / "work" / "studies" / "pixels"


def sequela(*words: str) -> None:
    """A command, as a user gives it."""
    subprocess.run([sys.executable, "-m", "sequela", *words], check=True)


def tell(name: str, cohort: Path, folder: Path) -> None:
    """Every number of a study that this benchmark asks for."""
    evaluation = json.loads((folder / "evaluation.json").read_text())
    best = oracle_of(cohort, folder)
    for model in evaluation["models"]:
        found = model["metrics"]["harrell_c"]
        told = "" if found["value"] is None else f", {share(found['value'], best)}"
        print(
            f"{name:<11} {model['name']:<15} C {shown(found)}{told} "
            f"AUC {shown(model['metrics']['auc'])}"
        )
    print(f"{name:<11} {'oracle':<15} C {best:.3f}")
    for pairs in evaluation["comparisons"]:
        for pair in pairs["differences"] if pairs["metric"] == "auc" else ():
            for one, other in CLAIMS[name]:
                if {one, other} == {pair["first"], pair["second"]}:
                    sign = 1 if pair["first"] == one else -1
                    gain = shown(pair["difference"], sign)
                    print(f"{name:<11} {one} less {other}: AUC {gain}, p (Holm) {pair['p_holm']}")
    for line in pointing(folder):
        print(f"{name:<11} {line}")


def oracle_of(cohort: Path, folder: Path) -> float:
    """Harrell's C of the true risk on the test rows of one run."""
    table = Predictions.read(folder / "predictions.parquet").table.filter(split="test")
    first = table.filter(variant=table["variant"][0], seed=table["seed"].min())
    truth = pl.read_parquet(cohort / "truth" / "oracle.parquet").drop_nulls("exam_id")
    truth = truth.select("patient_id", pl.col("landmark").cast(pl.Float64), true="risk")
    joined = first.join(truth, on=["patient_id", "landmark"], how="inner")
    time, event, risk = (joined[column].to_numpy() for column in ("time", "event", "true"))
    return concordance(time, event == 1, risk, horizon=HORIZON, influence=False).value


def pointing(folder: Path) -> list[str]:
    """What LUMIN's maps find of the mass, and how much more than the other two do."""
    path = folder / "explanations" / "explanations.json"
    checks = json.loads(path.read_text())["checks"] if path.exists() else {}
    lines = [
        f"maps, {one['name']}: hits {shown(one['share'])} of {one['views']} views, overlap "
        f"{shown(one['overlap'])}"
        for one in checks.get("pointing", ())
    ]
    for one in checks.get("beyond", ()):
        lines.append(
            f"maps, {one['name']}: hits {shown(one['share'])}, overlap {shown(one['overlap'])}"
        )
    return lines


def share(found: float, best: float) -> str:
    """How much of the oracle's gain over chance."""
    return f"{(found - 0.5) / (best - 0.5):.0%} of the gain," if best > 0.52 else "no gain to have,"


def shown(estimate: dict[str, Any], sign: int = 1) -> str:
    """A number with its interval."""
    if estimate["value"] is None:
        return "undefined"
    if estimate["low"] is None:
        return f"{sign * estimate['value']:.3f}"
    low, high = np.sort([sign * estimate["low"], sign * estimate["high"]])
    return f"{sign * estimate['value']:.3f} ({low:.3f} to {high:.3f})"


def main() -> None:
    """Make what is not there yet, and tell."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--patients", type=int, default=3000)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--work", type=Path, default=Path("planted-pixels"))
    parser.add_argument("--only", nargs="*", choices=SIGNALS, default=["change", "interaction"])
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    for name in options.only:
        folder = studied(name, options.patients, options.seeds, options.work)
        tell(name, options.work / name, folder)


if __name__ == "__main__":
    main()
