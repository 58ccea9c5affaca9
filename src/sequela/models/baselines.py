"""What every results table prints beside the models: no images, no notes, no torch.

Where other events compete, `survival` is one minus the cumulative incidence of the cause: the
chance of not having had this event by then, whether or not another came first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, TypeAlias, assert_never, get_args

import numpy as np
import polars as pl
from jaxtyping import Bool, Float

from sequela.cohort.manifest import Covariate
from sequela.cohort.patient import Case
from sequela.errors import DataError
from sequela.modalities.clinical import ClinicalScaler
from sequela.survival.aalen_johansen import aalen_johansen
from sequela.survival.cause_specific import StepHazard, incidence_of_steps
from sequela.survival.cox import fit_cox
from sequela.survival.followup import Followup
from sequela.survival.risk_sets import step

BaselineName = Literal["kaplan-meier", "cox-clinical", "timing-only"]
BASELINES: tuple[BaselineName, ...] = get_args(BaselineName)
BASELINE_WORDS: Mapping[BaselineName, str] = {
    "kaplan-meier": "the same risk for everybody: what is known without a covariate",
    "cox-clinical": "ridge Cox on the clinical covariates that the manifest declares",
    "timing-only": "ridge Cox on when exams were made; what it reaches, the design gives away",
}
TIMING = ("landmark", "gap", "exams")


@dataclass(frozen=True)
class BaselineInputs:
    """What a baseline may look at.

    Attributes:
        cases: Whose risk is asked for.
        covariates: The declared clinical columns, a row a case in the same order
            (`modalities.clinical.rows_of`).
    """

    cases: Sequence[Case]
    covariates: pl.DataFrame

    def __len__(self) -> int:
        return len(self.cases)


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


@dataclass(frozen=True)
class CauseHazard:
    """Cox's model of the hazard of one cause, or of all its rivals together.

    Attributes:
        coefficients: Log hazard ratio of each number.
        centre: Training mean of each.
        times: Days at which the baseline hazard steps.
        hazard: Cumulative baseline hazard from each of them on.
    """

    coefficients: tuple[float, ...]
    centre: tuple[float, ...]
    times: tuple[float, ...]
    hazard: tuple[float, ...]

    @property
    def baseline(self) -> StepHazard:
        """The hazard of a patient at `centre`."""
        return StepHazard(self.times, self.hazard)

    def relative(
        self, numbers: Float[np.ndarray, "patient feature"]
    ) -> Float[np.ndarray, " patient"]:
        """Each patient's hazard relative to the baseline."""
        relative: Float[np.ndarray, " patient"]
        relative = np.exp((numbers - self.centre) @ np.array(self.coefficients))
        return relative


@dataclass(frozen=True)
class CoxBaseline:
    """Cox's model of a few numbers a patient, with a ridge penalty; one a cause where they compete.

    Attributes:
        scaler: Of the clinical covariates; None reads the timing of exams instead.
        features: Names of the numbers that vary among training patients.
        columns: Where those stand among all numbers.
        cause: The hazard of the event of interest.
        competing: That of all other events together; None where training saw none.
        horizon: Days within which risk is told; None for the last training event.
    """

    scaler: ClinicalScaler | None
    features: tuple[str, ...]
    columns: tuple[int, ...]
    cause: CauseHazard
    competing: CauseHazard | None
    horizon: float | None

    def risk(self, inputs: BaselineInputs) -> Float[np.ndarray, " patient"]:
        """Probability of the event by the horizon; higher is worse."""
        end = self.cause.times[-1] if self.horizon is None else self.horizon
        return self._incidence(inputs, (end,))[:, 0]

    def survival(
        self, inputs: BaselineInputs, times: tuple[float, ...]
    ) -> Float[np.ndarray, "patient time"]:
        """Probability of not having had the event at `times`; level past the last event."""
        return 1 - self._incidence(inputs, times)

    def _incidence(
        self, inputs: BaselineInputs, times: tuple[float, ...]
    ) -> Float[np.ndarray, "patient time"]:
        numbers = _numbers(inputs, self.scaler)[1][:, list(self.columns)]
        causes = [self.cause] if self.competing is None else [self.cause, self.competing]
        return incidence_of_steps([(one.baseline, one.relative(numbers)) for one in causes], times)

    def state(self) -> dict[str, Any]:
        """What `baseline_from_state` needs, as JSON holds it."""
        return asdict(self)


Baseline: TypeAlias = KaplanMeierBaseline | CoxBaseline


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
        ridge: Penalty on squared log hazard ratios a standard deviation.

    Raises:
        DataError: If there is nothing to fit on: no covariate, or none that varies.
        UndefinedMetricError: If no training patient has the event.
    """
    match name:
        case "kaplan-meier":
            curve = aalen_johansen(train.time, train.event, cause=cause, entry=train.entry)
            steps = tuple((1 - curve.incidence).tolist())
            return KaplanMeierBaseline(tuple(curve.time.tolist()), steps, horizon)
        case "cox-clinical":
            scaler = ClinicalScaler.fit(inputs.covariates, clinical)
            return _fit_cox(scaler, inputs, train, cause=cause, horizon=horizon, ridge=ridge)
        case "timing-only":
            return _fit_cox(None, inputs, train, cause=cause, horizon=horizon, ridge=ridge)
        case _:
            assert_never(name)


def baseline_from_state(state: Mapping[str, Any]) -> Baseline:
    """The baseline whose `state()` this is."""
    fields = _tuples(state)
    if "steps" in fields:
        return KaplanMeierBaseline(**fields)
    scaler, rival = fields["scaler"], fields["competing"]
    return CoxBaseline(
        scaler and ClinicalScaler.from_state(scaler),
        fields["features"],
        fields["columns"],
        CauseHazard(**_tuples(fields["cause"])),
        rival and CauseHazard(**_tuples(rival)),
        fields["horizon"],
    )


def _tuples(state: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: tuple(value) if isinstance(value, list) else value for name, value in state.items()
    }


def _fit_cox(
    scaler: ClinicalScaler | None,
    inputs: BaselineInputs,
    train: Followup,
    *,
    cause: int,
    horizon: float | None,
    ridge: float,
) -> CoxBaseline:
    names, numbers = _numbers(inputs, scaler)
    columns = np.flatnonzero(np.ptp(numbers, axis=0) > 0)
    if not len(columns):
        raise DataError(
            f"a Cox model needs a number that varies; of {len(names)}, none does",
            hint="declare clinical covariates in the manifest, or leave this baseline out",
        )
    rivals = (train.event > 0) & (train.event != cause)
    used = numbers[:, columns]
    return CoxBaseline(
        scaler,
        tuple(names[column] for column in columns),
        tuple(columns.tolist()),
        _fit_hazard(used, train, train.event == cause, ridge),
        _fit_hazard(used, train, rivals, ridge) if rivals.any() else None,
        horizon,
    )


def _fit_hazard(
    numbers: Float[np.ndarray, "patient feature"],
    train: Followup,
    event: Bool[np.ndarray, " patient"],
    ridge: float,
) -> CauseHazard:
    """Of one cause, those struck by another being censored; only where events fall it steps."""
    cox = fit_cox(numbers, train.time, event, entry=train.entry, ridge=ridge)
    steps = np.diff(cox.baseline_hazard, prepend=0.0) > 0
    return CauseHazard(
        tuple(cox.coefficients.tolist()),
        tuple(cox.centre.tolist()),
        tuple(cox.baseline_time[steps].tolist()),
        tuple(cox.baseline_hazard[steps].tolist()),
    )


def _numbers(
    inputs: BaselineInputs, scaler: ClinicalScaler | None
) -> tuple[tuple[str, ...], Float[np.ndarray, "patient feature"]]:
    """Names and values: timing, or covariates and an indicator for each that may be unknown."""
    if scaler is None:
        return TIMING, _timing(inputs.cases)
    values, known = scaler.transform(inputs.covariates)
    first = np.cumsum([0, *(len(column.features) for column in scaler.columns)])[:-1]
    names = tuple(f"{column.name} unknown" for column in scaler.columns)
    return scaler.features + names, np.concatenate([values, ~known[:, first]], axis=1)


def _timing(cases: Sequence[Case]) -> Float[np.ndarray, "patient feature"]:
    """When a patient was seen, and nothing of what was seen; days in years."""
    rows = np.zeros((len(cases), len(TIMING)))
    for row, case in zip(rows, cases, strict=True):
        days = [exam.day for exam in case.exams]
        gap = days[-1] - days[-2] if len(days) > 1 else 0.0
        row[:] = (case.landmark / 365.25, gap / 365.25, len(days))
    return rows
