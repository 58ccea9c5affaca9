from __future__ import annotations

import numpy as np
import pytest
import torch

from sequela.fusion.decomposition_loss import (
    DecompositionLoss,
    alignment,
    decomposition_penalty,
    decorrelation,
)


def test_decorrelation_is_the_mean_squared_correlation_of_units() -> None:
    first, second = torch.randn(2, 40, 5, dtype=torch.float64)
    correlations = np.corrcoef(first.T.numpy(), second.T.numpy())[:5, 5:]
    ours = decorrelation(first, second).item()
    np.testing.assert_allclose(ours, (correlations**2).mean(), rtol=1e-4)
    assert decorrelation(first, 3 * first + 1).item() > 5 * ours


def test_alignment_is_zero_for_parts_that_move_together() -> None:
    shared = torch.randn(40, 5, dtype=torch.float64)
    torch.testing.assert_close(alignment(shared, 2 * shared + 7), torch.zeros(()).double())
    torch.testing.assert_close(alignment(shared, -shared), torch.full((), 2.0).double())


def test_of_one_patient_nothing_is_asked() -> None:
    one = torch.randn(1, 5, requires_grad=True)
    for term in (decorrelation(one, one), alignment(one, one)):
        assert term.item() == 0


def test_only_tokens_that_are_there_and_terms_that_are_asked_for_count() -> None:
    exams = torch.ones(6, 2, dtype=torch.bool)
    exams[0, 0] = False
    vectors = {"image": torch.randn(6, 2, 4), "text": torch.randn(6, 2, 4)}
    tokens = {name: torch.randn(6, 2, 4) for name in ("image", "shared")}
    parts = {name: (token, exams) for name, token in tokens.items()}
    weights = DecompositionLoss(decorrelation=2.0)
    ours = decomposition_penalty(parts, vectors, exams, weights)
    alone = 2 * decorrelation(tokens["image"][exams], tokens["shared"][exams])
    torch.testing.assert_close(ours, alone)
    both = decomposition_penalty(parts, vectors, exams, weights.evolve(alignment=1.0))
    shared = tokens["shared"][exams]
    mean = sum(alignment(shared, vector[exams]) for vector in vectors.values()) / 2
    torch.testing.assert_close(both - ours, mean)
    assert not DecompositionLoss().asked
    with pytest.raises(ValueError, match="greater than or equal"):
        DecompositionLoss(alignment=-1.0)
