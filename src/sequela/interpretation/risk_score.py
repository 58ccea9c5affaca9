"""The number that an explanation takes apart, and the state a model is explained in."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeAlias

from jaxtyping import Float
from torch import Tensor, nn

from sequela.models.heads import Head

Score: TypeAlias = Callable[[Float[Tensor, "patient logit"]], Float[Tensor, " patient"]]


def risk_score(head: Head) -> Score:
    """A patient's risk on a scale without a ceiling: the logit of a probability, or a logarithm.

    On the scale of probabilities, and of their logarithms, a patient at high risk has hardly a
    gradient left.
    """
    return head.score


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """The model without dropout and with fixed batch norms; its mode is put back after."""
    training = model.training
    model.eval()
    try:
        yield
    finally:
        model.train(training)
