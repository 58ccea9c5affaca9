from __future__ import annotations

from pathlib import Path

import pytest

from sequela.cli import main as command_line
from sequela.settings import read_settings
from sequela.training.configuration import Configuration


def test_init_writes_a_configuration_of_defaults_that_can_be_read(tmp_path: Path) -> None:
    folder = tmp_path / "new"
    with pytest.raises(SystemExit) as caught:
        command_line.main(["init", str(folder)])
    assert not caught.value.code
    assert read_settings(Configuration, folder / "sequela.yaml") == Configuration()
