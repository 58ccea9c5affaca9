"""How often intervals and bounds hold what they say, by simulation: a table and exit 1 on a miss.

    python benchmarks/coverage.py [--cohorts 1000] [--patients 300] [--seed 7] [--formulas]

Every cohort is drawn anew from one law: a log hazard, a competing death, censoring of a third. The
true numbers are known in closed form, or taken from a million patients of the same law. Intervals
are those that `sequela evaluate` prints, from the same functions. `--formulas` leaves out those
that resample, and with them nearly all of the time.
"""

from __future__ import annotations

import argparse
import sys
from collections import defaultdict
from collections.abc import Iterator
from functools import cache, partial
from typing import Any

import numpy as np

from sequela.evaluation.auc_influence import auc_standard_error
from sequela.evaluation.calibration import Forecast, calibration_measures
from sequela.evaluation.comparison import _paired
from sequela.evaluation.conformal import conformal_bounds, lower_bounds
from sequela.evaluation.delong import delong
from sequela.evaluation.discrimination import auc, auc_of, concordance_of
from sequela.evaluation.outcome import Question
from sequela.evaluation.over_time import Watched, over_time
from sequela.evaluation.predictions import Provenance
from sequela.evaluation.recalibration import calibration_slope
from sequela.evaluation.rows import ModelRows, Rows
from sequela.evaluation.threshold import Thresholds, threshold_measures
from sequela.evaluation.uncertainty import Resampler, Resampling, measured
from sequela.evaluation.utility import decision_curve
from sequela.survival.aalen_johansen import aalen_johansen
from sequela.survival.competing_concordance import competing_concordance
from sequela.survival.concordance import concordance
from sequela.survival.cox import fit_cox
from sequela.survival.fine_gray import fit_fine_gray
from sequela.survival.kaplan_meier import kaplan_meier

DAY, CUT = 1.0, 0.3
EFFECT = np.array([0.7, -0.4])
GRID = np.linspace(0.2, 3.0, 15)
AT = int(np.argmin(np.abs(GRID - DAY)))
QUESTION, EVER = Question(1, DAY), Question(1, None)
MADE = Forecast(QUESTION, AT)
ALLOWED = (0.93, 0.97)
NOISE = 1.0
BOOTSTRAPS = 400

Limits = tuple[float | None, float | None]


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


def predicted(generator: np.random.Generator, covariates: np.ndarray) -> tuple:
    """A model's log hazard and survival: blurred, and too extreme."""
    lean = covariates @ EFFECT + NOISE * generator.normal(size=len(covariates))
    return lean, np.exp(-0.6 * np.exp(lean)[:, None] * GRID)


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


@cache
def truth() -> dict[str, float]:
    """The true numbers, from a million patients where they have no closed form."""
    generator = np.random.default_rng(0)
    count = 1_000_000
    covariates, time, event, disease, _ = drawn(generator, count, censored=False)
    lean, survival = predicted(generator, covariates)
    case = (event == 1) & (time <= DAY)
    risk = 1 - survival[:, AT]
    called, share = risk >= CUT, case.mean()
    mean_square = float(((case - risk) ** 2).mean())
    watched = drawn(generator, count)
    blurred, _ = predicted(generator, watched[0])
    harrell = concordance(watched[1], watched[2] == 1, blurred, influence=False)
    uno = concordance(time, event == 1, lean, horizon=DAY, influence=False)
    some = rows_of(*(part[:200_000] for part in (time, event, lean, survival)))
    odds = CUT / (1 - CUT)
    always = np.ones(count, dtype=bool)
    brier, nobody = _integrated(time, event, survival)
    return {
        "kaplan-meier, log-log": float((disease > DAY).mean()),
        "restricted mean": float(np.minimum(disease, DAY).mean()),
        "aalen-johansen, jackknife": float(case.mean()),
        "cox, Wald": float(EFFECT[0]),
        "fine-gray, Wald": float(EFFECT[0]),
        "auc ever, DeLong": auc(blurred, watched[2] == 1),
        "auc ever": auc(blurred, watched[2] == 1),
        "auc by the day, jackknife": auc(lean, case),
        "auc by the day": auc(lean, case),
        "harrell c, jackknife": harrell.value,
        "harrell c": harrell.value,
        "uno c": uno.value,
        "uno c, jackknife": concordance(disease, always, lean, horizon=DAY, influence=False).value,
        "difference of two uno cs, jackknife": 0.0,
        "competing c, jackknife": competing_concordance(
            time, event, lean, pairs="harrell", horizon=DAY, influence=False
        ).value,
        "auc by the day, exact jackknife": auc(lean, case),
        "integrated brier, jackknife": brier,
        "integrated ipa, jackknife": 1 - brier / nobody,
        "accuracy": float((called == case).mean()),
        "sensitivity": float(called[case].mean()),
        "specificity": float(1 - called[~case].mean()),
        "ppv": float(case[called].mean()),
        "npv": float(1 - case[~called].mean()),
        "brier": mean_square,
        "ipa": float(1 - mean_square / (share * (1 - share))),
        "observed/expected": float(share / risk.mean()),
        "slope, Wald": float(calibration_slope(some, MADE, level=0.95).value or np.nan),
        "net benefit": float((called & case).mean() - (called & ~case).mean() * odds),
        "difference of two aucs, DeLong": 0.0,
        "difference of two aucs": 0.0,
        "difference of two cs, jackknife": 0.0,
        "difference of two cs": 0.0,
    }


def _integrated(time: np.ndarray, event: np.ndarray, survival: np.ndarray) -> tuple[float, float]:
    """The mean Brier score over the grid, and that of the incidence, nobody being censored."""
    scores, null = [], []
    for column, day in enumerate(GRID.tolist()):
        case = (event == 1) & (time <= day)
        scores.append(((case - 1 + survival[:, column]) ** 2).mean())
        null.append(case.mean() * (1 - case.mean()))
    width = GRID[-1] - GRID[0]
    return float(np.trapezoid(scores, GRID) / width), float(np.trapezoid(null, GRID) / width)


def intervals(
    generator: np.random.Generator, count: int, *, formulas: bool
) -> Iterator[tuple[str, Limits]]:
    """Every interval of one new cohort."""
    covariates, time, event, _, _ = drawn(generator, count)
    yield from _of_curves(covariates, time, event)
    cox = fit_fine_gray(*subdistribution(generator, count)).interval()
    yield "fine-gray, Wald", (cox[0][0], cox[1][0])
    two = [rows_of(time, event, *predicted(generator, covariates)) for _ in range(2)]
    rows = two[0]
    yield from _by_formula(two)
    yield from _over_all_time(two)
    if formulas:
        return
    for kind in ("percentile", "bca"):
        resampler = Resampler(Resampling(BOOTSTRAPS, 1, 0.95, kind))  # type: ignore[arg-type]
        for name, (low, high) in _bootstrapped(rows, resampler):
            yield f"{name}, {kind}", (low, high)
    resampler = Resampler(Resampling(BOOTSTRAPS, 1, 0.95))
    curve = decision_curve(rows, MADE, (CUT,), resampler.resampling)
    yield "net benefit, percentile", (curve["low"][0], curve["high"][0])
    aucs = [auc_of(one, QUESTION, resampler) for one in two]
    apart = _paired(aucs[0], aucs[1], 0.95)
    yield "difference of two aucs, percentile", (apart.low, apart.high)
    cs = [concordance_of(one, EVER, resampler, "harrell", None) for one in two]
    apart = _paired(cs[0], cs[1], 0.95)
    yield "difference of two cs, percentile", (apart.low, apart.high)


def _of_curves(
    covariates: np.ndarray, time: np.ndarray, event: np.ndarray
) -> Iterator[tuple[str, Limits]]:
    day = np.array([DAY])
    curve = kaplan_meier(time, event == 1)
    mean, spread = curve.restricted_mean(DAY)
    low, high = curve.interval(day)
    least, most = aalen_johansen(time, event).interval(day)
    cox = fit_cox(covariates, time, event == 1).interval()
    yield "kaplan-meier, log-log", (low[0], high[0])
    yield "restricted mean", (mean - 1.96 * spread, mean + 1.96 * spread)
    yield "aalen-johansen, jackknife", (least[0], most[0])
    yield "cox, Wald", (cox[0][0], cox[1][0])


def _by_formula(two: list[Rows]) -> Iterator[tuple[str, Limits]]:
    rows = two[0]
    together = delong(np.stack([one.risk for one in two]), rows.event == 1, one_row_a_patient=True)
    one, apart = together.interval(0, 0.95), together.difference(0, 1, 0.95)
    yield "auc ever, DeLong", (one.low, one.high)
    yield "difference of two aucs, DeLong", (apart.low, apart.high)
    error = auc_standard_error(rows.risk, rows.time, rows.event, QUESTION)
    value = auc_of(rows, QUESTION, Resampler(Resampling(0, 0, 0.95))).estimate.value or np.nan
    yield "auc by the day, jackknife", (value - 1.96 * error, value + 1.96 * error)
    cs = [concordance(part.time, part.event == 1, part.risk) for part in two]
    width = 1.96 * cs[0].standard_error()
    yield "harrell c, jackknife", (cs[0].value - width, cs[0].value + width)
    gap, error = cs[0].less(cs[1])
    yield "difference of two cs, jackknife", (gap - 1.96 * error, gap + 1.96 * error)
    slope = calibration_slope(rows, MADE, level=0.95)
    yield "slope, Wald", (slope.low, slope.high)


def _over_all_time(two: list[Rows]) -> Iterator[tuple[str, Limits]]:
    rows = two[0]
    unos = [
        concordance(
            part.time, part.event == 1, part.risk, pairs="uno", horizon=DAY, known_weights=False
        )
        for part in two
    ]
    width = 1.96 * unos[0].standard_error()
    yield "uno c, jackknife", (unos[0].value - width, unos[0].value + width)
    gap, error = unos[0].less(unos[1])
    yield "difference of two uno cs, jackknife", (gap - 1.96 * error, gap + 1.96 * error)
    found = competing_concordance(rows.time, rows.event, rows.risk, horizon=DAY)
    width = 1.96 * found.standard_error()
    yield "competing c, jackknife", (found.value - width, found.value + width)
    yield "auc by the day, exact jackknife", Watched.of(rows, 1).auc(DAY).limits(rows.patient, 0.95)
    course: Any = over_time(rows, EVER, level=0.95)
    for name in ("brier", "ipa"):
        whole = course[f"integrated_{name}"]
        yield f"integrated {name}, jackknife", (whole["low"], whole["high"])


def _bootstrapped(rows: Rows, resampler: Resampler) -> Iterator[tuple[str, Limits]]:
    scores = rows_of(rows.time, rows.event, 1 - rows.survival[:, AT], rows.survival)
    called = threshold_measures(QUESTION, Thresholds({0: CUT}))
    shares = calibration_measures(MADE)
    numbers = {
        "auc ever": partial(auc_of, rows, EVER, resampler),
        "auc by the day": partial(auc_of, rows, QUESTION, resampler),
        "harrell c": partial(concordance_of, rows, EVER, resampler, "harrell", None),
        "uno c": partial(concordance_of, rows, EVER, resampler, "uno", DAY),
        **{name: partial(measured, scores, called[name], resampler) for name in called},
        "brier": partial(measured, rows, shares["brier"], resampler),
        "ipa": partial(measured, rows, shares["ipa"], resampler),
        "observed/expected": partial(measured, rows, shares["observed_expected"], resampler),
    }
    for name, compute in numbers.items():
        found = compute().estimate
        yield name, (found.low, found.high)


def bounds_held(generator: np.random.Generator, count: int) -> tuple[float, bool]:
    """The share of true times past 90 % bounds of a wrong model; whether the interval has it."""
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
    found = conformal_bounds(model, 1, 0.9, Resampler(Resampling(BOOTSTRAPS, 0, 0.95)))
    cut = np.full(count, found["cuts"][0])  # type: ignore[index]
    held = float((times >= lower_bounds(test.survival, GRID, cut)).mean())
    coverage = found["coverage"]
    return held, bool(coverage["low"] <= _held_by_all(found["cuts"][0]) <= coverage["high"])  # type: ignore[index]


@cache
def _many() -> tuple[np.ndarray, np.ndarray]:
    """Times and the wrong model's curves of many patients without censoring."""
    generator = np.random.default_rng(1)
    covariates, _, _, disease, death = drawn(generator, 40_000)
    believed = np.exp(covariates[:, 0] + generator.normal(size=40_000)) / 2
    return np.where(disease < death, disease, np.inf), np.exp(-believed[:, None] * GRID)


def _held_by_all(cut: float) -> float:
    """How often the bounds of a cut hold for everybody: what the measured coverage estimates."""
    times, survival = _many()
    return float((times >= lower_bounds(survival, GRID, np.full(len(times), cut))).mean())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cohorts", type=int, default=1000)
    parser.add_argument("--patients", type=int, default=300)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--formulas", action="store_true")
    options = parser.parse_args()
    generator = np.random.default_rng(options.seed)
    sides: dict[str, list[int]] = defaultdict(list)
    bounds, null, enclosed = [], [], []
    for _ in range(options.cohorts):
        for name, (low, high) in intervals(generator, options.patients, formulas=options.formulas):
            if low is None or high is None:
                sides[name].append(2)
                continue
            true = truth()[name.removesuffix(", percentile").removesuffix(", bca")]
            sides[name].append(-1 if true < low else int(true > high))
        held, inside = bounds_held(generator, options.patients)
        bounds.append(held)
        enclosed.append(inside)
        _, time, event, _, _ = drawn(generator, options.patients)
        lean = generator.normal(size=options.patients)
        null.append(concordance(time, event == 1, lean).value)
    missed = _told(sides, options)
    share, middle = float(np.mean(bounds)), float(np.mean(null))
    print(f"{'conformal bounds of a wrong model':40} 90 % bounds hold {share:.3f}")
    print(f"{'the coverage that is printed with them':40} covers {np.mean(enclosed):.3f}")
    print(f"{'C of risks that know nothing':40} {middle:.4f} (of one cohort: {np.std(null):.3f})")
    missed += [] if 0.88 <= share <= 0.92 else ["conformal"]
    missed += [] if abs(middle - 0.5) <= 0.02 else ["null"]
    sys.exit(f"outside the bar: {', '.join(missed)}" if missed else 0)


def _told(sides: dict[str, list[int]], options: argparse.Namespace) -> list[str]:
    """Print a line an interval; those that cover too rarely or too often."""
    print(f"{options.cohorts} cohorts of {options.patients} patients, seed {options.seed}")
    print(f"{'95 % interval':40} covers  above  below  none")
    missed = []
    for name, each in sides.items():
        found = np.array(each)
        share = float((found == 0).mean())
        missed += [name] if not ALLOWED[0] <= share <= ALLOWED[1] else []
        tails = " ".join(f"{(found == side).mean():6.3f}" for side in (-1, 1, 2))
        print(f"{name:40} {share:6.3f} {tails}")
    return missed


if __name__ == "__main__":
    main()
