"""Every command, from typer's own list: bad words, missing folders and corrupt files are told."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from spoken import Spoken, speak
from test_bad_input import ABSOLUTE, CANARY

from sequela.cli.main import app


def leaves(command: Any, words: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The words of every command that does something."""
    inside = getattr(command, "commands", None)
    if inside is None:
        yield words
        return
    for name, each in inside.items():
        yield from leaves(each, (*words, name))


COMMANDS = {" ".join(words): words for words in leaves(typer.main.get_command(app))}


def test_every_command_that_help_lists_is_tried_here() -> None:
    listed = re.findall(r"^│ ([a-z][\w-]*) {2}", speak("--help").out, re.MULTILINE)
    assert len(listed) > 20
    assert set(listed) == {words[0] for words in COMMANDS.values()}


WANTED: dict[str, tuple[str, ...]] = {
    "demo": ("FOLDER",),
    "doctor": ("FOLDER",),
    "list": ("FOLDER",),
    "init": ("FOLDER",),
    "simulate": ("FOLDER",),
    "import dicom": ("FOLDER", "--out", "OUT"),
    "import pictures": ("FOLDER", "--out", "OUT"),
    "import fhir": ("FOLDER", "--out", "OUT"),
    "import table": ("FOLDER/table.csv", "--out", "OUT", "--mapping", "FOLDER/mapping.yaml"),
    "import tcga": ("FOLDER", "--out", "OUT"),
    "study": ("FOLDER/study.yaml",),
    "evaluate": ("FOLDER/predictions.parquet",),
    "compare": ("FOLDER/predictions.parquet",),
    "report": ("FOLDER/predictions.parquet",),
    "conformance": ("--values", "FOLDER/values.json", "--data", "FOLDER"),
    "deidentify": ("FOLDER", "--out", "OUT", "--key", "OUT.key"),
    "convert": ("FOLDER/model.pt", "OUT.safetensors"),
    "purge": ("FOLDER", "P-000"),
    "lint-table": ("FOLDER/table.csv",),
}
"""What a command is given; a cohort folder if it is not named here."""

MAKERS = {"demo", "doctor", "init", "simulate", "selftest fuzz"}
"""These need nothing to be there, and refuse, or pass by, what is."""


def given(name: str, folder: Path, out: Path) -> list[str]:
    words = WANTED.get(name, ("FOLDER",))
    return [
        *COMMANDS[name],
        *(word.replace("FOLDER", str(folder)).replace("OUT", str(out)) for word in words),
    ]


def require_told(said: Spoken, *codes: int) -> None:
    """One line of JSON on stderr, an exit code of the contract, no path, no value, no traceback."""
    assert said.code in codes, said.all
    assert set(said.error) == {"code", "message", "hint", "items"}
    assert said.error["code"] != "internal", said.err
    assert len(said.error["message"]) > 10
    assert said.err.count("\n") == 1, said.err
    assert "Traceback" not in said.all
    assert not ABSOLUTE.search(said.all), said.all
    assert CANARY not in said.all


@pytest.mark.parametrize("name", COMMANDS)
def test_an_unknown_option_is_a_usage_error(name: str, tmp_path: Path) -> None:
    said = speak("--json", *COMMANDS[name], "--no-such-option", tmp_path)
    require_told(said, 2)
    assert said.error["code"] == "usage"


@pytest.mark.parametrize("name", sorted(COMMANDS.keys() - MAKERS))
def test_a_missing_folder_is_told(name: str, tmp_path: Path) -> None:
    said = speak("--json", *given(name, tmp_path / "not there", tmp_path / "out"))
    require_told(said, 2, 3)
    assert not (tmp_path / "not there").exists()


FILES = (
    *("cohort.yaml", "patients.csv", "outcomes.csv", "sequela.yaml", "study.yaml", "labels.csv"),
    "model.pt",
    *("table.csv", "mapping.yaml", "values.json", "predictions.parquet", "bundle.json", "a.xml"),
    *(
        "work/predictions.parquet",
        "work/splits.csv",
        "work/knowledge.json",
        "scan.dcm",
        "seal.json",
    ),
)
CORRUPT = (
    b"\x00\xff\xfe" + CANARY.encode() + b"\x80" * 40,
    CANARY.encode() + b": [\n  {" + CANARY.encode() + b'": "\n',
    b"",
)


@pytest.mark.parametrize("place", range(len(CORRUPT)), ids=["bytes", "text", "empty"])
@pytest.mark.parametrize("name", sorted(COMMANDS.keys() - MAKERS | {"demo"}))
def test_a_corrupt_folder_is_told_and_its_values_are_not(
    name: str, place: int, tmp_path: Path
) -> None:
    folder = tmp_path / "cohort"
    for file in FILES:
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).write_bytes(CORRUPT[place])
    require_told(speak("--json", *given(name, folder, tmp_path / "out")), 2, 3)


@pytest.mark.parametrize("name", ["init", "simulate"])
def test_a_folder_that_cannot_be_made_is_told(name: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text(CANARY)
    require_told(speak("--json", name, tmp_path / "file" / "cohort"), 2, 4)
