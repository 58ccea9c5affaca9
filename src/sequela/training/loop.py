"""The one loop: every objective, every model, resumable bit for bit."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import nn

from sequela.errors import DataError, DivergedError, InterruptedRunError
from sequela.modalities.batch import Batch
from sequela.training.checkpoint import Epoch, Position, read_state, write_state
from sequela.training.fitting import (
    FitSettings,
    MachineSettings,
    build_optimizer,
    schedule,
    set_rates,
)
from sequela.training.interruption import stop_requests
from sequela.training.loading import Inputs, load_batch, read_ahead
from sequela.training.objectives import Objective
from sequela.training.sampling import Rows, keyed_seed

Keep = Callable[[nn.Module, Epoch], None]
"""What is done with the weights of an epoch that is better than all before."""
Report = Callable[[Sequence[Epoch]], None]
"""What is done with the epochs finished so far."""


@dataclass(frozen=True)
class Fit:
    """A model, what it is fitted to, and how.

    Attributes:
        model: With its initial weights.
        objective: What is made small.
        inputs: What training batches hold, augmented perhaps.
        plain: The same examples as they are, for validation.
        settings: How it is fitted.
        machine: Where.
    """

    model: nn.Module
    objective: Objective
    inputs: Inputs
    plain: Inputs
    settings: FitSettings
    machine: MachineSettings


def fit(
    task: Fit, state: Path, keep: Keep, report: Report, finish: Callable[[], None] = lambda: None
) -> tuple[Epoch, ...]:
    """Fit until the epochs are done or validation no longer improves.

    A process that was stopped anywhere and starts again ends in the same weights: order and
    dropout are keyed by (seed, epoch, step), and all else is in the state file.

    Args:
        task: The model and what it is fitted to.
        state: Where the state of the unfinished fit stands; removed when it is finished.
        keep: Called with the weights of the best epoch so far.
        report: Called with all finished epochs, at the start and after every epoch.
        finish: Called when no epoch is left, before the state is removed: again after a stop.

    Raises:
        DivergedError: If a loss is not a number.
        InterruptedRunError: If the process was asked to stop; the state is saved.
    """
    device = task.machine.torch_device()
    if device.type == "cuda":
        torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark = True, False
    model = task.model.to(device)
    optimizer = build_optimizer(model, task.settings)
    loop = _Loop(task, model, optimizer, device, state)
    position = read_state(state, model, optimizer) if state.exists() else Position()
    loop.save(position)
    report(position.history)
    with stop_requests() as stop:
        while not _finished(position.history, task.settings):
            position = loop.epoch(position, stop)
            if _to_keep(position.history, task.settings):
                keep(model, position.history[-1])
            loop.save(position)
            report(position.history)
    finish()
    state.unlink()
    return position.history


@dataclass(frozen=True)
class _Loop:
    task: Fit
    model: nn.Module
    optimizer: torch.optim.Optimizer
    device: torch.device
    state: Path

    def save(self, position: Position) -> None:
        write_state(self.state, self.model, self.optimizer, position)

    def epoch(self, position: Position, stop: Callable[[], bool]) -> Position:
        started = time.perf_counter()
        batches = self.task.objective.training_batches(position.epoch)
        position = self._train(position, batches, stop)
        validation, position = self._validate(position)
        finished = Epoch(
            epoch=position.epoch + 1,
            train_loss=position.loss_total / position.examples,
            validation=validation,
            rates={group["rate"]: group["lr"] for group in self.optimizer.param_groups},
            data_seconds=position.data_seconds,
            compute_seconds=position.compute_seconds,
            seconds=time.perf_counter() - started,
        )
        return Position(epoch=position.epoch + 1, history=(*position.history, finished))

    def _train(
        self, position: Position, batches: Sequence[Rows], stop: Callable[[], bool]
    ) -> Position:
        self.model.train()
        saved = time.monotonic()
        steps = len(batches) * self.task.settings.epochs
        watch = _Watch(self._loaded(self.task.inputs.at(position.epoch), batches[position.step :]))
        for rows, batch in watch:
            done = position.epoch * len(batches) + position.step
            rates = set_rates(self.optimizer, schedule(done, steps, self.task.settings.warmup))
            loss = self._step(rows, batch, position, rates)
            position = replace(
                position,
                step=position.step + 1,
                loss_total=position.loss_total + loss * len(rows),
                examples=position.examples + len(rows),
            )
            if stop():
                self.save(watch.add_to(position))
                raise _interrupted(position)
            if time.monotonic() - saved > 60 * self.task.machine.save_minutes:
                self.save(watch.add_to(position))
                saved = time.monotonic()
        return watch.add_to(position)

    def _step(self, rows: Rows, batch: Batch, position: Position, rates: dict[str, float]) -> float:
        settings = self.task.settings
        torch.manual_seed(keyed_seed(settings.seed, position.epoch, position.step))
        with self._precision():
            loss = self.task.objective.loss(self.model, batch, rows)
        value = loss.item()
        if not math.isfinite(value):
            raise _diverged(value, f"epoch {position.epoch + 1}, step {position.step + 1}", rates)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        if settings.clip is not None:
            nn.utils.clip_grad_norm_(self.model.parameters(), settings.clip)
        self.optimizer.step()
        return value

    def _validate(self, position: Position) -> tuple[dict[str, float], Position]:
        self.model.eval()
        watch = _Watch(self._loaded(self.task.plain, self.task.objective.validation_batches()))
        with torch.no_grad(), self._precision():
            values = self.task.objective.validate(self.model, watch)
        select, loss = self.task.settings.select, values.get("loss", 0.0)
        if select != "last" and select not in values:
            raise DataError(
                f"epochs are to be chosen by {select}, which validation patients do not define",
                hint="set select=loss in this section, or use a larger split.validation",
            )
        if not math.isfinite(loss):
            rates = {group["rate"]: group["lr"] for group in self.optimizer.param_groups}
            raise _diverged(loss, f"validation after epoch {position.epoch + 1}", rates)
        return values, watch.add_to(position)

    def _loaded(self, inputs: Inputs, batches: Sequence[Rows]) -> Iterator[tuple[Rows, Batch]]:
        for rows, batch in read_ahead(inputs, batches, self.task.machine.workers):
            yield rows, batch.to(self.device)

    def _precision(self) -> AbstractContextManager[object]:
        if self.device.type == "cuda" and self.task.machine.precision == "bfloat16":
            return torch.autocast("cuda", torch.bfloat16)
        return nullcontext()


class _Watch:
    """Batches, and how long was waited for them and spent on them."""

    def __init__(self, batches: Iterator[tuple[Rows, Batch]]) -> None:
        self._batches = batches
        self._started = time.perf_counter()
        self._waited = 0.0

    def __iter__(self) -> Iterator[tuple[Rows, Batch]]:
        while True:
            asked = time.perf_counter()
            loaded = next(self._batches, None)
            self._waited += time.perf_counter() - asked
            if loaded is None:
                return
            yield loaded

    def add_to(self, position: Position) -> Position:
        spent = time.perf_counter() - self._started
        return replace(
            position,
            data_seconds=position.data_seconds + self._waited,
            compute_seconds=position.compute_seconds + spent - self._waited,
        )


def step_seconds(task: Fit, steps: int = 2) -> float:
    """How long a step takes here, loading included: the mean after a first one, which is slow.

    The model is changed by it and not to be used any more.
    """
    device = task.machine.torch_device()
    model = task.model.to(device).train()
    loop = _Loop(task, model, build_optimizer(model, task.settings), device, Path())
    batches = task.objective.training_batches(0)[: steps + 1]
    started = time.perf_counter()
    for done, rows in enumerate(batches):
        if done == 1:
            started = time.perf_counter()
        loop._step(rows, load_batch(task.inputs.at(0), rows).to(device), Position(), {})
    return (time.perf_counter() - started) / max(1, len(batches) - 1)


def best_epoch(history: Sequence[Epoch], settings: FitSettings) -> int:
    """The index of the epoch to keep, the earliest of equals."""
    if settings.select == "last":
        return len(history) - 1
    sign = 1 if settings.select == "loss" else -1
    scores = [sign * epoch.validation[settings.select] for epoch in history]
    return scores.index(min(scores))


def _to_keep(history: Sequence[Epoch], settings: FitSettings) -> bool:
    if settings.select == "last":
        return len(history) == settings.epochs
    return best_epoch(history, settings) == len(history) - 1


def _finished(history: Sequence[Epoch], settings: FitSettings) -> bool:
    if len(history) >= settings.epochs:
        return True
    if settings.patience is None or settings.select == "last" or not history:
        return False
    return len(history) - 1 - best_epoch(history, settings) >= settings.patience


def _diverged(value: float, where: str, rates: dict[str, float]) -> DivergedError:
    given = ", ".join(f"{name} {rate:.2g}" for name, rate in sorted(rates.items()))
    return DivergedError(
        f"the loss became {value} at {where} (learning rates: {given}); "
        "the last good state and the best epoch so far are kept",
        hint="lower the rates, set clip=1.0, or compute in float32, under another run name; "
        "if it happens at the first step, look at the prepared images",
    )


def _interrupted(position: Position) -> InterruptedRunError:
    return InterruptedRunError(
        f"stopped in epoch {position.epoch + 1} after step {position.step}; everything is saved",
        hint="run the same command again: it goes on from there and ends in the same weights",
    )
