from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import typer

from sequela.cli import demonstration
from sequela.errors import UsageError
from sequela.settings import read_settings
from sequela.training.configuration import Configuration


def test_a_demo_stopped_after_the_patients_goes_on_with_the_same_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: list[str] = []

    def stopped_once(_app: Any, words: list[str]) -> None:
        ran.append(words[0])
        if words[0] == "simulate":
            (Path(words[1]) / "cohort.yaml").touch()
            raise KeyboardInterrupt

    monkeypatch.setattr(demonstration, "run", stopped_once)
    monkeypatch.setattr(demonstration, "_close", lambda *_: None)
    folder = tmp_path / "demo"
    with pytest.raises(KeyboardInterrupt):
        demonstration.walk(typer.Typer(), folder, 60, 1)
    settings = read_settings(Configuration, folder / "cohort" / "sequela.yaml")
    assert settings != Configuration()
    assert settings.images.size == 64
    demonstration.walk(typer.Typer(), folder, 60, 1)
    assert ran == ["simulate", *demonstration._WALK]
    with pytest.raises(UsageError, match="not empty"):
        demonstration.walk(typer.Typer(), folder, 61, 1)
