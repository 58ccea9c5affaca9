"""The gradient of a whole batch's loss, its examples passing the model a few at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import accumulate, pairwise

import torch
from torch import Tensor, nn

from sequela.errors import UsageError
from sequela.training import processes

Outputs = tuple[Tensor, ...]
"""What a model says of some examples, a row each; all that a loss may look at."""

_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)


def backward(
    model: nn.Module,
    pieces: Sequence[Callable[[], Outputs]],
    loss: Callable[[Outputs], Tensor],
    sizes: Sequence[int],
) -> Tensor:
    """Give the parameters the gradient of the loss of all pieces together; the loss.

    All pieces but the last pass once without a graph; the loss of all outputs gives the gradient
    of each output; the last piece hands its outputs' gradient on, and then every other passes
    again, with a graph, and does so. So the activations of one piece are held at a time, and the
    gradient is that of the whole batch, if no example looks at another inside the model
    (`require_separable`).

    Args:
        model: Whose parameters they are; its buffers are left as one pass leaves them.
        pieces: Each passes some examples through the model. All but the last are called twice, and
            have to say the same both times: they seed their own randomness.
        loss: Of the outputs of the whole batch.
        sizes: How many of the batch's examples each process passes. Every process sees the outputs
            of all, and the gradient is averaged over the processes.

    Source: Gao, Zhang, Han and Callan, Scaling deep contrastive learning batch size under memory
    limited setup, RepL4NLP 2021, section 3.2.
    """
    *others, last = pieces
    with torch.no_grad():
        found = [piece() for piece in others]
    found.append(last())
    buffers = [(buffer, buffer.clone()) for buffer in model.buffers()]
    leaves = tuple(
        _leaf(processes.gathered(_concatenated(tensors), sizes))
        for tensors in zip(*found, strict=True)
    )
    value = loss(leaves)
    value.backward()  # type: ignore[no-untyped-call]
    # Every process has the loss of all: what it holds alone counts once for each of them.
    gradients = [None if leaf.grad is None else leaf.grad * len(sizes) for leaf in leaves]
    start = sum(sizes[: processes.number()])
    edges = accumulate((len(outputs[0]) for outputs in found), initial=start)
    *parts, kept = (slice(*ends) for ends in pairwise(edges))
    _hand_on(found.pop(), gradients, kept)
    for piece, part in zip(others, parts, strict=True):
        _hand_on(piece(), gradients, part)
    for buffer, before in buffers:
        buffer.copy_(before)
    processes.average_gradients(model.parameters())
    return value.detach()


def _concatenated(tensors: Sequence[Tensor]) -> Tensor:
    return torch.cat([tensor.detach() for tensor in tensors])


def _leaf(tensor: Tensor) -> Tensor:
    return tensor.detach().requires_grad_(tensor.is_floating_point())


def _hand_on(outputs: Outputs, gradients: Sequence[Tensor | None], part: slice) -> None:
    pairs = [
        (output, gradient[part])
        for output, gradient in zip(outputs, gradients, strict=True)
        if gradient is not None and output.requires_grad
    ]
    if pairs:
        torch.autograd.backward([output for output, _ in pairs], [grad for _, grad in pairs])


def freeze_norms(model: nn.Module) -> None:
    """Have every batch norm use the statistics that it has, and leave them; its weights learn."""
    for module in model.modules():
        if isinstance(module, _NORMS):
            module.eval()


def require_separable(model: nn.Module, *, frozen: bool) -> None:
    """Refuse to pass a batch in pieces where a batch norm makes its examples look at each other.

    Raises:
        UsageError: If a batch norm uses the statistics of the batch.
    """
    norms = sum(isinstance(module, _NORMS) for module in model.modules())
    if norms and not frozen:
        raise UsageError(
            f"chunk passes a batch in pieces, and the {norms} batch norms of this model would "
            "take each piece for the batch: the gradient would be another one",
            hint="set batch_norm=frozen beside chunk (with published weights: "
            "model.image.pretrained=true), or take an image encoder without batch norm "
            "(convnext_tiny), or leave chunk away",
        )
