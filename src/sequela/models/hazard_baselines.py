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
from sequela.survival.coxnet import fit_coxnet
from sequela.survival.followup import Followup
from sequela.survival.ridge_choice import chosen_ridge, chosen_ridges

Penalty: TypeAlias = float | Literal["chosen", "by-block", "elastic-net"]
"""A ridge, or one chosen by cross-validation in the training patients, for all or for each kind of
numbers, or an elastic net's path."""
Ridge: TypeAlias = float | Float[np.ndarray, " feature"]


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

    @classmethod
    def fit(
        cls,
        numbers: Float[np.ndarray, "patient feature"],
        train: Followup,
        event: Bool[np.ndarray, " patient"],
        ridge: Ridge | Literal["elastic-net"],
    ) -> CauseHazard:
        """Of one cause, those struck by another being censored; only where events fall it steps."""
        if isinstance(ridge, str):
            net = fit_coxnet(numbers, train.time, event, entry=train.entry)
            relative = np.exp((numbers - net.centre) @ net.coefficients)
            baseline = StepHazard.breslow(train.time, event, relative, entry=train.entry)
            numbers_of = tuple(net.coefficients.tolist()), tuple(net.centre.tolist())
            return cls(*numbers_of, baseline.times, baseline.hazard)
        cox = fit_cox(numbers, train.time, event, entry=train.entry, ridge=ridge)
        steps = np.diff(cox.baseline_hazard, prepend=0.0) > 0
        return cls(
            tuple(cox.coefficients.tolist()),
            tuple(cox.centre.tolist()),
            tuple(cox.baseline_time[steps].tolist()),
            tuple(cox.baseline_hazard[steps].tolist()),
        )

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
        ridge: Penalty,
    ) -> CoxBaseline:
        """Fitted on training cases, among whom a penalty that is not given is chosen too."""
        values, rivals = numbers.of(inputs), (train.event > 0) & (train.event != cause)
        penalty = _penalty(ridge, numbers, values, train, cause)
        competing = CauseHazard.fit(values, train, rivals, penalty) if rivals.any() else None
        of_cause = CauseHazard.fit(values, train, train.event == cause, penalty)
        return cls(numbers, of_cause, competing, horizon)

    def risk(self, inputs: BaselineInputs) -> Float[np.ndarray, " patient"]:
        """Probability of the event by the horizon; higher is worse."""
        end = self.cause.times[-1] if self.horizon is None else self.horizon
        return 1 - self.survival(inputs, (end,))[:, 0]

    def survival(
        self, inputs: BaselineInputs, times: tuple[float, ...]
    ) -> Float[np.ndarray, "patient time"]:
        """Probability of not having had the event at `times`; level past the last event."""
        values = self.numbers.of(inputs)
        causes = [self.cause] if self.competing is None else [self.cause, self.competing]
        hazards = [(one.baseline, one.relative(values)) for one in causes]
        return 1 - incidence_of_steps(hazards, times)

    def state(self) -> dict[str, Any]:
        """What `baseline_from_state` needs, as JSON holds it."""
        return {**asdict(self), "numbers": self.numbers.state()}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> CoxBaseline:
        """The baseline whose `state()` this is."""
        cause, rival = (
            None
            if state[name] is None
            else CauseHazard(**{key: tuple(values) for key, values in state[name].items()})
            for name in ("cause", "competing")
        )
        if cause is None:
            raise TypeError("a Cox baseline has a hazard of its cause")
        return cls(Numbers.from_state(state["numbers"]), cause, rival, state["horizon"])


def _penalty(
    asked: Penalty,
    numbers: Numbers,
    values: Float[np.ndarray, "patient feature"],
    train: Followup,
    cause: int,
) -> Ridge | Literal["elastic-net"]:
    """The penalty that is asked for; one to be chosen is that of the cause, for its rivals too."""
    told = (train.time, train.event == cause)
    if asked == "chosen":
        return chosen_ridge(values, *told, entry=train.entry)
    if asked == "by-block":
        return chosen_ridges(values, np.array(numbers.blocks), *told, entry=train.entry)
    return asked


@dataclass(frozen=True)
class BoostedCause:
    """The hazard of one cause, or of all its rivals together, from boosted trees.

    Attributes:
        trees: The log of the relative hazard.
        baseline: Breslow's hazard of a patient of relative hazard 1.
    """

    trees: BoostedHazard
    baseline: StepHazard

    @classmethod
    def fit(
        cls,
        numbers: Float[np.ndarray, "patient feature"],
        train: Followup,
        event: Bool[np.ndarray, " patient"],
    ) -> BoostedCause:
        """Of one cause, those struck by another being censored."""
        trees = BoostedHazard.fit(numbers, train, event)
        relative = np.exp(trees.score(numbers))
        return cls(trees, StepHazard.breslow(train.time, event, relative, entry=train.entry))

    def state(self) -> dict[str, Any]:
        """What `from_state` needs, as JSON holds it."""
        return {"trees": self.trees.state(), "baseline": self.baseline.state()}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> BoostedCause:
        """The hazard whose `state()` this is."""
        trees, baseline = state["trees"], state["baseline"]
        return cls(BoostedHazard.from_state(trees), StepHazard.from_state(baseline))


@dataclass(frozen=True)
class BoostingBaseline:
    """Boosted trees on a few numbers a patient; one sum a cause where they compete.

    Attributes:
        numbers: Which are read.
        boosted: The hazard of the event of interest.
        competing: That of all other events together; None where training saw none.
        horizon: Days within which risk is told; None for the last training event.
    """

    numbers: Numbers
    boosted: BoostedCause
    competing: BoostedCause | None
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
    ) -> BoostingBaseline:
        """Fitted on training cases."""
        values, rivals = numbers.of(inputs), (train.event > 0) & (train.event != cause)
        competing = BoostedCause.fit(values, train, rivals) if rivals.any() else None
        return cls(
            numbers, BoostedCause.fit(values, train, train.event == cause), competing, horizon
        )

    def risk(self, inputs: BaselineInputs) -> Float[np.ndarray, " patient"]:
        """Probability of the event by the horizon; higher is worse."""
        end = self.boosted.baseline.times[-1] if self.horizon is None else self.horizon
        return 1 - self.survival(inputs, (end,))[:, 0]

    def survival(
        self, inputs: BaselineInputs, times: tuple[float, ...]
    ) -> Float[np.ndarray, "patient time"]:
        """Probability of not having had the event at `times`; level past the last event."""
        values = self.numbers.of(inputs)
        causes = [self.boosted] if self.competing is None else [self.boosted, self.competing]
        hazards = [(one.baseline, np.exp(one.trees.score(values))) for one in causes]
        return 1 - incidence_of_steps(hazards, times)

    def state(self) -> dict[str, Any]:
        """What `baseline_from_state` needs, as JSON holds it."""
        return {
            "numbers": self.numbers.state(),
            "boosted": self.boosted.state(),
            "competing": None if self.competing is None else self.competing.state(),
            "horizon": self.horizon,
        }

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> BoostingBaseline:
        """The baseline whose `state()` this is."""
        rival = state["competing"]
        return cls(
            Numbers.from_state(state["numbers"]),
            BoostedCause.from_state(state["boosted"]),
            None if rival is None else BoostedCause.from_state(rival),
            state["horizon"],
        )
