"""A run folder belongs to one process and one purpose."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from sequela.errors import LockedError
from sequela.training.checkpoint import Epoch
from sequela.training.run import Purpose, Run, opened_run

PURPOSE = Purpose(
    settings={"train": {"epochs": 3, "rates": (1, 2)}, "machine": {"workers": 1}},
    decisive=("train",),
    identity={"stage": "train", "variant": "lumin", "cohort": "abc"},
)


def test_a_second_run_in_one_folder_is_refused(tmp_path: Path) -> None:
    with (
        opened_run(tmp_path / "one", PURPOSE),
        pytest.raises(LockedError) as caught,
        opened_run(tmp_path / "one", PURPOSE),
    ):
        pass
    assert caught.value.exit_code == 4
    assert str(tmp_path) not in caught.value.message


def test_a_run_is_opened_again_for_the_same_purpose_only(tmp_path: Path) -> None:
    with opened_run(tmp_path, PURPOSE):
        pass
    elsewhere = replace(PURPOSE, settings={**PURPOSE.settings, "machine": {"workers": 2}})
    with opened_run(tmp_path, elsewhere):
        pass
    longer = replace(PURPOSE, settings={"train": {"epochs": 5, "rates": (1, 2)}})
    with pytest.raises(LockedError) as caught, opened_run(tmp_path, longer):
        pass
    assert caught.value.items == ("train.epochs: 3 in the folder, 5 asked for",)
    other = replace(PURPOSE, identity={**PURPOSE.identity, "cohort": "abd"})
    with pytest.raises(LockedError) as caught, opened_run(tmp_path, other):
        pass
    assert caught.value.items == ("cohort: abc in the folder, abd asked for",)
    with opened_run(tmp_path, longer, restart=True):
        assert yaml.safe_load((tmp_path / "config.yaml").read_text())["train"]["epochs"] == 5


def test_a_difference_shows_no_absolute_path(tmp_path: Path) -> None:
    with opened_run(tmp_path, PURPOSE):
        pass
    moved = replace(PURPOSE, identity={**PURPOSE.identity, "cohort": "/home/someone/cohort"})
    with pytest.raises(LockedError) as caught, opened_run(tmp_path, moved):
        pass
    assert "someone" not in "".join(caught.value.items)


def test_an_environment_is_noted_once(tmp_path: Path) -> None:
    for _ in range(2):
        with opened_run(tmp_path, PURPOSE):
            pass
    (environment,) = json.loads((tmp_path / "versions.json").read_text())["environments"]
    assert environment["packages"]["torch"]
    assert environment["threads"] >= 1


def test_the_log_holds_an_epoch_once_however_often_it_is_written(tmp_path: Path) -> None:
    epoch = Epoch(1, 0.5, {"loss": 0.4}, {"new_rate": 1e-4}, 0.1, 0.9, 1.0)
    for _ in range(2):
        Run(tmp_path).write_log([epoch])
    (line,) = (tmp_path / "log.jsonl").read_text().splitlines()
    assert json.loads(line) == epoch.as_json()
