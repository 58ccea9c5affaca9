"""Which words were attended to where it mattered: gradient × attention. Weak evidence.

Attention says which words a layer mixed, not what it took from them; the weights have no sign and
no sum to check (Jain & Wallace 2019). They stand beside integrated gradients, never instead.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from sequela.encoders.text import TextEncoder
from sequela.errors import UsageError
from sequela.interpretation.risk_score import Score, evaluating
from sequela.interpretation.text_attribution import (
    images_read_once,
    moving_embeddings,
    placed,
    reads_texts,
    words_of,
)
from sequela.modalities.batch import Batch


def gradient_attention(
    model: nn.Module, batch: Batch, score: Score
) -> Float[Tensor, "patient exam token"]:
    """How much each word reached the text's vector by attention that the score depends on.

    Layer by layer the relevance R starts as the identity and grows by A⁺ R, where A⁺ is the mean
    over heads of attention times its gradient, cut at 0 (Chefer et al. 2021, eqs. 5 and 6); the
    row of the first token is given.

    Args:
        model: A model whose text encoder stands at `text`, on the batch's device.
        batch: The exams that the model sees, in its own slots (`latest_exams`).
        score: What is explained, from the logits of each patient.

    Raises:
        UsageError: If the model or the batch has no texts, or the encoder shows no attention.
    """
    encoder = reads_texts(model, batch)
    weights = batch.day.new_zeros(tuple(batch.token_mask.shape))  # type: ignore[union-attr]
    with (
        evaluating(model),
        images_read_once(model, batch),
        moving_embeddings(encoder) as path,
        _attention(encoder) as seen,
        torch.enable_grad(),
    ):
        total = score(model(batch).logits).sum()
        if path.tokens is None:  # no patient has a text
            return weights
        gradients = torch.autograd.grad(total, seen)
    relevance = torch.eye(seen[0].shape[-1], device=weights.device).expand(len(seen[0]), -1, -1)
    for attention, gradient in zip(seen, gradients, strict=True):
        passed = (attention.detach() * gradient).clamp(min=0).mean(dim=1)
        relevance = relevance + passed @ relevance
    found = torch.where(words_of(path.tokens, encoder.pad), relevance[:, 0], 0.0)
    return placed(found, batch, weights)


@contextmanager
def _attention(encoder: TextEncoder) -> Iterator[list[Tensor]]:
    """The attention of each layer, computed plainly so that it can be seen, while the block runs.

    Raises:
        UsageError: If the encoder keeps it to itself.
    """
    backbone: Any = encoder.backbone
    usual, told = backbone.config._attn_implementation, backbone.config.output_attentions
    seen: list[Tensor] = []

    def keep(_module: Any, _inputs: Any, output: Any) -> None:
        if not output.attentions or output.attentions[0] is None:
            raise UsageError(
                "gradient × attention needs a text encoder that shows its attention",
                hint="set explain.attention=false; integrated gradients need none",
            )
        seen.extend(output.attentions)

    handle = backbone.register_forward_hook(keep)
    backbone.set_attn_implementation("eager")
    backbone.config.output_attentions = True
    try:
        yield seen
    finally:
        handle.remove()
        backbone.config.output_attentions = told
        backbone.set_attn_implementation(usual)
