"""How much each named part moved the risk: Shapley values over the tokens of the aggregation."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from sequela.errors import UsageError
from sequela.fusion.aggregation import MlpAggregation
from sequela.interpretation.risk_score import Score, evaluating
from sequela.modalities.batch import Batch
from sequela.models.lumin import Lumin

SHORTCUT = "shortcut"
"""The player that stands for the logits that pass the parts by."""
MOST_EXACT = 13
"""Players of whom all coalitions are asked; of more, orders are drawn."""
_AT_ONCE = 512
Game = Callable[[Bool[np.ndarray, "coalition player"]], Float[np.ndarray, " coalition"]]
Shares = tuple[Float[np.ndarray, " player"], float, float]


@dataclass(frozen=True)
class PartAttribution:
    """What each token of a patient's parts is worth.

    The weights sum to `score` minus `baseline`, in exact arithmetic (efficiency), drawn or not.

    Attributes:
        names: As `image@2`, `varying`; `shortcut` where the model has one.
        weights: Positive where the part raised the score.
        score: Of the patient as she is.
        baseline: With every part masked where the parts are joined.
        exact: True where all coalitions were asked, False where orders were drawn.
    """

    names: tuple[str, ...]
    weights: Float[np.ndarray, " part"]
    score: float
    baseline: float
    exact: bool


def attribute_parts(
    model: nn.Module, seen: Batch, score: Score, *, orders: int = 64, seed: int = 0
) -> PartAttribution:
    """Shapley values of the part tokens that one patient has (Shapley 1953).

    A part out of a coalition is masked where the aggregation reads it, as the tokens of a visit
    that was not made are. TE-DKE still reads the parts of the exams: what is told is which token
    the prediction was read from, not which measurement (`models.removal` takes a part away there
    too).

    Args:
        model: A LUMIN variant.
        seen: One patient, on the model's device.
        score: What is explained, from the logits.
        orders: Orders drawn, each also taken backwards, where there are more players than 13.
        seed: Of those orders.

    Raises:
        UsageError: If the model has no parts that can be masked.
    """
    if not isinstance(model, Lumin) or _never_masks(model):
        raise UsageError(
            "this model has no parts that can be masked",
            hint="explain a variant that joins parts, as lumin, lumin-m or lumin-t",
        )
    with evaluating(model), torch.no_grad():
        names, game = _game(model, seen, score)
        players = len(names)
        exact = players <= MOST_EXACT
        generator = np.random.default_rng(seed)
        found = shapley(game, players) if exact else drawn_shapley(game, players, orders, generator)
    return PartAttribution(names, *found, exact)


def shapley(game: Game, players: int) -> Shares:
    """The Shapley value of each player, from all coalitions.

    Args:
        game: What coalitions are worth.
        players: How many there are.

    Returns:
        The values, what all are worth, and what none is.
    """
    rank = np.arange(2**players)
    bits = (rank[:, None] >> np.arange(players)) & 1
    worth, size = game(bits.astype(bool)), bits.sum(axis=1)
    share = np.array([1 / (players * math.comb(players - 1, k)) for k in range(players)])
    values = np.empty(players)
    for player in range(players):
        others = rank[bits[:, player] == 0]
        gain = worth[others + 2**player] - worth[others]
        values[player] = (share[size[others]] * gain).sum()
    return values, float(worth[-1]), float(worth[0])


def drawn_shapley(game: Game, players: int, orders: int, generator: np.random.Generator) -> Shares:
    """The mean gain of each player over drawn orders, each taken forwards and backwards.

    Each order hands out what all are worth, so that the sum stays exact (Mitchell et al. 2022).
    """
    forward = np.stack([generator.permutation(players) for _ in range(orders)])
    order = np.concatenate([forward, forward[:, ::-1]])
    place = order.argsort(axis=1)
    coalitions = place[:, None, :] < np.arange(players + 1)[:, None]
    worth = game(coalitions.reshape(-1, players)).reshape(len(order), players + 1)
    gain = np.diff(worth, axis=1)
    values = np.take_along_axis(gain, place, axis=1).mean(axis=0)
    return values, float(worth[:, -1].mean()), float(worth[:, 0].mean())


def _never_masks(model: Lumin) -> bool:
    return isinstance(model.aggregation, MlpAggregation) and model.aggregation.absent is None


def _game(model: Lumin, seen: Batch, score: Score) -> tuple[tuple[str, ...], Game]:
    """The players of a patient, and what the score is with some of them."""
    found: list[Tensor] = []
    past: list[Tensor] = []
    handles = [
        model.aggregation.register_forward_hook(lambda _, given, __: found.extend(given[:2]))
    ]
    if model.shortcut is not None:
        handles.append(model.shortcut.register_forward_hook(lambda _, __, out: past.append(out)))
    try:
        parts = tuple(model(seen).parts)
    finally:
        for handle in handles:
            handle.remove()
    tokens, mask = found
    there = mask[0].nonzero()[:, 0]

    def game(coalitions: Bool[np.ndarray, "coalition player"]) -> Float[np.ndarray, " coalition"]:
        chosen = torch.from_numpy(np.ascontiguousarray(coalitions)).to(mask.device)
        return np.concatenate([worth(part) for part in torch.split(chosen, _AT_ONCE)])

    def worth(chosen: Tensor) -> Float[np.ndarray, " coalition"]:
        kept = mask.new_zeros((len(chosen), mask.shape[1]))
        kept[:, there] = chosen[:, : len(there)]
        logits = model.output(model.aggregation(tokens.expand(len(chosen), -1, -1), kept)).double()
        if past:
            logits = logits + past[0].double() * chosen[:, -1:]
        answer: np.ndarray = score(logits).cpu().numpy()
        return answer

    names = tuple(parts[place] for place in there.tolist())
    return (*names, SHORTCUT) if past else names, game
