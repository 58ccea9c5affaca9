"""What queries gather, in one piece or many, adapted or not, is the textbook's."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sequela.fusion import gathering
from sequela.fusion.gathering import gather

QUERIES, WIDTH, FEATURE = 3, 5, 8


def bags(*sizes: int, feature: int) -> tuple[Tensor, Tensor]:
    torch.manual_seed(1)
    mask = torch.arange(max(sizes)) < torch.tensor(sizes)[:, None]
    return torch.randn(*mask.shape, feature, dtype=torch.float64), mask


def textbook(queries: Tensor, values: Tensor, mask: Tensor, adapter: nn.Linear | None) -> Tensor:
    seen = values if adapter is None else F.relu(adapter(values))
    scores = (queries @ seen.transpose(1, 2)).masked_fill(~mask[:, None], -torch.inf)
    return scores.softmax(dim=2) @ seen


@pytest.mark.parametrize("adapted", [False, True])
@pytest.mark.parametrize("sizes", [(50,), (50, 3, 20)])
@pytest.mark.parametrize("held", [10**6, 60])
def test_values_and_gradients_are_the_textbooks(
    monkeypatch: pytest.MonkeyPatch, adapted: bool, sizes: tuple[int, ...], held: int
) -> None:
    """Also where gradients of adapted values are made in pieces."""
    monkeypatch.setattr(gathering, "PIECE", 16)
    adapter = nn.Linear(FEATURE, WIDTH).double() if adapted else None
    given, mask = bags(*sizes, feature=FEATURE if adapted else WIDTH)
    asked = torch.randn(len(sizes), QUERIES, WIDTH, dtype=torch.float64)
    weights = [] if adapter is None else [adapter.weight, adapter.bias]
    results = []
    for form in (lambda *inputs: gather(*inputs, held=held), textbook):
        queries, values = asked.clone().requires_grad_(), given.clone().requires_grad_()
        found = form(queries, values, mask, adapter)
        slope = torch.linspace(-1, 1, found.numel(), dtype=torch.float64).view_as(found)
        results.append(
            [found, *torch.autograd.grad((found * slope).sum(), [queries, values, *weights])]
        )
    for ours, theirs in zip(*results, strict=True):
        torch.testing.assert_close(ours, theirs)
    with torch.inference_mode():
        torch.testing.assert_close(
            gather(asked, given, mask, adapter, held), results[1][0].detach()
        )


@pytest.mark.parametrize("held", [10**6, 12])
def test_gradients_are_those_of_differences(held: int) -> None:
    values, mask = bags(6, 2, feature=3)
    queries = torch.randn(2, 2, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(gather, (queries, values.requires_grad_(), mask, None, held))


@pytest.mark.parametrize("held", [10**6, 8])
def test_large_scores_do_not_overflow(held: int) -> None:
    values, mask = bags(20, feature=24)
    queries = torch.full((1, 1, 24), 1e3)
    assert torch.isfinite(gather(queries, values.float() * 1e3, mask, held=held)).all()


@pytest.mark.parametrize("held", [10**6, 100])
def test_a_patient_without_values_gathers_something_finite_and_has_no_gradient(held: int) -> None:
    values, mask = bags(30, 1, feature=WIDTH)
    mask[1] = False
    queries = torch.randn(2, QUERIES, WIDTH, dtype=torch.float64, requires_grad=True)
    found = gather(queries, values, mask, held=held)
    assert torch.isfinite(found).all()
    (gradient,) = torch.autograd.grad(found[0].sum(), queries)
    assert (gradient[1] == 0).all()


@pytest.mark.parametrize("held", [10**6, 600])
def test_half_precision_is_the_textbooks_to_its_own_rounding(held: int) -> None:
    """Also under autocast, forward and backward."""
    values, mask = bags(400, feature=64)
    asked = torch.randn(1, QUERIES, 64, dtype=torch.float64) / 8
    results = []
    for form in ("textbook", "half", "autocast"):
        dtype = {"textbook": torch.float64, "half": torch.bfloat16, "autocast": torch.float32}[form]
        queries = asked.to(dtype).requires_grad_()
        with torch.autocast("cpu", torch.bfloat16, enabled=form == "autocast"):
            make = textbook if form == "textbook" else lambda *inputs: gather(*inputs, held=held)
            found = make(queries, values.to(dtype), mask, None)
        (gradient,) = torch.autograd.grad(found.double().square().sum(), queries)
        results.append((found.double(), gradient.double()))
    for found, gradient in results[1:]:
        torch.testing.assert_close(found, results[0][0], rtol=0.02, atol=0.02)
        torch.testing.assert_close(gradient, results[0][1], rtol=0.05, atol=0.05)
