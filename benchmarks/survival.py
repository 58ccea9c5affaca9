"""How fast the numbers come: ours beside the usual libraries, interleaved in one run, medians.

Times are processor seconds of one thread, so that a busy machine does not blur them. A library that
would take minutes at some size, or memory that grows with the square of it, is left out there and
the line says so. The growth of ours is the exponent of its time from one size to the next (n log n
has about 1.1), its memory the peak of what numpy allocates, beside what the inputs take.

Run: OMP_NUM_THREADS=1 python benchmarks/survival.py [sizes …]
More libraries take part if they are there: `uv sync --group benchmarks`.
"""

from __future__ import annotations

import os

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"

import sys
import time
import tracemalloc
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from statistics import median

import numpy as np
import pandas as pd
from lifelines import CoxPHFitter, KaplanMeierFitter
from lifelines.utils import concordance_index
from sklearn.metrics import roc_auc_score
from sksurv.linear_model import CoxPHSurvivalAnalysis
from sksurv.metrics import (
    brier_score,
    concordance_index_censored,
    concordance_index_ipcw,
    cumulative_dynamic_auc,
)
from sksurv.util import Surv

from sequela.evaluation.brier import brier_scores
from sequela.evaluation.delong import delong
from sequela.evaluation.discrimination import auc, auc_of, concordance_of
from sequela.evaluation.outcome import Question
from sequela.evaluation.rows import Rows
from sequela.evaluation.threshold import Thresholds, threshold_measures
from sequela.evaluation.uncertainty import Resampler, Resampling, measured
from sequela.survival.concordance import concordance
from sequela.survival.cox import fit_cox
from sequela.survival.kaplan_meier import kaplan_meier

SIZES = (1_200, 10_000, 100_000, 1_000_000)
HORIZON = 1000.0
ROUNDS = 3
THRESHOLD = 0.3
Run = Callable[[], object]


@dataclass(frozen=True)
class Cohort:
    """Patients with one covariate, days to event or censoring, and forecasts at fifty days."""

    covariate: np.ndarray
    time: np.ndarray
    event: np.ndarray
    risk: np.ndarray
    days: np.ndarray
    survival: np.ndarray

    @classmethod
    def of(cls, count: int) -> Cohort:
        generator = np.random.default_rng(count)
        covariate = generator.normal(size=count)
        times = np.ceil(generator.exponential(1500 / np.exp(covariate / 2)))
        censor = np.ceil(generator.uniform(100, 4000, count))
        days = np.linspace(60, 3000, 50)
        survival = np.exp(-np.exp(covariate / 2)[:, None] * days / 1500)
        risk = covariate + generator.normal(size=count)
        event = times <= censor
        return cls(
            covariate, np.minimum(times, censor), event, risk, days, np.asfortranarray(survival)
        )

    def rows(self) -> Rows:
        count = len(self.time)
        return Rows(
            patient=np.arange(count),
            run=np.zeros(count, dtype=np.int64),
            number=np.zeros(count, dtype=np.int64),
            landmark=np.zeros(count),
            time=self.time,
            event=self.event.astype(np.int64),
            entry=np.full(count, -np.inf),
            risk=self.risk,
            survival=np.empty((count, 0)),
            grid=(),
            patients=tuple(map(str, range(count))),
        )


@dataclass(frozen=True)
class Task:
    """One number: how we compute it, how the others do, and up to which size each can."""

    name: str
    ours: Run
    rivals: dict[str, tuple[int, Run]]
    bar: float = 0.0  # times as fast as the fastest rival
    limit: float = np.inf  # seconds at this size


def tasks(cohort: Cohort) -> list[Task]:
    time_, event, risk, covariate = cohort.time, cohort.event, cohort.risk, cohort.covariate
    codes = event.astype(np.int64)
    frame = pd.DataFrame({"x": covariate, "time": time_, "event": event})
    outcome = Surv.from_arrays(event, time_)
    large = len(time_) == 1_000_000
    column, both = covariate[:, None], np.stack([risk, covariate])
    return [
        Task(
            "Kaplan-Meier",
            lambda: kaplan_meier(time_, event),
            {"lifelines": (10**7, lambda: KaplanMeierFitter().fit(time_, event))},
        ),
        Task(
            "Harrell's C",
            lambda: concordance(time_, event, risk, influence=False),
            {
                "lifelines": (10**7, lambda: concordance_index(time_, -risk, event)),
                "scikit-survival": (
                    10_000,
                    lambda: concordance_index_censored(event, time_, risk),
                ),
                **torchsurv_c(time_, event, risk),
            },
            bar=8 if len(time_) >= 10_000 else 0,
            limit=1 if large else np.inf,
        ),
        Task(
            "Harrell's C with its error",
            lambda: concordance(time_, event, risk),
            {},
            limit=1 if large else np.inf,
        ),
        Task(
            "Uno's C",
            lambda: concordance(time_, event, risk, pairs="uno", influence=False),
            {
                "scikit-survival": (
                    10_000,
                    lambda: concordance_index_ipcw(outcome, outcome, risk, tau=HORIZON),
                ),
            },
            bar=8 if len(time_) >= 10_000 else 0,
            limit=1 if large else np.inf,
        ),
        Task(
            "Cox, Efron, one covariate",
            lambda: fit_cox(column, time_, event),
            {
                "lifelines": (10**7, lambda: CoxPHFitter().fit(frame, "time", "event")),
                "scikit-survival": (
                    100_000,
                    lambda: CoxPHSurvivalAnalysis(ties="efron").fit(column, outcome),
                ),
                **statsmodels_cox(column, time_, event),
            },
            bar=20,
        ),
        Task(
            "AUC",
            lambda: auc(risk, event),
            {"scikit-learn": (10**7, lambda: roc_auc_score(event, risk))},
        ),
        Task(
            "DeLong, two models",
            lambda: delong(both, event, one_row_a_patient=True),
            {},
            limit=1 if large else np.inf,
        ),
        Task(
            "AUC by day 1000, IPCW",
            lambda: auc_of(cohort.rows(), Question(1, HORIZON), plain()),
            {
                "scikit-survival": (
                    10**7,
                    lambda: cumulative_dynamic_auc(outcome, outcome, risk, [HORIZON]),
                )
            },
        ),
        Task(
            "Brier at 50 times, IPCW",
            lambda: brier_scores(time_, codes, cohort.survival, cohort.days),
            {
                "scikit-survival": (
                    10**7,
                    lambda: brier_score(outcome, outcome, cohort.survival, cohort.days),
                )
            },
            bar=4,
        ),
        *(bootstraps(cohort) if len(time_) == 1_200 else ()),
    ]


def plain(count: int = 0) -> Resampler:
    return Resampler(Resampling(count, 1, 0.95))


def bootstraps(cohort: Cohort) -> list[Task]:
    """A thousand resamples of 1,200 patients, the drawing included."""
    rows, ever, by_day = cohort.rows(), Question(1, None), Question(1, HORIZON)

    def yes_or_no(question: Question) -> None:
        resampler = plain(1000)
        auc_of(rows, question, resampler)
        measures = threshold_measures(question, Thresholds({0: THRESHOLD}))
        for name in ("accuracy", "sensitivity", "specificity"):
            measured(rows, measures[name], resampler)

    def loop(count: int) -> None:
        generator = np.random.default_rng(0)
        for _ in range(count):
            drawn = generator.integers(len(rows), size=len(rows))
            concordance_index(cohort.time[drawn], -cohort.risk[drawn], cohort.event[drawn])

    return [
        Task(
            "1,000 bootstraps of Harrell's C",
            lambda: concordance_of(rows, ever, plain(1000), "harrell", None),
            {"lifelines in a loop": (10**7, lambda: loop(1000))},
            limit=0.2,
        ),
        Task(
            "1,000 of Uno's C",
            lambda: concordance_of(rows, ever, plain(1000), "uno", 1826.0),
            {},
            limit=0.2,
        ),
        Task("1,000 of AUC, ACC, sens, spec", lambda: yes_or_no(ever), {}, limit=0.05),
        Task("1,000 of the same, IPCW", lambda: yes_or_no(by_day), {}, limit=0.05),
    ]


def torchsurv_c(
    time_: np.ndarray, event: np.ndarray, risk: np.ndarray
) -> dict[str, tuple[int, Run]]:
    if find_spec("torchsurv") is None:
        return {}
    import torch
    from torchsurv.metrics.cindex import ConcordanceIndex

    torch.set_num_threads(1)
    tensors = (torch.from_numpy(risk), torch.from_numpy(event), torch.from_numpy(time_))
    return {"torchsurv": (1_200, lambda: ConcordanceIndex()(*tensors))}


def statsmodels_cox(
    column: np.ndarray, time_: np.ndarray, event: np.ndarray
) -> dict[str, tuple[int, Run]]:
    if find_spec("statsmodels") is None:
        return {}
    from statsmodels.duration.hazard_regression import PHReg

    def fit() -> object:
        return PHReg(time_, column, status=event.astype(int), ties="efron").fit()

    return {"statsmodels": (10_000, fit)}


def seconds(run: Run) -> float:
    started = time.process_time()
    run()
    return time.process_time() - started


def peak_of(run: Run) -> float:
    tracemalloc.start()
    run()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak / 1e6


def compare(task: Task, count: int, before: dict[str, float], previous: int) -> bool:
    """Print one line; whether the task's bars are met at this size."""
    runs = {"ours": task.ours}
    runs |= {name: run for name, (most, run) in task.rivals.items() if count <= most}
    taken: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(ROUNDS):
        for name, run in runs.items():
            # One slow turn of a rival says enough.
            if name == "ours" or not taken[name] or taken[name][0] < 5:
                taken[name].append(seconds(run))
    mine = median(taken["ours"])
    ratios = {name: median(taken[name]) / mine for name in runs if name != "ours"}
    growth = ""
    if task.name in before:
        growth = f"n^{np.log(mine / before[task.name]) / np.log(count / previous):.2f}"
    before[task.name] = mine
    met = mine <= task.limit and (not ratios or not task.bar or min(ratios.values()) >= task.bar)
    words = [f"{name} {ratio:.1f}x" for name, ratio in ratios.items()]
    words += [f"{name} left out" for name in task.rivals if name not in runs]
    asked = [f">= {task.bar:g}x" if task.bar else "", f"<= {task.limit:g} s"]
    bar = ", ".join(asked[: 1 if np.isinf(task.limit) else 2]).strip(", ")
    verdict = ("met" if met else "MISSED") if bar else ""
    print(
        f"{task.name:<32}{mine * 1000:10.1f} ms {growth:>7} {peak_of(task.ours):9.1f} MB  "
        f"{', '.join(words):<60} {bar} {verdict}",
        flush=True,
    )
    return met


def main(sizes: tuple[int, ...]) -> None:
    warnings.simplefilter("ignore")
    before: dict[str, float] = {}
    missed = 0
    for previous, count in zip((0, *sizes), sizes, strict=False):
        cohort = Cohort.of(count)
        inputs = sum(part.nbytes for part in vars(cohort).values()) / 1e6
        print(
            f"\n{count:,} patients, {int(cohort.event.sum()):,} events, {inputs:.1f} MB of inputs; "
            f"medians of {ROUNDS}; x: how many times as long the library takes"
        )
        missed += sum(not compare(task, count, before, previous) for task in tasks(cohort))
    print(f"\n{missed} bar(s) missed")


if __name__ == "__main__":
    main(tuple(map(int, sys.argv[1:])) or SIZES)
