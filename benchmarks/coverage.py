"""How often intervals and bounds hold what they say, by simulation: a table and exit 1 on a miss.

    python benchmarks/coverage.py [cohorts] [patients]

Every cohort is drawn anew from one law: a log hazard, a competing death, censoring of a third.
The true numbers are known in closed form, or taken from two million patients.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from functools import cache

import numpy as np

from sequela.evaluation.conformal import conformal_bounds, lower_bounds
from sequela.evaluation.discrimination import auc_of
from sequela.evaluation.outcome import Question
from sequela.evaluation.predictions import Provenance
from sequela.evaluation.rows import ModelRows, Rows
from sequela.evaluation.uncertainty import Resampler, Resampling
from sequela.survival.aalen_johansen import aalen_johansen
from sequela.survival.concordance import concordance
from sequela.survival.cox import fit_cox
from sequela.survival.fine_gray import fit_fine_gray
from sequela.survival.kaplan_meier import kaplan_meier

DAY = 1.0
EFFECT = np.array([0.7, -0.4])
GRID = np.linspace(0.2, 3.0, 15)
ALLOWED = (0.93, 0.97)


def drawn(generator: np.random.Generator, count: int, *, censored: bool = True) -> tuple:
    """Covariates, time and event (1 the disease, 2 another death), and both true times."""
    covariates = generator.normal(size=(count, 2))
    disease = generator.exponential(np.exp(-covariates @ EFFECT))
    death = generator.exponential(3.0, count)
    censor = generator.uniform(0.3, 4.0, count) if censored else np.full(count, 1e9)
    first = np.minimum(np.minimum(disease, death), censor)
    event = np.where(first == disease, 1, np.where(first == death, 2, 0))
    return covariates, first, event, disease, death


def subdistribution(generator: np.random.Generator, count: int) -> tuple:
    """Fine and Gray's own law (1999, section 5): proportional subdistribution hazards."""
    covariates = generator.normal(size=(count, 2))
    relative = np.exp(covariates @ EFFECT)
    ever = 1 - 0.5**relative
    diseased = generator.uniform(size=count) < ever
    chance = generator.uniform(size=count) * ever
    disease = -np.log(1 - (1 - (1 - chance) ** (1 / relative)) / 0.5)
    time = np.where(diseased, disease, generator.exponential(1.0, count))
    censor = generator.uniform(0.3, 4.0, count)
    event = np.where(time <= censor, np.where(diseased, 1, 2), 0)
    return covariates, np.minimum(time, censor), event


@cache
def truth() -> dict[str, float]:
    """The true numbers, from two million patients where they have no closed form."""
    everybody = drawn(np.random.default_rng(0), 2_000_000, censored=False)
    covariates, time, event, disease, _ = everybody
    case = (event == 1) & (time <= DAY)
    rank = np.argsort(np.argsort(covariates @ EFFECT))
    cases, others = int(case.sum()), int((~case).sum())
    auc = (rank[case].sum() - cases * (cases - 1) / 2) / cases / others
    return {
        "Kaplan-Meier, log-log": float((disease > DAY).mean()),
        "restricted mean": float(np.minimum(disease, DAY).mean()),
        "Aalen-Johansen, jackknife": float(case.mean()),
        "Cox, Wald": float(EFFECT[0]),
        "Fine-Gray, Wald": float(EFFECT[0]),
        "AUC at a horizon, percentile": float(auc),
        "AUC at a horizon, BCa": float(auc),
        "difference of two Cs": 0.0,
    }


def rows_of(time: np.ndarray, event: np.ndarray, risk: np.ndarray, survival: np.ndarray) -> Rows:
    count, none = len(time), np.zeros(len(time), dtype=np.int64)
    return Rows(
        patient=np.arange(count),
        run=none,
        number=none,
        landmark=none.astype(float),
        time=time,
        event=event.astype(np.int64),
        entry=np.full(count, -np.inf),
        risk=risk,
        survival=survival,
        grid=tuple(GRID.tolist()),
        patients=tuple(map(str, range(count))),
    )


def intervals(generator: np.random.Generator, count: int) -> dict[str, tuple[float, float]]:
    """Every interval of one new cohort."""
    covariates, time, event, _, _ = drawn(generator, count)
    day = np.array([DAY])
    curve = kaplan_meier(time, event == 1)
    mean, spread = curve.restricted_mean(DAY)
    low, high = curve.interval(day)
    least, most = aalen_johansen(time, event).interval(day)
    cox = fit_cox(covariates, time, event == 1).interval()
    fine_gray = fit_fine_gray(*subdistribution(generator, count)).interval()
    noisy = (covariates @ EFFECT)[:, None] + generator.normal(size=(count, 2))
    first, second = (concordance(time, event == 1, noisy[:, one]) for one in (0, 1))
    apart, error = first.less(second)
    rows = rows_of(time, event, covariates @ EFFECT, np.empty((count, len(GRID))))
    found = {
        "Kaplan-Meier, log-log": (low[0], high[0]),
        "restricted mean": (mean - 1.96 * spread, mean + 1.96 * spread),
        "Aalen-Johansen, jackknife": (least[0], most[0]),
        "Cox, Wald": (cox[0][0], cox[1][0]),
        "Fine-Gray, Wald": (fine_gray[0][0], fine_gray[1][0]),
        "difference of two Cs": (apart - 1.96 * error, apart + 1.96 * error),
    }
    for name, kind in (("percentile", "percentile"), ("BCa", "bca")):
        resampler = Resampler(Resampling(400, 1, 0.95, kind))  # type: ignore[arg-type]
        one = auc_of(rows, Question(1, DAY), resampler).estimate
        found[f"AUC at a horizon, {name}"] = (one.low or np.nan, one.high or np.nan)
    return found


def bounds_held(generator: np.random.Generator, count: int) -> float:
    """How many true times exceed 90 % conformal bounds of a model that is wrong."""
    parts = []
    for _ in range(2):
        covariates, time, event, disease, death = drawn(generator, count)
        believed = np.exp(covariates[:, 0] + generator.normal(size=count)) / 2
        survival = np.exp(-believed[:, None] * GRID)
        truth_of = np.where(disease < death, disease, np.inf)
        parts.append((rows_of(time, event, believed, survival), truth_of))
    (validation, _), (test, times) = parts
    provenance = Provenance(protocol="landmark")
    model = ModelRows("m", "m", "m", "e", "test", test, validation, provenance, ((0, 0, 0),))
    found = conformal_bounds(model, 1, 0.9, Resampler(Resampling(0, 0, 0.95)))
    cut = np.full(count, found["cuts"][0])  # type: ignore[index]
    return float((times >= lower_bounds(test.survival, GRID, cut)).mean())


def main() -> None:
    cohorts = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 300
    generator = np.random.default_rng(7)
    held: dict[str, list[bool]] = defaultdict(list)
    bounds, null = [], []
    for _ in range(cohorts):
        for name, (low, high) in intervals(generator, count).items():
            held[name].append(bool(low <= truth()[name] <= high))
        bounds.append(bounds_held(generator, count))
        _, time, event, _, _ = drawn(generator, count)
        null.append(concordance(time, event == 1, generator.normal(size=count)).value)
    print(f"{cohorts} cohorts of {count} patients")
    missed = []
    for name, each in held.items():
        share = float(np.mean(each))
        missed += [name] if not ALLOWED[0] <= share <= ALLOWED[1] else []
        print(f"{name:32} 95 % interval covers {share:.3f}")
    print(f"{'conformal bounds, wrong model':32} 90 % bounds hold {np.mean(bounds):.3f}")
    print(f"{'C of risks that know nothing':32} {np.mean(null):.4f} (cohorts: {np.std(null):.3f})")
    missed += [] if 0.88 <= np.mean(bounds) <= 0.92 else ["conformal"]
    missed += [] if abs(np.mean(null) - 0.5) <= 0.02 else ["null"]
    sys.exit(f"outside the bar: {', '.join(missed)}" if missed else 0)


if __name__ == "__main__":
    main()
