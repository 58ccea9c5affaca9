"""Laws of the transport plan: its marginals, its cost, and what it never moves."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.optimize import linprog

from sequela.fusion.kecm import Masked
from sequela.fusion.transport import TransportAttention, transport

ROWS = torch.tensor([[True, True, True], [True, True, False]])
COLUMNS = torch.tensor([[True] * 5, [True] * 4 + [False]])


def cost() -> torch.Tensor:
    torch.manual_seed(0)
    return torch.rand(2, 3, 5, dtype=torch.float64)


def test_a_strict_plan_has_uniform_marginals_and_moves_nothing_that_is_masked() -> None:
    plan = transport(cost(), ROWS, COLUMNS, 0.1, math.inf, 500)
    rows = ROWS / ROWS.sum(dim=1, keepdim=True).double()
    columns = COLUMNS / COLUMNS.sum(dim=1, keepdim=True).double()
    torch.testing.assert_close(plan.sum(dim=2), rows)
    torch.testing.assert_close(plan.sum(dim=1), columns)
    assert (plan >= 0).all()


def test_with_little_entropy_the_plan_costs_what_linear_programming_finds() -> None:
    costs = cost()[:1]
    plan = transport(costs, ROWS[:1], COLUMNS[:1], 2e-3, math.inf, 3000)
    rows = np.kron(np.eye(3), np.ones(5))
    columns = np.kron(np.ones(3), np.eye(5))
    masses = np.concatenate([np.full(3, 1 / 3), np.full(5, 1 / 5)])
    best = linprog(costs.flatten().numpy(), A_eq=np.concatenate([rows, columns]), b_eq=masses)
    assert float((plan * costs).sum()) == pytest.approx(best.fun, rel=5e-3)


def test_a_loose_plan_satisfies_its_own_optimality_and_tightens_with_its_weight() -> None:
    """Where the objective is least, eps log P + C + m log(marginal / wanted) is 0 for both."""
    costs, entropy, weight = cost()[:1], 0.1, 0.5
    plan = transport(costs, ROWS[:1], COLUMNS[:1], entropy, weight, 2000)
    of_rows = (plan.sum(dim=2) * 3).log()
    of_columns = (plan.sum(dim=1) * 5).log()
    slope = entropy * plan.log() + costs + weight * (of_rows[:, :, None] + of_columns[:, None])
    torch.testing.assert_close(slope, torch.zeros_like(slope), atol=1e-6, rtol=0)
    far = [
        float(
            (transport(costs, ROWS[:1], COLUMNS[:1], entropy, m, 3000).sum(2) - 1 / 3).abs().max()
        )
        for m in (0.1, 1.0, 10.0)
    ]
    assert far[0] > far[1] > far[2]


def test_shares_of_a_query_sum_to_one_over_what_is_there() -> None:
    torch.manual_seed(0)
    queries = Masked(torch.randn(2, 3, 4), ROWS)
    shares = TransportAttention().weights(queries, Masked(torch.randn(2, 5, 4), COLUMNS))
    torch.testing.assert_close(shares.sum(dim=2), ROWS.float())
    assert (shares[1, :, 4] == 0).all()
