"""Several processes fit as one does: the same batches, the same weights but for rounding."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from tiny_runs import tiny_configuration
from together import environments, together
from toys import MACHINE, QUICK, toy_fit

from sequela.encoders.image import ImageEncoder, ImageEncoderConfig
from sequela.errors import InterruptedRunError, LockedError, UsageError
from sequela.modalities.batch import Batch
from sequela.storage import owned
from sequela.training import processes
from sequela.training.checkpoint import read_metadata
from sequela.training.fit_run import run_of
from sequela.training.fitting import TrainSettings
from sequela.training.gradient import Outputs
from sequela.training.loop import Fit, fit
from sequela.training.objectives import Alignment, Judged
from sequela.training.pretraining import aligning
from sequela.training.project import Fold, Project
from sequela.training.run import Purpose, Run
from sequela.training.sampling import Rows
from sequela.training.shared_norm import share_norms

Weights = dict[str, np.ndarray]


@pytest.fixture
def double() -> Iterator[None]:
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def toy_weights(folder: Path, settings: TrainSettings) -> Weights:
    task = toy_fit(settings)
    if settings.chunk is None:
        without_dropout(task.model)
        # A bias before a batch norm has no gradient but rounding, which Adam would blow up.
        task.model.image["backbone"][0].bias.requires_grad_(False)
    fit(task, folder / "state", lambda *_: None, lambda _: None)
    return {name: value.numpy() for name, value in task.model.state_dict().items()}


def without_dropout(model: torch.nn.Module) -> torch.nn.Module:
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    return model


def assert_close(one: Weights, other: Weights, rtol: float) -> None:
    assert one.keys() == other.keys()
    for name in one:
        np.testing.assert_allclose(one[name], other[name], rtol=rtol, atol=rtol, err_msg=name)


@pytest.mark.parametrize(
    "settings",
    [QUICK, QUICK.evolve(clip=0.1), QUICK.evolve(chunk=2, batch_norm="frozen")],
    ids=["shared batch norm", "clipped", "in pieces, with dropout"],
)
def test_two_processes_end_in_the_weights_of_one(tmp_path: Path, settings: TrainSettings) -> None:
    """With `chunk`, dropout too is that of one process: it is keyed by piece."""
    alone = toy_weights(tmp_path, settings)
    one, other = together(2, tmp_path / "two", lambda: toy_weights(tmp_path / "two", settings))
    assert_close(one, alone, rtol=2e-5)
    assert all((one[name] == other[name]).all() for name in one)


@dataclass(frozen=True)
class OneBatch:
    """An objective with one training batch and nothing to judge by."""

    whole: Alignment
    rows: Rows

    def training_batches(self, epoch: int) -> list[Rows]:
        return [self.rows]

    def validation_batches(self) -> list[Rows]:
        return []

    def outputs(self, model: torch.nn.Module, batch: Batch) -> Outputs:
        return self.whole.outputs(model, batch)

    def loss(self, model: torch.nn.Module, outputs: Outputs, rows: Rows) -> torch.Tensor:
        return self.whole.loss(model, outputs, rows)

    def validate(self, model: torch.nn.Module, found: Judged) -> dict[str, float]:
        return {}

    def conclude(self, model: torch.nn.Module, load: object) -> dict[str, object]:
        return {}


def gradients(task: Fit, folder: Path) -> Weights:
    """What the first step leaves on the parameters."""
    fit(task, folder / f"state{processes.count()}", lambda *_: None, lambda _: None)
    parameters = task.model.named_parameters()
    return {name: p.grad.numpy() for name, p in parameters if p.grad is not None}


@pytest.mark.usefixtures("double")
@pytest.mark.parametrize("count", [2, 3])
def test_the_contrastive_gradient_is_that_of_the_whole_batch(
    prepared: Project, tmp_path: Path, count: int
) -> None:
    """Images, texts and temperature; an odd batch, so that shares differ in size."""
    task = aligning(prepared, Fold()).task
    assert isinstance(task.objective, Alignment)
    task = replace(
        task,
        model=without_dropout(task.model.double()),
        objective=OneBatch(task.objective, task.objective.training_batches(0)[0][:7]),
        settings=task.settings.evolve(epochs=1, select="last"),
        machine=MACHINE,
    )
    found = together(count, tmp_path, lambda: gradients(task, tmp_path))
    alone = gradients(task, tmp_path)
    assert {"log_scale", "image.projection.weight"} <= alone.keys()
    for one in found:
        assert_close(one, alone, rtol=1e-9)


def of_one_and_a_blind_process() -> Weights:
    """A network's gradient and statistics where process 0 has all images and 1 has none."""
    torch.manual_seed(0)
    config = ImageEncoderConfig(name="resnet10t", options={"channels": [8] * 4, "stem_width": 4})
    encoder = ImageEncoder(config, 4).double()
    views = torch.randint(0, 256, (3, 1, 4, 32, 32), dtype=torch.uint8)
    mask = torch.full((3, 1, 4), processes.number() == 0)
    share_norms(encoder)
    batch = Batch(
        day=torch.zeros(3, 1),
        exam_mask=torch.ones(3, 1, dtype=torch.bool),
        views=views,
        view_kind=torch.arange(4).expand(3, 1, 4),
        view_mask=mask,
    )
    vectors, _ = encoder.train()(batch)
    (vectors.square().sum() * processes.count()).backward()
    processes.average_gradients(encoder.parameters())
    grads = {name: p.grad.numpy() for name, p in encoder.named_parameters() if p.grad is not None}
    return grads | {
        name: value.numpy() for name, value in encoder.named_buffers() if "running" in name
    }


@pytest.mark.usefixtures("double")
def test_a_process_without_images_is_waited_for_and_changes_nothing(tmp_path: Path) -> None:
    alone = of_one_and_a_blind_process()
    for found in together(2, tmp_path, of_one_and_a_blind_process):
        assert_close(found, alone, rtol=1e-9)


def stopped_in_two(folder: Path) -> int:
    """Stopped in the first epoch, as a signal to one of the two would."""
    task = toy_fit(machine=MACHINE)
    steps = iter(range(99))
    objective = task.objective

    class Stopping:
        def __getattr__(self, name: str) -> object:
            return getattr(objective, name)

        def loss(self, *values: object) -> torch.Tensor:
            if next(steps) == 1 and processes.number() == 1:
                os.kill(os.getpid(), signal.SIGTERM)
            return objective.loss(*values)  # type: ignore[arg-type]

    try:
        fit(replace(task, objective=Stopping()), folder / "state", lambda *_: None, lambda _: None)  # type: ignore[arg-type]
    except InterruptedRunError as error:
        return error.exit_code
    return 0


def test_a_signal_to_one_stops_all_and_another_number_says_so(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert together(2, tmp_path, lambda: stopped_in_two(tmp_path)) == [6, 6]
    told = read_metadata(tmp_path / "state")
    assert told["step"] == 2 and told["processes"] == 2
    assert "begun by" not in capfd.readouterr().err
    fit(toy_fit(), tmp_path / "state", lambda *_: None, lambda _: None)
    assert "begun by 2 process(es), going on with 1" in capfd.readouterr().err.replace("\n", " ")


def test_a_norm_that_cannot_be_shared_is_refused(tmp_path: Path) -> None:
    def refused() -> str:
        try:
            share_norms(torch.nn.Sequential(torch.nn.BatchNorm1d(2, affine=False)))
        except UsageError as error:
            return error.hint
        return ""

    assert all("batch_norm=frozen" in hint for hint in together(2, tmp_path, refused))


def commanded(project: Project, work: Path, environment: dict[str, str]) -> subprocess.Popen[str]:
    """`pretrain` in a process of its own, in a work folder with all that it needs."""
    work.mkdir(exist_ok=True)
    for name in ("splits.csv", "splits.json", "prepared", "text-encoder"):
        if not (work / name).exists():
            (work / name).symlink_to(project.work / name)
    sections = tiny_configuration(pretrain={"epochs": 1, "new_rate": 1e-3}).as_values()
    (work / "c.yaml").write_text(yaml.safe_dump(sections))
    place = ["--work", str(work), "--config", str(work / "c.yaml")]
    return subprocess.Popen(
        [sys.executable, "-m", "sequela", "pretrain", str(project.cohort.folder), *place],
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def test_the_command_works_in_two_processes_and_one_speaks(
    prepared: Project, tmp_path: Path
) -> None:
    children = [commanded(prepared, tmp_path, environment) for environment in environments(2)]
    said = [child.communicate(timeout=120)[0] for child in children]
    assert [child.returncode for child in children] == [0, 0], said
    assert "finished: pretrain" in said[0]
    assert said[1] == ""
    run = Run(tmp_path / "runs" / "pretrain")
    assert run.finished
    (environment,) = json.loads((run.folder / "versions.json").read_text())["environments"]
    assert environment["processes"] == 2


def test_who_has_left_the_group_holds_nothing_of_it() -> None:
    """What torch imports within would keep the group, and its threads abort an ending process."""
    program = """
import os, weakref
import torch.distributed as dist
from sequela.training.processes import joined
with joined(os.environ, "cpu"):
    group = weakref.ref(dist.group.WORLD)
    import torch.distributed.nn
print(group())
"""
    (environment,) = environments(1)
    child = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    assert child.stdout == "None\n"


def test_a_folder_that_another_process_holds_ends_all(tmp_path: Path) -> None:
    def held() -> int:
        try:
            run_of(tmp_path / "run", Purpose({}, (), {}), toy_fit(), {})
        except LockedError as error:
            return error.exit_code
        return 0

    with owned(tmp_path / "run"):
        assert together(2, tmp_path, held) == [4, 4]
