"""How often the audit calls a design outcome-dependent, in cohorts without any signal.

    python benchmarks/timing_detector.py --cohorts 20 --patients 400

Each cohort is audited under `paper`, whose exams are chosen by looking back from the outcome, and
under `landmark`. With `--planned 2 5` follow-up imaging stops after two to five visits, and the
paper's rule gives less away.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np

from sequela.audit.audit import audit_cohort
from sequela.audit.findings import OUTCOME_DEPENDENT_SAMPLING
from sequela.cohort.selection import ProtocolSettings
from sequela.progress import quiet
from sequela.simulation.cohort import simulate
from sequela.simulation.settings import SIGNALS, SimulationSettings, VisitSettings

PROTOCOLS = (ProtocolSettings(name="paper"), ProtocolSettings())


def main() -> None:
    options = _options()
    quiet.set(True)
    found: dict[str, list[tuple[float, bool]]] = {item.name: [] for item in PROTOCOLS}
    for seed in range(options.cohorts):
        with tempfile.TemporaryDirectory() as folder:
            cohort = Path(folder) / "cohort"
            simulate(_settings(options, seed), cohort)
            for protocol in PROTOCOLS:
                audit = audit_cohort(cohort, protocol)
                codes = {item.code for item in audit.findings}
                auc = audit.measured["timing"].value
                found[protocol.name].append((auc, OUTCOME_DEPENDENT_SAMPLING in codes))
    for name, results in found.items():
        aucs = [auc for auc, _ in results]
        flagged = sum(flag for _, flag in results)
        print(
            f"{name:<9} flagged {flagged} of {len(results)}, AUC {min(aucs):.3f} to "
            f"{max(aucs):.3f}, mean {np.mean(aucs):.3f}"
        )


def _settings(options: argparse.Namespace, seed: int) -> SimulationSettings:
    fewest, most = options.planned
    return SimulationSettings(
        patients=options.patients,
        seed=seed,
        images=False,
        signals=SIGNALS["none"],
        visits=VisitSettings(fewest=fewest, most=most),
    )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cohorts", type=int, default=20)
    parser.add_argument("--patients", type=int, default=400)
    parser.add_argument("--planned", type=int, nargs=2, default=(10, 10))
    return parser.parse_args()


if __name__ == "__main__":
    main()
