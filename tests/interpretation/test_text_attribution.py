from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from sequela.errors import UsageError
from sequela.fusion.timeline import latest_exams
from sequela.interpretation.risk_score import risk_score
from sequela.interpretation.text_attribution import integrated_gradients
from sequela.modalities.batch import Batch
from sequela.models.heads import BinaryHead
from sequela.models.lumin import Lumin

SCORE = risk_score(BinaryHead(None))


@pytest.fixture(scope="module")
def attentive(model: Lumin) -> Lumin:
    """The model with larger embeddings, so that words matter."""
    assert model.text is not None
    embedding = model.text.backbone.get_input_embeddings()  # type: ignore[operator]
    with torch.no_grad():
        embedding.weight.mul_(20)
    return model


def test_the_weights_sum_to_the_difference_that_the_words_make(
    attentive: Lumin, seen: Batch
) -> None:
    def error(steps: int) -> Tensor:
        found = integrated_gradients(attentive, seen, SCORE, steps=steps)
        moved = found.score - found.baseline
        assert moved[:2].abs().min() > 1e-3
        assert moved[2] == 0
        return ((found.weights.sum(dim=(1, 2)) - moved)[:2] / moved[:2]).abs().max()

    # The integrand has kinks (ReLU), so that the nodes approach the integral, and no faster.
    assert error(64) < 0.01
    assert error(64) < error(1) / 10


def test_score_and_baseline_are_those_of_the_texts_and_of_padding(
    attentive: Lumin, seen: Batch
) -> None:
    found = integrated_gradients(attentive, seen, SCORE, steps=2)
    with torch.no_grad():
        torch.testing.assert_close(found.score, attentive(seen).logits[:, 0])
        # No attention mask hides the padding of the baseline: only its embedding is that of pad.
        embedding = attentive.text.backbone.get_input_embeddings()  # type: ignore[union-attr,operator]
        kept = embedding.weight.clone()
        embedding.weight[5:] = embedding.weight[1]
        try:
            torch.testing.assert_close(found.baseline, attentive(seen).logits[:, 0])
        finally:
            embedding.weight.copy_(kept)


def test_only_words_have_a_weight(attentive: Lumin, seen: Batch) -> None:
    weights = integrated_gradients(attentive, seen, SCORE, steps=4).weights
    assert seen.tokens is not None
    assert seen.token_mask is not None
    words = seen.token_mask & seen.text_mask[:, :, None] & (seen.tokens >= 5)  # type: ignore[index]
    assert bool((weights != 0)[words].all())
    assert not weights[~words].any()


def test_a_patient_alone_has_the_weights_of_the_batch(attentive: Lumin, batch: Batch) -> None:
    whole = integrated_gradients(attentive, latest_exams(batch, 2), SCORE, steps=4)
    second = Batch(
        **{name: value[1:2] for name, value in vars(batch).items() if isinstance(value, Tensor)}
    )
    alone = integrated_gradients(attentive, latest_exams(second, 2), SCORE, steps=4)
    torch.testing.assert_close(alone.weights[0], whole.weights[1], rtol=1e-3, atol=1e-6)


def test_the_model_is_as_it_was(attentive: Lumin, seen: Batch) -> None:
    before = attentive(seen).logits
    integrated_gradients(attentive, seen, SCORE, steps=2)
    torch.testing.assert_close(attentive(seen).logits, before)
    assert "forward" not in vars(attentive.image)
    assert all(parameter.grad is None for parameter in attentive.parameters())


def test_patients_without_texts_have_no_weights(attentive: Lumin, seen: Batch) -> None:
    none = replace(seen, text_mask=torch.zeros_like(seen.text_mask))  # type: ignore[arg-type]
    found = integrated_gradients(attentive, none, SCORE, steps=2)
    assert not found.weights.any()
    torch.testing.assert_close(found.score, found.baseline)


def test_a_model_without_texts_is_refused(seen: Batch) -> None:
    with pytest.raises(UsageError, match="texts"):
        integrated_gradients(nn.Linear(1, 1), seen, SCORE)
