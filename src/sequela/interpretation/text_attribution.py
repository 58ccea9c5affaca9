"""Which words moved the risk: integrated gradients (Sundararajan et al. 2017, eq. 1)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from sequela.encoders.text import TextEncoder
from sequela.errors import UsageError
from sequela.interpretation.risk_score import Score, evaluating
from sequela.modalities.batch import Batch


@dataclass(frozen=True)
class TextAttribution:
    """How much each token moved the score.

    The weights of a patient sum to `score` minus `baseline` (completeness), up to the error of
    the numerical integral.

    Attributes:
        weights: Positive where the token raised the score; 0 where there is none.
        score: Of the texts as they are.
        baseline: Of texts of the same length in which every word is padding.
    """

    weights: Float[Tensor, "patient exam token"]
    score: Float[Tensor, " patient"]
    baseline: Float[Tensor, " patient"]


def integrated_gradients(
    model: nn.Module, batch: Batch, score: Score, *, steps: int = 32
) -> TextAttribution:
    """Attribution of the score to the tokens of every text.

    The path goes straight from embeddings of padding to those of the words; the first and the
    last token of a text, which carry no word, stand still. Gauss-Legendre nodes on the path.

    Args:
        model: A model whose text encoder stands at `text`, on the batch's device.
        batch: The exams that the model sees, in its own slots (`latest_exams`).
        score: What is explained, from the logits of each patient.
        steps: Nodes of the integral.

    Raises:
        UsageError: If the model or the batch has no texts.
    """
    encoder = reads_texts(model, batch)
    nodes, shares = np.polynomial.legendre.leggauss(steps)
    with evaluating(model), images_read_once(model, batch), moving_embeddings(encoder) as path:
        baseline, whole = (_scored(model, batch, score, path, place) for place in (0.0, 1.0))
        gradient = torch.zeros(())
        for node, share in zip((nodes + 1) / 2, shares / 2, strict=True):
            gradient = gradient + share * _gradient(model, batch, score, path, float(node))
    weights = whole.new_zeros(tuple(batch.token_mask.shape))  # type: ignore[union-attr]
    if path.difference is not None:
        weights = placed((gradient * path.difference).sum(dim=-1), batch, weights)
    return TextAttribution(weights, whole, baseline)


def reads_texts(model: nn.Module, batch: Batch) -> TextEncoder:
    """The text encoder of a model.

    Raises:
        UsageError: If the model or the batch has no texts.
    """
    encoder = getattr(model, "text", None)
    if not isinstance(encoder, TextEncoder) or batch.tokens is None or batch.text_mask is None:
        raise UsageError(
            "token attribution needs a model and a batch with texts; one of them has none",
            hint="explain a variant that reads texts, as lumin or st-r",
        )
    return encoder


def placed(
    found: Float[Tensor, "text token"], batch: Batch, weights: Float[Tensor, "patient exam _"]
) -> Float[Tensor, "patient exam _"]:
    """The weights with those of the texts that are there, each at its patient and exam."""
    rows = weights[batch.text_mask]
    rows[:, : found.shape[1]] = found.to(rows)
    weights[batch.text_mask] = rows
    return weights


@dataclass
class Walk:
    """Where on the way from padding to words the embeddings are, and what they were there."""

    place: float = 1.0
    tokens: Int[Tensor, "text token"] | None = None
    embedded: Tensor | None = None
    difference: Tensor | None = None


@contextmanager
def moving_embeddings(encoder: TextEncoder) -> Iterator[Walk]:
    """The encoder with embeddings that stand on the path, and of which gradients can be asked."""
    embedding: Any = encoder.backbone.get_input_embeddings()  # type: ignore[operator]
    path = Walk()

    def move(module: Any, inputs: tuple[Any, ...], output: Tensor) -> Tensor:
        tokens: Int[Tensor, "text token"] = inputs[0]
        path.tokens, words = tokens, words_of(tokens, encoder.pad)
        padding = module.weight[encoder.pad].detach()
        path.difference = torch.where(words[:, :, None], output.detach() - padding, 0.0)
        path.embedded = output.detach() - (1 - path.place) * path.difference
        return path.embedded.requires_grad_()

    handle = embedding.register_forward_hook(move)
    try:
        yield path
    finally:
        handle.remove()


def words_of(tokens: Int[Tensor, "text token"], pad: int) -> Bool[Tensor, "text token"]:
    """Every token but the first, the last and padding."""
    there = tokens != pad
    place = torch.arange(tokens.shape[1], device=tokens.device)
    last = torch.where(there, place, 0).amax(dim=1, keepdim=True)
    return there & (place > 0) & (place < last)


def _scored(model: nn.Module, batch: Batch, score: Score, path: Walk, place: float) -> Tensor:
    path.place = place
    with torch.no_grad():
        return score(model(batch).logits)


def _gradient(model: nn.Module, batch: Batch, score: Score, path: Walk, place: float) -> Tensor:
    path.place, path.embedded = place, None
    with torch.enable_grad():
        total = score(model(batch).logits).sum()
        if path.embedded is None:  # no patient has a text
            return torch.zeros(())
        return torch.autograd.grad(total, path.embedded)[0]


@contextmanager
def images_read_once(model: nn.Module, batch: Batch) -> Iterator[None]:
    """The image encoder's answer kept, since words do not change it."""
    encoder = getattr(model, "image", None)
    if encoder is None:
        yield
        return
    with torch.no_grad():
        answer = encoder(batch)
    encoder.forward = lambda _: answer
    try:
        yield
    finally:
        del encoder.forward
