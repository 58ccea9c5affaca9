from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import nn

from sequela.encoders.image import ImageEncoder, ImageEncoderConfig, normalised
from sequela.errors import UsageError
from sequela.fusion.timeline import latest_exams
from sequela.interpretation.grad_cam import Stage, fine_stage, grad_cam
from sequela.interpretation.risk_score import risk_score
from sequela.modalities.batch import Batch
from sequela.models.heads import BinaryHead
from sequela.models.lumin import Lumin
from sequela.models.output import Output

SCORE = risk_score(BinaryHead(None))


class LastExam(nn.Module):
    """The image encoder's vector of the last exam, through one linear layer."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.image = ImageEncoder(ImageEncoderConfig(name=name), 6)
        self.output = nn.Linear(6, 1)

    def forward(self, batch: Batch) -> Output:
        return Output(self.output(self.image(batch)[0][:, -1]))


@pytest.mark.parametrize("name", ["test_resnet", "test_byobnet"])
def test_it_is_the_class_activation_map_where_pooling_is_followed_by_linear_layers(
    seen: Batch, name: str
) -> None:
    torch.manual_seed(0)
    model = LastExam(name).eval()
    assert seen.views is not None
    with torch.no_grad():
        features = model.image.backbone.forward_features(normalised(seen.views[0, 1]))
        channels = (model.output.weight @ model.image.projection.weight)[0]
        places = features.shape[2] * features.shape[3]
        # The mean over four views, and the mean over places that pooling takes.
        by_hand = torch.einsum("c,vchw->vhw", channels, features) / (4 * places)
    assert by_hand.any()
    for sign in (1, -1):
        maps = grad_cam(model, seen, lambda logits, sign=sign: sign * logits[:, 0], cells=1)
        torch.testing.assert_close(maps[0, 1], (sign * by_hand).relu())
        assert not maps[0, 0].any()


def test_small_images_are_mapped_by_the_deepest_stage_with_cells_enough(seen: Batch) -> None:
    torch.manual_seed(0)
    model = LastExam("test_resnet").eval()
    backbone = model.image.backbone
    assert fine_stage(backbone, 512) is None
    assert fine_stage(backbone, 2) is None, "no stage is fine enough: the last has to do"
    assert seen.views is not None
    size = seen.views.shape[-1]
    kept: list[torch.Tensor] = []
    handle = backbone.layer2.register_forward_hook(lambda *passed: kept.append(passed[2]))
    total = model(seen).logits.sum()
    handle.remove()
    assert fine_stage(backbone, size, size // 8) == Stage("layer2", kept[0].shape[1])
    (gradient,) = torch.autograd.grad(total, kept[0])
    by_hand = (gradient.mean(dim=(2, 3), keepdim=True) * kept[0]).sum(dim=1).relu()
    maps = grad_cam(model, seen, lambda logits: logits[:, 0], cells=size // 8)
    assert maps.shape[-2:] == (size // 8, size // 8)
    assert by_hand.any()
    torch.testing.assert_close(maps[seen.view_mask], by_hand.detach())


def test_slots_without_a_view_hold_nothing_and_change_nothing(model: Lumin, seen: Batch) -> None:
    assert seen.views is not None
    assert seen.view_mask is not None
    maps = grad_cam(model, seen, SCORE)
    assert maps[seen.view_mask].amax() > 0
    assert not maps[~seen.view_mask].any()
    views = torch.where(seen.view_mask[..., None, None], seen.views, 1e6)
    torch.testing.assert_close(grad_cam(model, replace(seen, views=views), SCORE), maps)


def test_a_patient_alone_has_the_maps_of_the_batch(model: Lumin, batch: Batch) -> None:
    whole = grad_cam(model, latest_exams(batch, 2), SCORE)
    first = Batch(**{name: value[:1] for name, value in vars(batch).items() if value is not None})
    alone = grad_cam(model, latest_exams(first, 2), SCORE)
    torch.testing.assert_close(alone[0], whole[0], rtol=1e-4, atol=1e-8)


def test_the_model_is_as_it_was(model: Lumin, seen: Batch) -> None:
    assert model.image is not None
    before = model(seen).logits
    model.train()
    grad_cam(model, seen, SCORE)
    assert model.training
    assert "forward_features" not in vars(model.image.backbone)
    assert all(parameter.grad is None for parameter in model.parameters())
    torch.testing.assert_close(model.eval()(seen).logits, before)


def test_patients_without_images_have_no_map(model: Lumin, seen: Batch) -> None:
    assert seen.view_mask is not None
    none = replace(seen, view_mask=torch.zeros_like(seen.view_mask))
    assert not grad_cam(model, none, SCORE).any()


def test_a_network_without_a_grid_is_refused(seen: Batch) -> None:
    with pytest.raises(UsageError, match="feature map"):
        grad_cam(LastExam("test_vit"), replace(seen, views=torch.rand(3, 2, 4, 160, 160)), SCORE)


def test_a_model_without_images_is_refused(seen: Batch) -> None:
    with pytest.raises(UsageError, match="images"):
        grad_cam(nn.Linear(1, 1), seen, SCORE)
