"""The loop: the same weights however it was stopped, and only the best epoch is kept."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor
from toys import QUICK, ToyInputs, toy_fit

from sequela.errors import DataError, DivergedError, InterruptedRunError
from sequela.modalities.batch import Batch
from sequela.training.checkpoint import Epoch, read_tensors, write_tensors
from sequela.training.choice import best_epoch
from sequela.training.fitting import MachineSettings
from sequela.training.loop import Fit, fit


def kept(task: Fit, folder: Path) -> dict[str, Tensor]:
    def keep(model: torch.nn.Module, epoch: Epoch) -> None:
        write_tensors(folder / "best.safetensors", model.state_dict(), {"epoch": epoch.epoch})

    fit(task, folder / "state.safetensors", keep, lambda _: None)
    return read_tensors(folder / "best.safetensors")[0]


def assert_same(one: dict[str, Tensor], other: dict[str, Tensor]) -> None:
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)


class Watched:
    """Inputs that do something when the nth example is read."""

    def __init__(self, inputs: ToyInputs, when: int, action: object) -> None:
        self.inputs, self.when, self.action, self.read = inputs, when, action, 0

    def at(self, epoch: int) -> Watched:
        return self

    def __len__(self) -> int:
        return len(self.inputs)

    def __getitem__(self, index: int) -> Batch:
        self.read += 1
        if self.read == self.when:
            self.action()  # type: ignore[operator]
        return self.inputs[index]


@pytest.mark.parametrize("workers", [1, 2])
def test_the_number_of_workers_changes_nothing(tmp_path: Path, workers: int) -> None:
    machine = MachineSettings(device="cpu", threads=1, workers=workers)
    alone = kept(toy_fit(), tmp_path / "alone")
    assert_same(kept(toy_fit(machine=machine), tmp_path / "threads"), alone)


@pytest.mark.parametrize("examples", [1, 6, 17, 24, 48])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_fit_that_was_asked_to_stop_goes_on_to_the_same_weights(
    tmp_path: Path, examples: int, number: int
) -> None:
    expected = kept(toy_fit(), tmp_path / "whole")
    task = toy_fit()
    stopping = Watched(task.inputs, examples, lambda: os.kill(os.getpid(), number))  # type: ignore[arg-type]
    folder = tmp_path / "stopped"
    with pytest.raises(InterruptedRunError, match="saved") as caught:
        kept(replace(task, inputs=stopping), folder)
    assert caught.value.exit_code == 6
    assert_same(kept(toy_fit(), folder), expected)


def run_until_killed(folder: Path, example: int) -> None:
    """Fit in a child that kills itself as it reads the nth example."""
    if (child := os.fork()) == 0:
        task = toy_fit()
        inputs = Watched(task.inputs, example, lambda: os.kill(os.getpid(), signal.SIGKILL))
        kept(replace(task, inputs=inputs), folder)
        os._exit(0)
    assert os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGKILL


def test_a_fit_killed_again_and_again_ends_in_the_same_weights(tmp_path: Path) -> None:
    expected = kept(toy_fit(), tmp_path / "whole")
    for example in (1, 15, 20, 30, 9):
        run_until_killed(tmp_path / "killed", example)
    assert_same(kept(toy_fit(), tmp_path / "killed"), expected)


def killed_after(folder: Path, seconds: float) -> bool:
    """Whether a child that fits was still at it when it was killed."""
    if (child := os.fork()) == 0:
        kept(toy_fit(QUICK.evolve(epochs=30)), folder)
        os._exit(0)
    time.sleep(seconds)
    os.kill(child, signal.SIGKILL)
    return os.WIFSIGNALED(os.waitpid(child, 0)[1])


def test_a_fit_killed_at_any_moment_ends_in_the_same_weights(tmp_path: Path) -> None:
    expected = kept(toy_fit(QUICK.evolve(epochs=30)), tmp_path / "whole")
    moments = np.random.default_rng(5).uniform(0.01, 0.2, 12)
    kills = sum(killed_after(tmp_path / "killed", moment) for moment in moments)
    assert kills > 1
    assert_same(kept(toy_fit(QUICK.evolve(epochs=30)), tmp_path / "killed"), expected)


def test_a_state_saved_within_an_epoch_goes_on_from_there(tmp_path: Path) -> None:
    expected = kept(toy_fit(), tmp_path / "whole")
    machine = MachineSettings(device="cpu", threads=1, workers=0, save_minutes=1e-9)
    task = toy_fit(machine=machine)

    class StopError(Exception):
        pass

    def stop() -> None:
        raise StopError

    folder = tmp_path / "saved"
    with pytest.raises(StopError):
        stopping = Watched(task.inputs, 11, stop)  # type: ignore[arg-type]
        kept(replace(task, inputs=stopping), folder)
    assert read_tensors(folder / "state.safetensors")[1]["step"] == 2
    assert_same(kept(toy_fit(), folder), expected)


def test_a_loss_that_is_no_number_names_the_place_and_keeps_the_last_state(tmp_path: Path) -> None:
    with pytest.raises(DivergedError, match=r"nan at epoch 1, step \d .*new 0") as caught:
        kept(toy_fit(poisoned=frozenset({3})), tmp_path)
    assert "clip" in caught.value.hint
    tensors, _ = read_tensors(tmp_path / "state.safetensors")
    assert all(tensor.isfinite().all() for tensor in tensors.values())


def epochs(*losses: float) -> list[Epoch]:
    found = [{"loss": loss, "auc": -loss} for loss in losses]
    return [Epoch(i + 1, 0.0, values, {}, 0.0, 0.0, 0.0) for i, values in enumerate(found)]


def test_the_earliest_of_the_best_epochs_is_kept() -> None:
    history = epochs(3.0, 1.0, 2.0, 1.0)
    assert best_epoch(history, QUICK) == 1
    assert best_epoch(history, QUICK.evolve(select="auc")) == 1
    assert best_epoch(history, QUICK.evolve(select="last")) == 3


def test_a_fit_stops_when_validation_no_longer_improves(tmp_path: Path) -> None:
    settings = QUICK.evolve(epochs=50, patience=2, image_rate=1.0, text_rate=1.0, new_rate=1.0)
    history = fit(toy_fit(settings), tmp_path / "state", lambda *_: None, lambda _: None)
    assert len(history) < 50
    assert len(history) - 1 - best_epoch(history, settings) == 2


def test_a_choice_that_validation_cannot_make_is_refused(tmp_path: Path) -> None:
    task = toy_fit(QUICK.evolve(select="concordance"))
    with pytest.raises(DataError, match="concordance, which validation patients do not define"):
        fit(task, tmp_path / "state", lambda *_: None, lambda _: None)


def test_waiting_and_computing_add_up_to_the_epoch(tmp_path: Path) -> None:
    for epoch in fit(toy_fit(), tmp_path / "state", lambda *_: None, lambda _: None):
        assert 0 < epoch.data_seconds + epoch.compute_seconds <= epoch.seconds
