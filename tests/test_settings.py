from __future__ import annotations

import time
from pathlib import Path

import pytest
from pydantic import ValidationError

from sequela.errors import UsageError
from sequela.settings import Settings, read_section, read_settings


class Train(Settings):
    epochs: int = 20
    rate: float = 1e-4


class Whole(Settings):
    train: Train = Train()
    name: str = "a"


def test_an_override_wins_over_the_file_and_the_file_over_the_default(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text("train: {epochs: 3}\nname: file\n")
    found = read_settings(Whole, path, ["train.epochs=5"])
    assert found == Whole(train=Train(epochs=5), name="file")
    assert found.train.rate == Train().rate


def test_every_fault_is_named_at_once_and_a_near_miss_is_suggested(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text("train: {epoch: 3, rate: fast}\nnom: x\n")
    with pytest.raises(UsageError) as caught:
        read_settings(Whole, path)
    items = caught.value.items
    assert len(items) == 3
    assert "train.epoch: unknown setting; did you mean epochs?" in items
    assert any(item.startswith("train.rate:") for item in items)
    assert any(item.startswith("nom:") for item in items)
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("override", ["epochs", "epochs=3", "=3", "train.epochs"])
def test_an_override_that_is_no_setting_says_how_one_is_written(override: str) -> None:
    with pytest.raises(UsageError) as caught:
        read_settings(Whole, None, [override])
    assert "section.key=value" in caught.value.hint


def test_an_override_below_a_value_is_a_usage_error(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text("train: 3\n")
    with pytest.raises(UsageError, match="holds a value"):
        read_settings(Whole, path, ["train.epochs=3"])


@pytest.mark.parametrize("text", ["train: [1, 2", "- a\n- b\n", "train: {epochs: 3}}\n"])
def test_a_file_that_is_no_configuration_is_a_usage_error(tmp_path: Path, text: str) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(text)
    with pytest.raises(UsageError) as caught:
        read_settings(Whole, path)
    assert str(tmp_path) not in caught.value.message


def test_a_missing_file_is_named_with_the_command_that_writes_one(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        read_settings(Whole, tmp_path / "none.yaml")
    assert "sequela init" in caught.value.hint


def test_settings_are_frozen_and_evolve_checks() -> None:
    with pytest.raises(ValidationError):
        Train().epochs = 3
    assert Train().evolve(epochs=4).epochs == 4
    with pytest.raises(ValidationError):
        Train().evolve(epochs="many")


def test_a_section_is_read_alone_and_the_others_are_left_to_their_commands(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text("train: {epochs: 3}\nother: {anything: 1}\n")
    assert read_section("train", Train, path, ["train.rate=2"]) == Train(epochs=3, rate=2)
    with pytest.raises(UsageError, match="other"):
        read_section("train", Train, path, ["other.key=1"])
    path.write_text("train: {epoch: 3}\n")
    with pytest.raises(UsageError) as caught:
        read_section("train", Train, path)
    assert caught.value.items == ("epoch: unknown setting; did you mean epochs?",)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a: " + "[" * 5000, "nested too deeply"),
        ("a: &x [*x]\n", "nested too deeply"),
        (
            "b0: &b0 [1, 1]\n"
            + "".join(f"b{n}: &b{n} [*b{n - 1}, *b{n - 1}]\n" for n in range(1, 40)),
            "so often",
        ),
        ("a: 1 # " + "x" * (256 << 10), "larger than 256 KiB"),
    ],
    ids=["nested", "in itself", "doubling", "long"],
)
def test_yaml_made_to_fill_memory_or_time_is_refused(text: str, told: str, tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text(text)
    began = time.process_time()
    with pytest.raises(UsageError, match=told):
        read_settings(Settings, tmp_path / "c.yaml")
    assert time.process_time() - began < 5
