"""Baselines that model hazards from a few numbers a patient: ridge Cox, boosted trees."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
from jaxtyping import Bool, Float

from sequela.models.baseline_numbers import BaselineInputs, Numbers
from sequela.models.boosting import BoostedHazard
from sequela.survival.cause_specific import StepHazard, incidence_of_steps
from sequela.survival.cox import fit_cox
from sequela.survival.cox_mean import MeanPenalties, chosen_mean, fit_cox_mean
from sequela.survival.coxnet import fit_coxnet
from sequela.survival.followup import Followup
from sequela.survival.ridge_choice import chosen_ridge, chosen_ridges

HazardModel: TypeAlias = float | Literal["chosen", "by-block", "elastic-net", "mean", "boosted"]
"""Cox's model with a ridge, or with one chosen by cross-validation in the training patients, for
all or for each kind of numbers, or with an elastic net's path, or the mean of the last two; or
boosted trees."""
Fitted: TypeAlias = (
    float | Float[np.ndarray, " feature"] | MeanPenalties | Literal["elastic-net", "boosted"]
)


@dataclass(frozen=True)
class LinearHazard:
    """A log hazard that is linear in the numbers.

    Attributes:
        coefficients: Log hazard ratio of each number.
        centre: Training mean of each.
    """

    coefficients: tuple[float, ...]
    centre: tuple[float, ...]

    def score(self, numbers: Float[np.ndarray, "patient feature"]) -> Float[np.ndarray, " patient"]:
        """Each patient's log hazard relative to one at `centre`."""
        score: Float[np.ndarray, " patient"] = (numbers - self.centre) @ np.array(self.coefficients)
        return score

    def state(self) -> dict[str, Any]:
        """What `from_state` needs, as JSON holds it."""
        return asdict(self)

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> LinearHazard:
        """The log hazard whose `state()` this is."""
        return cls(tuple(state["coefficients"]), tuple(state["centre"]))


@dataclass(frozen=True)
class CauseHazard:
    """The hazard of one cause, or of all its rivals together.

    Attributes:
        patient: The log of a patient's hazard relative to the baseline.
        baseline: Breslow's hazard of a patient of relative hazard 1.
    """

    patient: LinearHazard | BoostedHazard
    baseline: StepHazard

    @classmethod
    def fit(
        cls,
        numbers: Float[np.ndarray, "patient feature"],
        train: Followup,
        event: Bool[np.ndarray, " patient"],
        model: Fitted,
    ) -> CauseHazard:
        """Of one cause, those struck by another being censored; only where events fall it steps."""
        patient: LinearHazard | BoostedHazard
        if isinstance(model, str) and model == "boosted":
            patient = BoostedHazard.fit(numbers, train, event)
        elif isinstance(model, str):
            net = fit_coxnet(numbers, train.time, event, entry=train.entry)
            patient = LinearHazard(tuple(net.coefficients.tolist()), tuple(net.centre.tolist()))
        elif isinstance(model, MeanPenalties):
            mean = fit_cox_mean(numbers, model, train.time, event, entry=train.entry)
            patient = LinearHazard(tuple(mean.tolist()), tuple(numbers.mean(axis=0).tolist()))
        else:
            cox = fit_cox(numbers, train.time, event, entry=train.entry, ridge=model)
            patient = LinearHazard(tuple(cox.coefficients.tolist()), tuple(cox.centre.tolist()))
        relative = np.exp(patient.score(numbers))
        return cls(patient, StepHazard.breslow(train.time, event, relative, entry=train.entry))

    def state(self) -> dict[str, Any]:
        """What `from_state` needs, as JSON holds it."""
        return {"patient": self.patient.state(), "baseline": self.baseline.state()}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> CauseHazard:
        """The hazard whose `state()` this is."""
        patient = state["patient"]
        kind = LinearHazard if "coefficients" in patient else BoostedHazard
        return cls(kind.from_state(patient), StepHazard.from_state(state["baseline"]))


@dataclass(frozen=True)
class HazardBaseline:
    """A model of hazards from a few numbers a patient; one a cause where causes compete.

    Attributes:
        numbers: Which are read.
        cause: The hazard of the event of interest.
        competing: That of all other events together; None where training saw none.
        horizon: Days within which risk is told; None for the last training event.
    """

    numbers: Numbers
    cause: CauseHazard
    competing: CauseHazard | None
    horizon: float | None

    @classmethod
    def fit(
        cls,
        numbers: Numbers,
        inputs: BaselineInputs,
        train: Followup,
        *,
        cause: int,
        horizon: float | None,
        model: HazardModel,
    ) -> HazardBaseline:
        """Fitted on training cases, among whom a penalty that is not given is chosen too."""
        values, rivals = numbers.of(inputs), (train.event > 0) & (train.event != cause)
        asked = _chosen(model, numbers, values, train, cause)
        competing = CauseHazard.fit(values, train, rivals, asked) if rivals.any() else None
        of_cause = CauseHazard.fit(values, train, train.event == cause, asked)
        return cls(numbers, of_cause, competing, horizon)

    def risk(self, inputs: BaselineInputs) -> Float[np.ndarray, " patient"]:
        """Probability of the event by the horizon; higher is worse."""
        end = self.cause.baseline.times[-1] if self.horizon is None else self.horizon
        return 1 - self.survival(inputs, (end,))[:, 0]

    def survival(
        self, inputs: BaselineInputs, times: tuple[float, ...]
    ) -> Float[np.ndarray, "patient time"]:
        """Probability of not having had the event at `times`; level past the last event."""
        values = self.numbers.of(inputs)
        causes = [self.cause] if self.competing is None else [self.cause, self.competing]
        hazards = [(one.baseline, np.exp(one.patient.score(values))) for one in causes]
        return 1 - incidence_of_steps(hazards, times)

    def state(self) -> dict[str, Any]:
        """What `baseline_from_state` needs, as JSON holds it."""
        return {
            "numbers": self.numbers.state(),
            "cause": self.cause.state(),
            "competing": None if self.competing is None else self.competing.state(),
            "horizon": self.horizon,
        }

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> HazardBaseline:
        """The baseline whose `state()` this is."""
        rival = state["competing"]
        return cls(
            Numbers.from_state(state["numbers"]),
            CauseHazard.from_state(state["cause"]),
            None if rival is None else CauseHazard.from_state(rival),
            state["horizon"],
        )


def _chosen(
    model: HazardModel,
    numbers: Numbers,
    values: Float[np.ndarray, "patient feature"],
    train: Followup,
    cause: int,
) -> Fitted:
    """What is asked for; a ridge to be chosen is that of the cause, for its rivals too."""
    told, blocks = (train.time, train.event == cause), np.array(numbers.blocks)
    if model == "chosen":
        return chosen_ridge(values, *told, entry=train.entry)
    if model == "by-block":
        return chosen_ridges(values, blocks, *told, entry=train.entry)
    if model == "mean":
        lengths, few = numbers.lengths, numbers.few
        return chosen_mean(values, blocks, lengths, few, *told, entry=train.entry)
    return model
