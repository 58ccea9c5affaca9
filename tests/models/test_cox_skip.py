"""The straight way past KEMM."""

from __future__ import annotations

import numpy as np
import torch

from sequela.models.cox_skip import CoxSkip
from sequela.models.gene_components import principal_directions
from sequela.survival.cox import fit_cox
from sequela.survival.ridge_choice import BLOCK_RIDGES, chosen_ridges


def test_the_ridge_on_components_is_one_on_the_genes_themselves() -> None:
    draw = np.random.default_rng(0)
    genes = draw.normal(size=(120, 6)) @ np.diag([4.0, 3.0, 2.0, 1.0, 0.5, 0.3])
    time, event = draw.exponential(np.exp(-genes[:, 0] / 4)), draw.random(120) < 0.7
    skip = CoxSkip(0, 6, 6, learned=False, mean=True)
    directions = principal_directions(genes, 6)
    skip.directions.copy_(torch.from_numpy(directions))
    shown = genes @ skip.directions.double().numpy()
    weights = skip._dense(shown, np.full(6, True), (time, event), None)

    variance = genes.var(axis=0)
    of_components = (1 / np.square(directions).sum(axis=0)).mean()
    same = [
        fit_cox(genes, time, event, ridge=ridge * of_components / variance).coefficients
        for ridge in BLOCK_RIDGES
    ]
    apart = [np.abs(directions @ weights - one).max() for one in same]
    assert min(apart) < 1e-5 and sorted(apart)[1] > 1e-3


def test_a_relative_penalty_multiplies_that_of_its_block() -> None:
    draw = np.random.default_rng(1)
    x, block = draw.normal(size=(80, 4)), np.array([0, 0, 1, 1])
    time, event = draw.exponential(np.exp(-x[:, 0])), draw.random(80) < 0.7
    plain = chosen_ridges(x, block, time, event)
    np.testing.assert_array_equal(chosen_ridges(x, block, time, event, relative=np.ones(4)), plain)
    told = chosen_ridges(x, block, time, event, relative=np.array([1.0, 1.0, 1.0, 5.0]))
    assert told[3] == 5 * told[2] and told[0] == told[1]
