"""Which linear predictor should pass KEMM by? Asked of cohorts that its targets do not name.

    OMP_NUM_THREADS=1 python benchmarks/straight_way.py [--repeats 4]

TCGA's breast cancer (covariates, expression) and endometrial cancer (covariates, mutation, copy
number, reports read by rules), overall survival and progression: Harrell's C over five random
folds, drawn anew at each repeat. All that is fitted or chosen is so within a fold's training
patients.

    clinical     Cox, covariates alone
    one ridge    covariates and thirty components of the genes under one ridge (`cox-expression`)
    blocks       the same, a ridge for each kind
    blocks+rep   the same and the fields of reports
    net          the elastic net of covariates and thirty components (`coxnet`)
    all genes    a ridge on covariates and one on all genes
    mean         of the linear predictors of the last two (KEMM's straight way)
"""

from __future__ import annotations

import argparse
import itertools
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from typing import Any

import numpy as np
import polars as pl

from sequela.cohort.cohort import Cohort, read_cohort
from sequela.knowledge.rules import extract_report
from sequela.knowledge.sources import reports
from sequela.modalities.clinical import rows_of
from sequela.modalities.expression import GeneScaler
from sequela.models.baseline_numbers import BaselineInputs, Numbers
from sequela.models.gene_components import OF_NET, OF_RIDGE
from sequela.survival.concordance import concordance
from sequela.survival.cox import fit_cox
from sequela.survival.cox_likelihood import exposure, partial_likelihood
from sequela.survival.coxnet import fit_coxnet
from sequela.survival.ridge_choice import chosen_ridge, chosen_ridges

ROOT = Path(__file__).parents[1]
TCGA = ROOT.parent / "shared" / "data" / "tcga"
OF_CLINICAL, OF_GENES = (1.0, 10.0, 30.0), (0.3, 1.0, 3.0, 10.0, 30.0, 100.0)
Values = np.ndarray[Any, Any]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=4)
    repeats = parser.parse_args().repeats
    found = {
        f"{name} {endpoint}": told(opened(name), endpoint, repeats)
        for name in ("brca", "ucec")
        for endpoint in ("os", "pfi")
    }
    designs = list(dict.fromkeys(name for scores in found.values() for name in scores))
    print(f"{'C':12s}" + "".join(f"{cohort:>10s}" for cohort in found) + "      mean")
    for design in designs:
        cells = [
            np.mean(scores[design]) if design in scores else np.nan for scores in found.values()
        ]
        print(f"{design:12s}" + "".join(f"{cell:10.3f}" for cell in (*cells, np.mean(cells))))


def opened(name: str) -> Cohort:
    """The cohort, its manifest beside a copy of its tables."""
    with TemporaryDirectory() as folder:
        shutil.copytree(TCGA / name, folder, dirs_exist_ok=True)
        manifest = (ROOT / "docs" / "cohorts" / f"tcga-{name}.yaml").read_text(encoding="utf-8")
        (Path(folder) / "cohort.yaml").write_text(manifest, encoding="utf-8")
        return read_cohort(Path(folder))


def told(cohort: Cohort, endpoint: str, repeats: int) -> dict[str, list[float]]:
    """C of each design in each fold of each repeat."""
    rows = cohort.outcomes.filter((pl.col("endpoint") == endpoint) & (pl.col("time") > 0))
    ids, time = rows["patient_id"].to_numpy(), rows["time"].to_numpy()
    event = rows["event"].to_numpy() > 0
    read = {one.patient_id: extract_report(one.text) for one in reports(cohort) if one.text}
    scores: dict[str, list[float]] = {}
    for repeat, fold in itertools.product(range(repeats), range(5)):
        part = dealt(event, np.random.default_rng(repeat))
        train, test = part != fold, part == fold
        answers = predictors(cohort, read, ids[train], ids[test], (time[train], event[train]))
        for design, answer in answers.items():
            found = concordance(time[test], event[test], answer, influence=False).value
            scores.setdefault(design, []).append(found)
    return scores


def dealt(event: Values, draw: np.random.Generator) -> Values:
    """The fold of each patient, events spread evenly."""
    part = np.empty(len(event), dtype=int)
    for kind in (False, True):
        rows = draw.permutation(np.flatnonzero(event == kind))
        part[rows] = np.arange(len(rows)) % 5
    return part


def predictors(
    cohort: Cohort, read: dict[str, Any], train: Values, test: Values, told: tuple[Values, Values]
) -> dict[str, Values]:
    """What each design, fitted on training patients, says of test patients."""

    def inputs(ids: Values) -> BaselineInputs:
        cases: Any = [SimpleNamespace(patient_id=one, exams=()) for one in ids]
        return BaselineInputs(cases, rows_of(cohort.covariates, list(ids)), cohort.genes, read)

    seen, asked, clinical = inputs(train), inputs(test), cohort.manifest.clinical
    numbers = Numbers.fit(seen, clinical, genes=OF_NET)
    x, y, block = numbers.of(seen), numbers.of(asked), np.array(numbers.blocks)
    own = block == 0
    found = {
        "clinical": linear(x[:, own], y[:, own], told, chosen_ridge(x[:, own], *told)),
        "one ridge": linear(x, y, told, chosen_ridge(x, *told)),
        "blocks": linear(x, y, told, chosen_ridges(x, block, *told)),
    }
    if read:
        more = Numbers.fit(seen, clinical, genes=OF_NET, reports=True)
        wide, kinds = more.of(seen), np.array(more.blocks)
        found["blocks+rep"] = linear(wide, more.of(asked), told, chosen_ridges(wide, kinds, *told))
    net = fit_coxnet(x, *told)
    found["net"] = (y - net.centre) @ net.coefficients
    found["all genes"] = of_all_genes(cohort, (train, test), (x[:, own], y[:, own]), told)
    return found | {"mean": (found["net"] + found["all genes"]) / 2}


def linear(x: Values, y: Values, told: tuple[Values, Values], ridge: Any) -> Values:
    return fit_cox(x, *told, ridge=ridge).predictor(y)


def of_all_genes(
    cohort: Cohort,
    ids: tuple[Values, Values],
    clinical: tuple[Values, Values],
    told: tuple[Values, Values],
) -> Values:
    """A ridge on all genes is one on their components, the stronger the less a component varies."""
    tables = ("expression",) if "expression" in cohort.genes else tuple(cohort.genes)
    scalers = [GeneScaler.fit(cohort.genes[name], list(ids[0])) for name in tables]
    genes = [
        np.concatenate([one.transform(cohort.genes[one.table], list(who))[0] for one in scalers], 1)
        for who in ids
    ]
    centre = genes[0].astype(float).mean(axis=0)
    _, spread, rows = np.linalg.svd(genes[0] - centre, full_matrices=False)
    kept = min(OF_RIDGE, int((spread > 1e-6 * spread[0]).sum()))
    x, y = (
        np.concatenate([one, (all_genes - centre) @ rows[:kept].T], axis=1)
        for one, all_genes in zip(clinical, genes, strict=True)
    )
    rising, few = (spread[0] / spread[:kept]) ** 2, clinical[0].shape[1]
    ridges = [
        np.concatenate([np.full(few, first), second * rising])
        for first, second in itertools.product(OF_CLINICAL, OF_GENES)
    ]
    return linear(x, y, told, max(ridges, key=lambda ridge: left_out_gain(x, *told, ridge)))


def left_out_gain(x: Values, time: Values, event: Values, ridge: Values) -> float:
    """The cross-validated partial likelihood (Verweij & van Houwelingen 1993)."""
    part = np.argsort(np.lexsort((time, event))) % 5
    gain, sets = 0.0, exposure(time, event)
    for left in range(5):
        kept = part != left
        varying = np.ptp(x[kept], axis=0) > 0
        cox = fit_cox(x[kept][:, varying], time[kept], event[kept], ridge=ridge[varying])
        scores = partial_likelihood(x[:, varying] - cox.centre, cox.coefficients, sets)
        gain += scores.log_likelihood - cox.log_likelihood
    return gain


if __name__ == "__main__":
    main()
