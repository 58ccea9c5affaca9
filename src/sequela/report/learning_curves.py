"""Training and validation loss over the epochs of a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.ticker import MaxNLocator

from sequela.report.svg import COLOURS, canvas, inline, styled


def learning_figure(epochs: Sequence[Mapping[str, Any]], name: str, run: str) -> str:
    """The losses of a run as inline SVG.

    Args:
        epochs: Lines of `log.jsonl`.
        name: Unique on the page.
        run: The run's name.
    """
    numbers = [int(epoch["epoch"]) for epoch in epochs]
    training = [float(epoch["train_loss"]) for epoch in epochs]
    validated = [
        (int(epoch["epoch"]), float(epoch["validation"]["loss"]))
        for epoch in epochs
        if "loss" in epoch.get("validation", {})
    ]
    with styled():
        figure, (axis,) = canvas(2.5)
        axis.plot(
            numbers, training, "o-", color=COLOURS["series-1"], markersize=3, label="training"
        )
        if validated:
            axis.plot(
                [number for number, _ in validated],
                [loss for _, loss in validated],
                "s--",
                color=COLOURS["series-2"],
                markersize=3,
                label="validation",
            )
        axis.set_xlabel("epoch")
        axis.set_ylabel("loss")
        axis.xaxis.set_major_locator(MaxNLocator(integer=True))
        axis.legend(loc="best")
        return inline(figure, name, _described(numbers, training, run))


def _described(numbers: Sequence[int], training: Sequence[float], run: str) -> str:
    return (
        f"Learning curve of {run}: training loss from {training[0]:.3f} to {training[-1]:.3f} "
        f"over {len(numbers)} epochs"
    )
