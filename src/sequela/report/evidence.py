"""What the report is made from: the files of a work folder, read once; absent ones are None."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sequela.errors import DataError


@dataclass(frozen=True)
class Evidence:
    """The contents of a work folder.

    Attributes:
        folder: The work folder.
        evaluation: `evaluation.json`.
    """

    folder: Path
    evaluation: dict[str, Any]


def gather(work: Path) -> Evidence:
    """Read a work folder.

    Raises:
        DataError: If there is no `evaluation.json`, or it is not JSON.
    """
    path = work / "evaluation.json"
    if not path.is_file():
        raise DataError(
            f"{work.name} has no evaluation.json to report",
            hint="run `sequela evaluate` first",
        )
    return Evidence(work, read_json(path))


def read_json(path: Path) -> Any:
    """The value in a JSON file.

    Raises:
        DataError: If it is not JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise DataError(
            f"{path.name} is not valid JSON ({type(error).__name__})",
            hint="run the command that writes it again",
        ) from None
