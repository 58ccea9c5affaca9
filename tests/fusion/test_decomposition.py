from __future__ import annotations

import pytest
import torch
from torch import Tensor

from sequela.fusion.decomposition import Complementary, Orientation, Varying, temporal
from sequela.fusion.timeline import Timeline


def outer_product_form(
    part: Complementary, image: Tensor, text: Tensor, orientation: Orientation
) -> Tensor:
    """Eqs. 6 and 7 with the d x d matrix made."""
    aligned = image[:, :, None] * text[:, None, :]
    if orientation == "cohort-individual":
        aligned = aligned.transpose(1, 2)
    gate_image = part.first_gate(aligned.transpose(1, 2)).squeeze(-1)
    gate_text = part.second_gate(aligned).squeeze(-1)
    return image * torch.sigmoid(gate_image) + text * torch.sigmoid(gate_text)


@pytest.mark.parametrize("orientation", ["literal", "cohort-individual"])
def test_the_gate_equals_the_outer_product_form_in_values_and_gradients(
    orientation: Orientation,
) -> None:
    torch.manual_seed(0)
    part = Complementary(7, orientation).double()
    image, text = (torch.randn(5, 7, dtype=torch.float64, requires_grad=True) for _ in range(2))
    wanted = [image, text, *part.parameters()]
    weight = torch.randn(5, 7, dtype=torch.float64)
    ours = part(image, text)
    slow = outer_product_form(part, image, text, orientation)
    torch.testing.assert_close(ours, slow)
    torch.testing.assert_close(
        torch.autograd.grad((ours * weight).sum(), wanted),
        torch.autograd.grad((slow * weight).sum(), wanted),
    )


def test_the_two_orientations_differ() -> None:
    torch.manual_seed(0)
    literal, other = Complementary(7, "literal"), Complementary(7, "cohort-individual")
    other.load_state_dict(literal.state_dict())
    image, text = torch.randn(2, 5, 7)
    assert not torch.allclose(literal(image, text), other(image, text))


PAIR = Timeline(
    torch.ones(3, 2, dtype=torch.bool),
    torch.tensor([[-300.0, 0.0]]).expand(3, 2),
    torch.tensor([[0.0, 1.0]]).expand(3, 2),
)


def test_swapped_exams_flip_what_varies_and_leave_what_stays() -> None:
    torch.manual_seed(0)
    parts = temporal(("invariant", "varying", "first", "second"), 6, 4, exams=2)
    exams = torch.randn(3, 2, 6)
    ours, swapped = parts(exams, PAIR), parts(exams.flip(1), PAIR)
    torch.testing.assert_close(ours["invariant"], swapped["invariant"])
    varying = parts.parts["varying"]
    assert isinstance(varying, Varying)
    before = varying.project[0](varying.change(exams, PAIR))
    after = varying.project[0](varying.change(exams.flip(1), PAIR))
    assert before.abs().max() > 0.1
    torch.testing.assert_close(before, -after)
    first, second = parts.parts["first"], parts.parts["second"]
    second.load_state_dict(first.state_dict())
    ours, swapped = parts(exams, PAIR), parts(exams.flip(1), PAIR)
    torch.testing.assert_close(ours["first"], swapped["second"])
    torch.testing.assert_close(ours["second"], swapped["first"])


def test_a_steady_change_is_the_same_however_often_it_is_seen() -> None:
    """Rates over unequal gaps of a straight line are all the mean gap's change."""
    part = Varying(4, 4, exams=4)
    slope, days = torch.randn(4), torch.tensor([-900.0, -600.0, -500.0, 0.0])
    mask = torch.tensor([[True, True, True, True], [True, False, False, True]])
    timeline = Timeline(mask, days.expand(2, 4), ((days + 900) / 900).expand(2, 4))
    exams = (days[:, None] * slope).expand(2, 4, 4)
    change = part.change(exams, timeline)
    torch.testing.assert_close(change[0], -slope * 300)
    torch.testing.assert_close(change[1], -slope * 900)


def test_one_exam_changes_nothing() -> None:
    part = Varying(4, 4, exams=3)
    mask = torch.tensor([[False, False, True]])
    timeline = Timeline(mask, torch.zeros(1, 3), torch.tensor([[0.0, 0.0, 1.0]]))
    assert torch.equal(part.change(torch.randn(1, 3, 4), timeline), torch.zeros(1, 4))
