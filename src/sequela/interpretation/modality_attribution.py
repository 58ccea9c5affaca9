"""How much each modality moved the risk: exact Shapley values over what a patient has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import nn

from sequela.interpretation.part_attribution import shapley
from sequela.interpretation.risk_score import Score, evaluating
from sequela.modalities.batch import Batch


@dataclass(frozen=True)
class ModalityAttribution:
    """What each modality of one patient is worth.

    Attributes:
        names: Of the modalities that the patient has.
        weights: Positive where the modality raised the score; they sum to `score` − `baseline`.
        score: Of the patient as he is.
        baseline: Of a patient of whom nothing is known.
    """

    names: tuple[str, ...]
    weights: Float[np.ndarray, " modality"]
    score: float
    baseline: float


def attribute_modalities(
    model: nn.Module, seen: Batch, score: Score, modalities: Sequence[str]
) -> ModalityAttribution:
    """Shapley values of the modalities that one patient has (Shapley 1953), from all coalitions.

    A modality out of a coalition is masked wherever the model reads it, as for a patient who
    lacks it. Coalitions are asked one after another, so memory stays that of one prediction.

    Args:
        model: Of patients who are seen once.
        seen: One patient, on the model's device.
        score: What is explained, from the logits.
        modalities: Those that the model reads.
    """
    names = tuple(name for name in modalities if bool(seen.measured(name)[1].any()))

    def game(coalitions: Bool[np.ndarray, "coalition player"]) -> Float[np.ndarray, " coalition"]:
        return np.array([worth(row) for row in coalitions])

    def worth(kept: Bool[np.ndarray, " player"]) -> float:
        left_out = [name for name, here in zip(names, kept, strict=True) if not here]
        return float(score(model(seen.without(*left_out)).logits.double())[0])

    with evaluating(model), torch.no_grad():
        return ModalityAttribution(names, *shapley(game, len(names)))
