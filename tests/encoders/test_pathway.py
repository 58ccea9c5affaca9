"""The packed encoder is the loop of small networks, in values and gradients."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sequela.encoders.pathway import Membership, PathwayEncoder, alpha_dropout

GENES = [f"G{number}" for number in range(30)]
SETS = {
    "large": GENES[:25],
    "small": ["G3", "G29"],
    "one": ["G7"],
    "unknown": ["X1", "X2"],
    "middle": GENES[10:22],
    "alike": GENES[4:15],
}


class Loop(nn.Module):
    """One small network a set, as everybody writes it."""

    def __init__(self, packed: PathwayEncoder) -> None:
        super().__init__()
        self.activation = nn.ELU() if packed.rival else nn.SELU()
        self.columns = packed.membership.genes
        self.first, self.second = nn.ModuleList(), nn.ModuleList()
        rows = [row for block in packed.first for row in block]
        for place, columns in enumerate(self.columns):
            first = nn.Linear(len(columns), packed.hidden)
            second = nn.Linear(packed.hidden, packed.second.shape[2])
            first.weight.data = rows[place][: len(columns)].T.clone()
            first.bias.data = packed.first_bias[place].clone()
            second.weight.data = packed.second[place].T.clone()
            second.bias.data = packed.second_bias[place].clone()
            self.first.append(first)
            self.second.append(second)

    def forward(self, genes: Tensor) -> Tensor:
        return torch.stack(
            [
                self.activation(second(self.activation(first(genes[:, list(columns)]))))
                for columns, first, second in zip(
                    self.columns, self.first, self.second, strict=True
                )
            ],
            dim=1,
        )


def packed(dropout: float = 0.0, rival: bool = False) -> PathwayEncoder:
    torch.manual_seed(0)
    sets = Membership.of(SETS, GENES)
    return PathwayEncoder(sets, len(GENES), hidden=6, dim=5, dropout=dropout, rival=rival)


@pytest.mark.parametrize("rival", [False, True])
def test_it_equals_the_loop_in_values_and_gradients(rival: bool) -> None:
    encoder = packed(rival=rival)
    nn.init.normal_(encoder.first_bias)
    loop = Loop(encoder)
    genes = torch.randn(4, 30)
    mine, mask = encoder(genes, torch.ones(4, 30, dtype=torch.bool))
    theirs = loop(genes)
    torch.testing.assert_close(mine, theirs)
    assert mask.all()
    assert encoder.membership.sets == ("one", "small", "alike", "middle", "large")
    slope = torch.randn_like(mine)
    (mine * slope).sum().backward()
    (theirs * slope).sum().backward()
    for place, (first, second) in enumerate(zip(loop.first, loop.second, strict=True)):
        assert isinstance(first, nn.Linear)
        assert isinstance(second, nn.Linear)
        torch.testing.assert_close(encoder.first_bias.grad[place], first.bias.grad)  # type: ignore[index]
        torch.testing.assert_close(encoder.second.grad[place].T, second.weight.grad)  # type: ignore[index]
    total = sum(float(first.weight.grad.square().sum()) for first in loop.first)  # type: ignore[union-attr,operator]
    ours = sum(float(block.grad.square().sum()) for block in encoder.first)  # type: ignore[union-attr]
    torch.testing.assert_close(ours, total)


def test_weights_of_padding_stay_zero() -> None:
    encoder = packed()
    padding = encoder.columns == 30
    assert padding.any()
    optimizer = torch.optim.AdamW(encoder.parameters(), lr=0.1)
    encoder(torch.randn(4, 30), torch.ones(4, 30, dtype=torch.bool))[0].sum().backward()
    optimizer.step()
    weights = torch.cat([block.flatten(0, 1) for block in encoder.first])
    assert (weights[padding] == 0).all()


def test_a_set_is_there_if_one_of_its_genes_was_measured_and_others_do_not_matter() -> None:
    encoder = packed()
    genes = torch.randn(1, 30)
    mask = torch.zeros(1, 30, dtype=torch.bool)
    mask[0, 29] = True
    vectors, there = encoder(genes, mask)
    named = dict(zip(encoder.membership.sets, there[0].tolist(), strict=True))
    assert named == {"one": False, "small": True, "alike": False, "middle": False, "large": False}
    other = torch.where(mask, genes, 7.0)
    torch.testing.assert_close(encoder(other, mask)[0], vectors)


def test_units_of_the_vectors_are_dropped_for_rivals_alone() -> None:
    for rival in (False, True):
        encoder = packed(dropout=0.25, rival=rival)
        genes = torch.randn(400, 30)
        vectors, _ = encoder.train()(genes, torch.ones(400, 30, dtype=torch.bool))
        share = float((vectors == vectors.min()).double().mean())
        assert share == pytest.approx(0.25 if rival else 0.0, abs=0.02)


def test_a_patient_alone_equals_the_patient_in_a_batch() -> None:
    encoder = packed()
    genes, mask = torch.randn(3, 30), torch.rand(3, 30) > 0.3
    together = encoder(genes, mask)[0]
    alone = torch.cat([encoder(genes[i : i + 1], mask[i : i + 1])[0] for i in range(3)])
    torch.testing.assert_close(together, alone)


def test_alpha_dropout_is_pytorchs_in_what_it_drops_to_and_keeps_mean_and_variance() -> None:
    torch.manual_seed(0)
    state = F.selu(torch.randn(400_000, dtype=torch.float64)).requires_grad_()
    found = alpha_dropout(state, 0.25)
    theirs = F.alpha_dropout(state, 0.25, training=True)
    low, low_of_theirs = found.min(), theirs.min()
    torch.testing.assert_close(low, low_of_theirs)
    assert abs(float((found == low).double().mean()) - 0.25) < 0.005
    kept = found > low
    scale = torch.autograd.grad(found.sum(), state)[0]
    assert (scale[~kept] == 0).all()
    torch.testing.assert_close(found.detach().mean(), state.detach().mean(), atol=0.01, rtol=0)
    torch.testing.assert_close(found.detach().var(), state.detach().var(), atol=0.01, rtol=0)
    both = kept & (theirs > low_of_theirs)
    torch.testing.assert_close(found[both], theirs[both])
