"""The one loop: every objective, every model, resumable bit for bit."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn

from sequela.errors import DataError, DivergedError, InterruptedRunError
from sequela.modalities.batch import Batch
from sequela.progress import console
from sequela.training import processes
from sequela.training.checkpoint import Epoch, Position, read_state, write_state
from sequela.training.choice import finished, to_keep
from sequela.training.fitting import (
    FitSettings,
    MachineSettings,
    build_optimizer,
    schedule,
    set_rates,
)
from sequela.training.gradient import Outputs, backward, freeze_norms, require_separable
from sequela.training.interruption import stop_requests
from sequela.training.loading import Inputs, Watch, load_batch, read_ahead
from sequela.training.objectives import Objective
from sequela.training.sampling import Rows, Share, keyed_seed, shares
from sequela.training.shared_norm import share_norms

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
    loop = _loop(task, state)
    position = loop.begin()
    report(position.history)
    with stop_requests() as stop:
        while not finished(position.history, task.settings):
            position = loop.epoch(position, stop)
            if to_keep(position.history, task.settings):
                keep(loop.model, position.history[-1])
            loop.save(position)
            report(position.history)
    processes.by_first(finish)
    if processes.number() == 0:
        state.unlink()
    return position.history


def _loop(task: Fit, state: Path) -> _Loop:
    device = task.machine.torch_device()
    if device.type == "cuda":
        torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark = True, False
    frozen = task.settings.batch_norm == "frozen"
    if task.settings.chunk is not None:
        require_separable(task.model, frozen=frozen)
    if not frozen:
        share_norms(task.model)
    model = task.model.to(device)
    return _Loop(task, model, build_optimizer(model, task.settings), device, state)


@dataclass(frozen=True)
class _Loop:
    task: Fit
    model: nn.Module
    optimizer: torch.optim.Optimizer
    device: torch.device
    state: Path

    def begin(self) -> Position:
        """Where a process that was stopped left off, or the start."""
        position = Position()
        if processes.agreed(self.state.exists()):
            position = read_state(self.state, self.model, self.optimizer)
            _compare_processes(position)
        processes.same_everywhere(self.model.state_dict().values())
        self.save(position)
        return position

    def save(self, position: Position) -> None:
        if processes.number() == 0:
            told = replace(position, processes=processes.count())
            write_state(self.state, self.model, self.optimizer, told)

    def learn(self) -> None:
        """Put the model into training mode, batch norms perhaps aside."""
        self.model.train()
        if self.task.settings.batch_norm == "frozen":
            freeze_norms(self.model)

    def epoch(self, position: Position, stop: Callable[[], bool]) -> Position:
        started = time.perf_counter()
        batches = self.task.objective.training_batches(position.epoch)
        position = self._train(position, batches, stop)
        validation, position = self._validate(position)
        ended = Epoch(
            epoch=position.epoch + 1,
            train_loss=position.loss_total / position.examples,
            validation=validation,
            rates={group["rate"]: group["lr"] for group in self.optimizer.param_groups},
            data_seconds=position.data_seconds,
            compute_seconds=position.compute_seconds,
            seconds=time.perf_counter() - started,
        )
        return Position(epoch=position.epoch + 1, history=(*position.history, ended))

    def _train(
        self, position: Position, batches: Sequence[Rows], stop: Callable[[], bool]
    ) -> Position:
        self.learn()
        saved = time.monotonic()
        steps = len(batches) * self.task.settings.epochs
        left = [self._shares(rows) for rows in batches[position.step :]]
        own = [shared[processes.number()].rows for shared in left]
        watch = Watch(self._loaded(self.task.inputs.at(position.epoch), own))
        for rows, shared, (_, batch) in zip(batches[position.step :], left, watch, strict=True):
            done = position.epoch * len(batches) + position.step
            rates = set_rates(self.optimizer, schedule(done, steps, self.task.settings.warmup))
            loss = self._step(rows, shared, batch, position, rates)
            position = replace(
                position,
                step=position.step + 1,
                loss_total=position.loss_total + loss * len(rows),
                examples=position.examples + len(rows),
            )
            if processes.any_of(stop(), self.device):
                self.save(watch.add_to(position))
                raise _interrupted(position)
            if time.monotonic() - saved > 60 * self.task.machine.save_minutes:
                self.save(watch.add_to(position))
                saved = time.monotonic()
        return watch.add_to(position)

    def _shares(self, rows: Rows) -> list[Share]:
        return shares(rows, self.task.settings.chunk, processes.count())

    def _step(
        self,
        rows: Rows,
        shared: Sequence[Share],
        batch: Batch,
        position: Position,
        rates: dict[str, float],
    ) -> float:
        settings, objective = self.task.settings, self.task.objective

        def passed(number: int, start: int, stop: int) -> Outputs:
            torch.manual_seed(keyed_seed(settings.seed, position.epoch, position.step, number))
            with self._precision():
                return objective.outputs(self.model, batch.rows(start, stop))

        def loss(outputs: Outputs) -> Tensor:
            value = objective.loss(self.model, outputs, rows)
            if not math.isfinite(value.item()):
                where = f"epoch {position.epoch + 1}, step {position.step + 1}"
                raise _diverged(value.item(), where, rates)
            return value

        self.optimizer.zero_grad(set_to_none=True)
        pieces = [partial(passed, *piece) for piece in shared[processes.number()].pieces]
        value = backward(self.model, pieces, loss, [len(share.rows) for share in shared])
        if settings.clip is not None:
            nn.utils.clip_grad_norm_(self.model.parameters(), settings.clip)
        self.optimizer.step()
        return value.item()

    def _validate(self, position: Position) -> tuple[dict[str, float], Position]:
        self.model.eval()
        objective = self.task.objective
        batches = objective.validation_batches()
        watch = Watch(
            self._loaded(self.task.plain, batches[processes.number() :: processes.count()])
        )
        with torch.no_grad():
            found = processes.everyones([self._judged(batch) for _, batch in watch])
            judged = [found[i % len(found)][i // len(found)] for i in range(len(batches))]
            moved = [tuple(tensor.to(self.device) for tensor in outputs) for outputs in judged]
            values = objective.validate(self.model, list(zip(batches, moved, strict=True)))
        values = processes.agreed(values)
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

    def _judged(self, batch: Batch) -> Outputs:
        with self._precision():
            outputs = self.task.objective.outputs(self.model, batch)
        return tuple(tensor.cpu() for tensor in outputs) if processes.count() > 1 else outputs

    def _precision(self) -> torch.autocast:
        half = self.task.settings.precision == "bfloat16"
        return torch.autocast(self.device.type, torch.bfloat16, enabled=half)


def step_seconds(task: Fit, steps: int = 2) -> float:
    """How long a step takes here, loading included: the mean after a first one, which is slow.

    The model is changed by it and not to be used any more.
    """
    loop = _loop(task, Path())
    loop.learn()
    batches = task.objective.training_batches(0)[: steps + 1]
    started = time.perf_counter()
    for done, rows in enumerate(batches):
        if done == 1:
            started = time.perf_counter()
        shared = loop._shares(rows)
        own = load_batch(task.inputs.at(0), shared[processes.number()].rows)
        loop._step(rows, shared, own.to(loop.device), Position(), {})
    return (time.perf_counter() - started) / max(1, len(batches) - 1)


def _compare_processes(position: Position) -> None:
    before, now = position.processes, processes.count()
    if before != now and processes.number() == 0:
        console.print(
            f"begun by {before} process(es), going on with {now}: the batches stay the same, but "
            "sums are taken in another order and dropout falls otherwise, so the weights will not "
            "be those of either number bit for bit",
            highlight=False,
        )


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
