"""Concordance of risk with the incidence of one cause, where other causes compete."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int

from sequela.survival.comparable_pairs import Pairs, Parts, count_pairs, pairs_between
from sequela.survival.concordance import Concordance, TimeWeight, of_pairs, tied_events
from sequela.survival.population_weights import PopulationWeights
from sequela.survival.risk_sets import distinct


def competing_concordance(
    time: Float[np.ndarray, " patient"],
    event: Int[np.ndarray, " patient"],
    risk: Float[np.ndarray, " patient"],
    *,
    cause: int = 1,
    entry: Float[np.ndarray, " patient"] | None = None,
    pairs: TimeWeight = "uno",
    horizon: float | None = None,
    influence: bool = True,
) -> Concordance:
    """C of a risk of one cause's event, in O(n log n).

    Who has the event of the cause ought to have a higher risk than who has it later, and than who
    had a competing event, whenever that was: a competing event puts the event off for ever.

    Args:
        time: Days to event or last contact.
        event: 0 censored, k >= 1 cause k.
        risk: Of the cause's event; higher is worse.
        cause: Which cause.
        entry: Days at which observation began; None for from the start.
        pairs: `uno` weighs a pair by the inverse probability that it could be seen, 1/G(T-) of
            each of the two, or 1/G(T-)^2 where the other is still under observation; `harrell`
            counts each once, which leans on the censoring.
        horizon: Events later than this day begin no pair; None for all.
        influence: Whether the standard error, the weights being estimated, will be asked for.

    Raises:
        UndefinedMetricError: If no pair is comparable.

    Source: Wolbers et al. 2009 (`harrell`); Wolbers et al. 2014, eq. 4 (`uno`), the weights just
        before a time, as `concordance` has them.
    """
    own, rival = event == cause, (event > 0) & (event != cause)
    begins = (own if horizon is None else own & (time <= horizon)).astype(float)
    weights = PopulationWeights.of(time, event > 0, entry)
    share = weights.of_events() if pairs == "uno" else np.ones(len(time))
    outlived = count_pairs(time, own, risk, begins * share**2, entry=entry, influence=influence)
    spared = _with_earlier_rivals(time, risk, begins * share, rival * share, influence=influence)
    started = begins > 0
    ties = tied_events(time[started], risk[started])
    found = of_pairs(outlived.and_also(spared), ties)
    if not influence or pairs == "harrell":
        return found
    both = [_excess(part, found.value) for part in (outlived.begun, spared.begun)]
    assert spared.outlived is not None  # noqa: S101
    terms = 2 * both[0] + both[1] + _excess(spared.outlived, found.value)
    return found.moved_by(weights.moved(terms))


def _with_earlier_rivals(
    time: Float[np.ndarray, " patient"],
    risk: Float[np.ndarray, " patient"],
    first: Float[np.ndarray, " patient"],
    rival: Float[np.ndarray, " patient"],
    *,
    influence: bool,
) -> Pairs:
    """Pairs of an event with a competing event before it, each of the two with its weight."""
    when = distinct(time)[1].astype(float)
    begun = _scaled(first, pairs_between(risk, rival, when, when - 0.5))
    if not influence:
        return Pairs(begun, None)
    return Pairs(begun, _scaled(rival, pairs_between(-risk, first, -when, -when - 0.5)))


def _scaled(weight: Float[np.ndarray, " patient"], parts: Parts) -> Parts:
    smaller, equal, total = (weight * part for part in parts)
    return smaller, equal, total


def _excess(parts: Parts, value: float) -> Float[np.ndarray, " patient"]:
    """What the pairs of each patient won more than their share."""
    return parts[0] + parts[1] / 2 - value * parts[2]
