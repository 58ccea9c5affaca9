from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch

from sequela.errors import UsageError
from sequela.modalities.batch import Batch
from sequela.models.build import build_model, variant
from sequela.models.lumin import CROSS_MODAL, TEMPORAL, Lumin, LuminConfig
from sequela.models.removal import minus, removable, removed

MakeBatch = Callable[..., Batch]


def built(config: LuminConfig) -> Lumin:
    torch.manual_seed(0)
    model = build_model(config, 2)
    assert isinstance(model, Lumin)
    return model.eval()


@pytest.mark.parametrize("part", [*CROSS_MODAL, *TEMPORAL, "te-dke", "images", "texts"])
def test_every_part_that_is_taken_away_matters_and_comes_back(
    part: str, full: LuminConfig, make_batch: MakeBatch
) -> None:
    model, batch = built(full), make_batch()
    whole = model(batch)
    with removed(model, part):
        less = model(batch)
    assert not torch.allclose(whole.logits[0], less.logits[0])
    assert torch.equal(model(batch).logits, whole.logits)


@pytest.mark.parametrize("part", [*CROSS_MODAL, *TEMPORAL])
def test_a_removed_part_is_masked_and_nothing_of_its_weights_is_left(
    part: str, full: LuminConfig, make_batch: MakeBatch
) -> None:
    model, batch = built(full), make_batch()
    with removed(model, part):
        before = model(batch)
        with torch.no_grad():
            for name, parameter in model.named_parameters():
                if f".parts.{part}." in name:
                    parameter.normal_()
        after = model(batch)
    assert torch.equal(before.logits, after.logits)
    masked = {name for name, mask in after.masks.items() if not mask.any()}
    assert masked == {name for name in after.parts if name.partition("@")[0] == part}


def test_removed_images_are_those_of_patients_who_have_none(
    full: LuminConfig, make_batch: MakeBatch
) -> None:
    model, batch = built(full), make_batch()
    assert batch.view_mask is not None
    blind = replace(batch, view_mask=torch.zeros_like(batch.view_mask))
    with removed(model, "images"):
        less = model(batch).logits
    torch.testing.assert_close(less, model(blind).logits)


def test_a_variant_loses_only_what_it_has(full: LuminConfig) -> None:
    images = variant("st-i", full)
    assert removable(images) == ()
    assert removable(variant("lumin-m", full)) == (*CROSS_MODAL, "images", "texts")
    with pytest.raises(UsageError, match="no part varying"), removed(built(images), "varying"):
        pass
    assert minus("lumin", "varying") == "lumin minus varying (at inference)"


def test_only_lumin_has_parts(full: LuminConfig) -> None:
    model = build_model(variant("mirai", full), 6)
    with pytest.raises(UsageError, match="no part images"), removed(model, "images"):
        pass
