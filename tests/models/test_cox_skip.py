"""The straight way past KEMM, and the Cox model that it is."""

from __future__ import annotations

import numpy as np

from sequela.models.gene_components import principal_directions
from sequela.survival.cox import fit_cox
from sequela.survival.cox_mean import MeanPenalties, chosen_mean, fit_cox_mean
from sequela.survival.coxnet import fit_coxnet
from sequela.survival.ridge_choice import BLOCK_RIDGES, chosen_ridges


def test_the_ridge_on_components_is_one_on_the_genes_themselves() -> None:
    draw = np.random.default_rng(0)
    genes = draw.normal(size=(120, 6)) @ np.diag([4.0, 3.0, 2.0, 1.0, 0.5, 0.3])
    time, event = draw.exponential(np.exp(-genes[:, 0] / 4)), draw.random(120) < 0.7
    directions = principal_directions(genes, 6)
    length = np.linalg.norm(directions, axis=0)
    x, every = genes @ directions, np.full(6, True)
    asked = chosen_mean(x, np.zeros(6, int), length, every, time, event)
    weights = 2 * fit_cox_mean(x, asked, time, event) - fit_coxnet(x, time, event).coefficients

    variance = genes.var(axis=0)
    of_components = (1 / np.square(directions).sum(axis=0)).mean()
    same = [
        fit_cox(genes, time, event, ridge=ridge * of_components / variance).coefficients
        for ridge in BLOCK_RIDGES
    ]
    apart = [np.abs(directions @ weights - one).max() for one in same]
    assert min(apart) < 1e-5 and sorted(apart)[1] > 1e-3


def test_it_is_the_mean_of_an_elastic_net_of_few_and_a_ridge_of_all() -> None:
    draw = np.random.default_rng(2)
    x, few = draw.normal(size=(90, 5)), np.array([True, True, True, False, False])
    time, event = draw.exponential(np.exp(-x[:, 0] - x[:, 4])), draw.random(90) < 0.7
    ridges = np.array([1.0, 1.0, 10.0, 10.0, 30.0])
    mean = fit_cox_mean(x, MeanPenalties(ridges, few), time, event)
    dense = fit_cox(x, time, event, ridge=ridges).coefficients
    sparse = fit_coxnet(x[:, few], time, event).coefficients
    np.testing.assert_allclose(2 * mean[:3] - dense[:3], sparse)
    np.testing.assert_allclose(2 * mean[3:], dense[3:])


def test_a_relative_penalty_multiplies_that_of_its_block() -> None:
    draw = np.random.default_rng(1)
    x, block = draw.normal(size=(80, 4)), np.array([0, 0, 1, 1])
    time, event = draw.exponential(np.exp(-x[:, 0])), draw.random(80) < 0.7
    plain = chosen_ridges(x, block, time, event)
    np.testing.assert_array_equal(chosen_ridges(x, block, time, event, relative=np.ones(4)), plain)
    told = chosen_ridges(x, block, time, event, relative=np.array([1.0, 1.0, 1.0, 5.0]))
    assert told[3] == 5 * told[2] and told[0] == told[1]
