from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from jaxtyping import Float
from torch import Tensor

from sequela.errors import UsageError
from sequela.interpretation.attention_attribution import gradient_attention
from sequela.modalities.batch import Batch
from sequela.models.lumin import Lumin


def first_logit(logits: Float[Tensor, "patient logit"]) -> Float[Tensor, " patient"]:
    return logits[:, 0]


def test_only_words_that_are_there_have_weight_and_none_is_negative(
    model: Lumin, seen: Batch
) -> None:
    found = gradient_attention(model, seen, first_logit)
    assert seen.token_mask is not None and seen.tokens is not None
    assert (found >= 0).all()
    assert found[0].sum() > 0
    assert not found[~seen.token_mask].any()
    assert not found[2].any()
    assert not found[:, :, 0].any()


def test_one_layer_one_head_is_attention_times_gradient(model: Lumin, seen: Batch) -> None:
    """With the second layer's attention cut off, the row is that of the first layer's alone."""
    found = gradient_attention(model, seen, first_logit)
    backbone = model.text.backbone  # type: ignore[union-attr]
    backbone.set_attn_implementation("eager")
    try:
        inputs = (seen.tokens[seen.text_mask], seen.token_mask[seen.text_mask])  # type: ignore[index]
        kept: list[Tensor] = []
        hook = backbone.register_forward_hook(lambda _, __, out: kept.extend(out.attentions))
        backbone.config.output_attentions = True
        total = model(seen).logits.sum()
        gradients = torch.autograd.grad(total, kept)
        hook.remove()
    finally:
        backbone.config.output_attentions = False
        backbone.set_attn_implementation("sdpa")
    first, second = (
        (a.detach() * g).clamp(min=0).mean(dim=1) for a, g in zip(kept, gradients, strict=True)
    )
    row = (first + second + second @ first)[0, 0]
    length = int(inputs[1][0].sum())
    torch.testing.assert_close(found[0, 0, 1 : length - 1], row[1 : length - 1])


def test_the_model_is_left_as_it_was(model: Lumin, seen: Batch) -> None:
    before = model(seen).logits
    gradient_attention(model, seen, first_logit)
    config = model.text.backbone.config  # type: ignore[union-attr]
    assert (config._attn_implementation, config.output_attentions) == ("sdpa", False)
    assert torch.equal(model(seen).logits, before)


def test_without_texts_there_is_nothing_to_attend_to(model: Lumin, seen: Batch) -> None:
    deaf = replace(seen, tokens=None, token_mask=None, text_mask=None)
    with pytest.raises(UsageError, match="texts"):
        gradient_attention(model, deaf, first_logit)
