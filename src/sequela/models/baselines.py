"""What every results table prints beside the models: no images, no notes, no torch.

Where other events compete, `survival` is one minus the cumulative incidence of the cause: the
chance of not having had this event by then, whether or not another came first.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, TypeAlias, assert_never, get_args

import numpy as np
from jaxtyping import Float

from sequela.cohort.manifest import Covariate
from sequela.errors import DataError
from sequela.models.baseline_numbers import BaselineInputs, Numbers
from sequela.models.gene_components import OF_NET, OF_RIDGE
from sequela.models.hazard_baselines import HazardBaseline, HazardModel
from sequela.survival.aalen_johansen import aalen_johansen
from sequela.survival.followup import Followup
from sequela.survival.risk_sets import step

BaselineName = Literal[
    "kaplan-meier",
    "cox-clinical",
    "timing-only",
    "cox-text",
    "cox-expression",
    "cox-expression-mean",
    "cox-report",
    "coxnet",
    "boosting",
    "boosting-expression",
]
BASELINES: tuple[BaselineName, ...] = get_args(BaselineName)
READS_REPORTS: tuple[BaselineName, ...] = ("cox-report",)
"""Those that read the frozen knowledge of a cohort."""
BASELINE_WORDS: Mapping[BaselineName, str] = {
    "kaplan-meier": "the same risk for everybody: what is known without a covariate",
    "cox-clinical": "ridge Cox on the clinical covariates that the manifest declares",
    "timing-only": "ridge Cox on when exams were made; what it reaches, the design gives away",
    "cox-text": "ridge Cox on clinical covariates and components of the notes (tf-idf, SVD)",
    "cox-expression": "ridge Cox on clinical covariates and 30 components of expression",
    "cox-expression-mean": "mean of coxnet and of a ridge on all genes: KEMM's straight way, alone",
    "cox-report": "Cox on clinical covariates and fields of structured reports, a ridge for each",
    "coxnet": "elastic-net Cox on the same numbers, its penalty chosen among training patients",
    "boosting": "gradient boosting of small trees on the numbers of cox-text, by Cox's likelihood",
    "boosting-expression": "the same on the numbers of cox-expression",
}


@dataclass(frozen=True)
class KaplanMeierBaseline:
    """The same for everyone: one minus the incidence among training patients (Aalen-Johansen).

    With one cause that is the Kaplan-Meier curve.

    Attributes:
        times: Days at which it steps.
        steps: The chance of being free of the event from each of them on.
        horizon: Days within which risk is told; None for the last time.
    """

    times: tuple[float, ...]
    steps: tuple[float, ...]
    horizon: float | None

    def risk(self, inputs: BaselineInputs) -> Float[np.ndarray, " patient"]:
        """The share of training patients with the event by the horizon, for everyone."""
        end = self.times[-1] if self.horizon is None else self.horizon
        risk: Float[np.ndarray, " patient"] = 1 - self.survival(inputs, (end,))[:, 0]
        return risk

    def survival(
        self, inputs: BaselineInputs, times: tuple[float, ...]
    ) -> Float[np.ndarray, "patient time"]:
        """The curve at `times`, a row a patient; past its end it stays level."""
        curve = step(np.array(self.times), np.array(self.steps), np.array(times), before=1.0)
        return np.tile(curve, (len(inputs), 1))

    def state(self) -> dict[str, Any]:
        """What `baseline_from_state` needs, as JSON holds it."""
        return asdict(self)


Baseline: TypeAlias = KaplanMeierBaseline | HazardBaseline


def fit_baseline(
    name: BaselineName,
    inputs: BaselineInputs,
    train: Followup,
    *,
    clinical: Mapping[str, Covariate],
    horizon: float | None = None,
    cause: int = 1,
    ridge: float = 1.0,
) -> Baseline:
    """The baseline of that name, fitted on training patients.

    Args:
        name: One of `BASELINES`.
        inputs: Training cases.
        train: Their follow-up.
        clinical: Which covariates are used, and their kinds (`manifest.clinical`).
        horizon: Days within which risk is told; None for the last event.
        cause: The event of interest; others compete.
        ridge: Penalty on squared log hazard ratios a standard deviation; where genes
            are read it is chosen by cross-validation within the training cases.

    Raises:
        DataError: If there is nothing to fit on: no covariate, or none that varies.
        UndefinedMetricError: If no training patient has the event.
    """
    model: HazardModel = ridge
    match name:
        case "kaplan-meier":
            curve = aalen_johansen(train.time, train.event, cause=cause, entry=train.entry)
            steps = tuple((1 - curve.incidence).tolist())
            return KaplanMeierBaseline(tuple(curve.time.tolist()), steps, horizon)
        case "cox-clinical":
            numbers = Numbers.fit(inputs, clinical)
        case "timing-only":
            numbers = Numbers.fit(inputs, {}, timing=True)
        case "cox-text":
            numbers = Numbers.fit(inputs, clinical, texts=True)
            if numbers.texts is None:
                raise DataError(
                    "cox-text reads texts, and training texts have no word in common",
                    hint="choose cox-clinical, which reads covariates alone",
                )
        case "cox-expression":
            numbers, model = _with_genes(name, inputs, clinical, OF_NET), "chosen"
        case "cox-expression-mean":
            numbers, model = _with_genes(name, inputs, clinical, OF_RIDGE), "mean"
        case "cox-report":
            _require_reports(name, inputs)
            numbers, model = Numbers.fit(inputs, clinical, reports=True), "by-block"
        case "coxnet":
            numbers, model = _with_genes(name, inputs, clinical, OF_NET), "elastic-net"
        case "boosting-expression":
            numbers, model = _with_genes(name, inputs, clinical, OF_NET), "boosted"
        case "boosting":
            numbers, model = Numbers.fit(inputs, clinical, texts=True), "boosted"
        case _:
            assert_never(name)
    return HazardBaseline.fit(numbers, inputs, train, cause=cause, horizon=horizon, model=model)


def _with_genes(
    name: BaselineName,
    inputs: BaselineInputs,
    clinical: Mapping[str, Covariate],
    components: int,
) -> Numbers:
    numbers = Numbers.fit(inputs, clinical, genes=components)
    if numbers.genes is None:
        raise DataError(
            f"{name} reads genes, and the cohort has no gene table",
            hint="choose cox-clinical, which reads covariates alone",
        )
    return numbers


def _require_reports(name: BaselineName, inputs: BaselineInputs) -> None:
    if not any(report and report.known for report in inputs.structured):
        raise DataError(
            f"{name} reads structured reports, and no training patient's report says anything",
            hint="add pathology reports to the cohort's texts, or choose cox-clinical",
        )


def baseline_from_state(state: Mapping[str, Any]) -> Baseline:
    """The baseline whose `state()` this is."""
    if "steps" in state:
        return KaplanMeierBaseline(**_tuples(state))
    return HazardBaseline.from_state(state)


def _tuples(state: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: tuple(value) if isinstance(value, list) else value for name, value in state.items()
    }
