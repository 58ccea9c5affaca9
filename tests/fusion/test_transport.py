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


def test_what_a_strict_plan_takes_for_a_query_sums_to_one_over_what_is_there() -> None:
    torch.manual_seed(0)
    queries = Masked(torch.randn(2, 3, 4), ROWS)
    strict = TransportAttention(marginals=math.inf, iterations=300)
    taken = strict.weights(queries, Masked(torch.randn(2, 5, 4), COLUMNS))
    torch.testing.assert_close(taken.sum(dim=2), ROWS.float())
    assert (taken[1, :, 4] == 0).all()


def test_queries_gather_what_the_published_plan_moves_to_them() -> None:
    """Scaling in turn by powers, until nothing moves, of one bag and its gene sets (NumPy)."""
    torch.manual_seed(0)
    genes, patches = torch.randn(6, 8), 3 * torch.relu(torch.randn(30, 8))
    raised = [
        (one - one.min(dim=1, keepdim=True).values).double().numpy() for one in (patches, genes)
    ]
    cost = ((raised[0][:, None] - raised[1][None]) ** 2).sum(axis=2)
    kernel = np.exp(-cost / cost.max() / 0.1)
    power = 0.5 / (0.5 + 0.1)
    of_patches, of_genes = np.ones(30) / 30, np.ones(6) / 6
    for _ in range(1000):
        of_patches = (1 / 30 / (kernel @ of_genes)) ** power
        of_genes = (1 / 6 / (kernel.T @ of_patches)) ** power
    flow = of_patches[:, None] * kernel * of_genes
    queries, values = (
        Masked(one[None], torch.ones((1, len(one)), dtype=torch.bool)) for one in (genes, patches)
    )
    gathered = TransportAttention()(queries, values).values[0]
    expected = torch.tensor(flow.T @ patches.double().numpy() * 6).float()
    torch.testing.assert_close(gathered, expected, rtol=1e-3, atol=1e-5)
    assert flow.sum(axis=0).std() > 1e-3  # queries differ in how much reaches them


def test_the_plan_is_not_differentiated_and_what_it_gathers_is() -> None:
    torch.manual_seed(0)
    genes, patches = (torch.randn(1, count, 4, requires_grad=True) for count in (3, 5))
    tokens = (Masked(genes, ROWS[:1]), Masked(patches, COLUMNS[:1]))
    attention = TransportAttention()
    attention(*tokens).values.sum().backward()
    assert genes.grad is None
    assert patches.grad is not None
    moved = attention.weights(*tokens).detach().sum(dim=1)[0]
    torch.testing.assert_close(patches.grad[0], moved[:, None].expand(5, 4))
