"""How fast the numbers come: ours against lifelines and scikit-survival, interleaved, medians.

Times are processor seconds, so that a busy machine does not blur them.

Run: OMP_NUM_THREADS=1 python benchmarks/survival.py [rows]
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from statistics import median

import numpy as np
import pandas as pd
from lifelines import CoxPHFitter, KaplanMeierFitter
from lifelines.utils import concordance_index
from sksurv.linear_model import CoxPHSurvivalAnalysis
from sksurv.metrics import concordance_index_censored, cumulative_dynamic_auc
from sksurv.util import Surv

from sequela.evaluation.discrimination import weighted_auc
from sequela.survival.censoring import censoring_weights
from sequela.survival.concordance import concordance
from sequela.survival.cox import fit_cox
from sequela.survival.kaplan_meier import kaplan_meier

ROUNDS = 3


def seconds(run: Callable[[], object]) -> float:
    started = time.process_time()
    run()
    return time.process_time() - started


def compare(name: str, ours: Callable[[], object], rivals: dict[str, Callable[[], object]]) -> None:
    """Print the median time of ours and how many times longer each rival takes."""
    runs = {"ours": ours, **rivals}
    taken: dict[str, list[float]] = {one: [] for one in runs}
    for _ in range(ROUNDS):
        for one, run in runs.items():
            taken[one].append(seconds(run))
    mine = median(taken["ours"])
    ratios = ", ".join(f"{one} {median(taken[one]) / mine:.1f}x" for one in rivals)
    print(f"{name:<36} {mine * 1000:9.1f} ms   {ratios}", flush=True)


def main(rows: int) -> None:
    generator = np.random.default_rng(0)
    covariates = generator.normal(size=(rows, 8))
    hazard = np.exp(covariates[:, 0] * 0.5 - covariates[:, 1] * 0.3)
    times = np.ceil(generator.exponential(1500 / hazard))
    censor = np.ceil(generator.uniform(100, 4000, rows))
    time_, event = np.minimum(times, censor), times <= censor
    risk = covariates[:, 0] + generator.normal(size=rows)
    frame = pd.DataFrame(covariates).assign(time=time_, event=event)
    outcome = Surv.from_arrays(event, time_)
    few = min(rows, 5000)  # scikit-survival's C looks at all pairs
    small = slice(0, few)
    print(f"{rows} rows, {int(event.sum())} events, medians of {ROUNDS}")

    compare(
        "Kaplan-Meier",
        lambda: kaplan_meier(time_, event),
        {"lifelines": lambda: KaplanMeierFitter().fit(time_, event)},
    )
    compare(
        "C-index",
        lambda: concordance(time_, event, risk, influence=False),
        {"lifelines": lambda: concordance_index(time_, -risk, event)},
    )
    compare(
        f"C-index, {few} rows",
        lambda: concordance(time_[small], event[small], risk[small], influence=False),
        {
            "scikit-survival": lambda: concordance_index_censored(
                event[small], time_[small], risk[small]
            )
        },
    )
    compare(
        "Cox, Efron, 8 covariates",
        lambda: fit_cox(covariates, time_, event),
        {
            "lifelines": lambda: CoxPHFitter().fit(frame, "time", "event"),
            "scikit-survival": lambda: CoxPHSurvivalAnalysis(ties="efron").fit(covariates, outcome),
        },
    )
    compare(
        "dynamic AUC with censoring weights",
        lambda: dynamic_auc(time_, event, risk, 1000.0),
        {"scikit-survival": lambda: cumulative_dynamic_auc(outcome, outcome, risk, [1000.0])},
    )


def dynamic_auc(time_: np.ndarray, event: np.ndarray, risk: np.ndarray, day: float) -> float:
    weights = censoring_weights(time_, event, day, weight=np.ones((len(time_), 1)))
    case = (event & (time_ <= day))[:, None]
    return float(weighted_auc(risk, weights * case, weights * ~case)[0])


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000)
