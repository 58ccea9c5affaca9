"""Do claims look at the patches that are like them, and does the risk hang on it? With controls.

    python benchmarks/planted_claims.py [--patients 480] [--work FOLDER] [--epochs 15]

On simulated slides, as `sequela demo kemm` has them, where each patch is like a known claim. KEMM
with claims that look for patches like their own vector (`model.shared_space`), and without, where
all would have to be learned. Maps of the same model with its weights shuffled stand beside: what
they find too was built in.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

from sequela.cli.kemm_demonstration import signatures
from sequela.interpretation.explain import FILE_NAME, explain
from sequela.progress import quiet
from sequela.settings import validated
from sequela.simulation.tumour_cohort import simulate_tumours
from sequela.simulation.tumours import TumourSettings
from sequela.training.configuration import Configuration
from sequela.training.preparation import prepare
from sequela.training.project import Fold, Project
from sequela.training.supervision import train


def project_of(folder: Path, space: float, epochs: int) -> Project:
    settings = {
        "protocol": {"name": "cross-validation", "endpoint": "os", "horizon": None},
        "split": {"test": 0.4, "validation": 0},
        "model": {"family": "kemm", "dim": 32, "shared_space": space, "dropout": 0.1},
        "train": {"epochs": epochs, "batch": 32, "new_rate": 3e-3, "weight_decay": 0.01}
        | {"select": "last", "patience": None},
        "explain": {"patients": 1, "checked": 40},
        "machine": {"device": "cpu", "workers": 0, "threads": 1},
    }
    configuration = validated(Configuration, settings, where="this script")
    return Project.open(folder, folder / f"work-{space:g}", configuration)


def told(node: dict[str, Any]) -> str:
    low, high = node["low"], node["high"]
    interval = "" if low is None else f" ({low:.3f} to {high:.3f})"
    return f"{node['value']:.3f}{interval}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--patients", type=int, default=480)
    parser.add_argument("--epochs", type=int, default=15)
    parser.add_argument("--work", type=Path, default=None)
    asked = parser.parse_args()
    quiet.set(True)
    folder = (asked.work or Path(tempfile.mkdtemp())) / "cohort"
    if not folder.exists():
        settings = TumourSettings(patients=asked.patients, seed=1)
        simulate_tumours(settings, signatures(), folder)
    for space in (2.0, 0.0):
        project = project_of(folder, space, asked.epochs)
        prepare(project)
        written = explain(train(project, "kemm", Fold()), project)
        checks = json.loads((written / FILE_NAME).read_text())["checks"]
        print(f"\nshared_space {space:g}")
        for one in (*checks["pointing"], *checks["beyond"]):
            print(f"  {one['name']:28} hits {told(one['share']):26} AUC {told(one['auc'])}")
        for one in checks["deletion"]:
            what = f"{one['share']:.0%} of {one['source']}"
            names = ("most", "random", "least", "shuffled", "beyond_random", "beyond_shuffled")
            print(f"  {what:13}", "; ".join(f"{name} {told(one[name])}" for name in names))


if __name__ == "__main__":
    main()
