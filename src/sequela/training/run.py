"""A run's folder: what was asked, on what it was done, how it went and what came of it."""

from __future__ import annotations

import json
import platform
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch
import yaml

from sequela.errors import LockedError
from sequela.seal import SEAL, seal
from sequela.storage import fingerprint, owned, write_json, write_text
from sequela.training import processes
from sequela.training.checkpoint import Epoch, read_metadata

_PACKAGES = ("sequela", "torch", "timm", "transformers", "numpy", "scipy", "polars", "safetensors")
_NEW_NAME = "give the run another name, or begin it again with --restart"

Values = dict[str, Any]


@dataclass(frozen=True)
class Purpose:
    """What a run is for; two runs of one purpose end in the same weights.

    Attributes:
        settings: The resolved configuration.
        decisive: Its sections that decide what comes of the run.
        identity: Stage, variant, repeat, fold, and the fingerprints of all that goes in.
    """

    settings: Values
    decisive: tuple[str, ...]
    identity: Values


@dataclass(frozen=True)
class Run:
    """The folder `runs/NAME`, and the files in it."""

    folder: Path

    @property
    def name(self) -> str:
        """The run's name, which is its folder's."""
        return self.folder.name

    @property
    def checkpoint(self) -> Path:
        """Weights of the kept epoch, and all that using them needs."""
        return self.folder / "checkpoint.safetensors"

    @property
    def state(self) -> Path:
        """What an unfinished fit goes on from."""
        return self.folder / "state.safetensors"

    @property
    def predictions(self) -> Path:
        """The run's own table of predictions."""
        return self.folder / "predictions.parquet"

    def predictions_without(self, part: str) -> Path:
        """The table of predictions with a part of the model taken away."""
        return self.folder / f"predictions-without-{part}.parquet"

    @property
    def finished(self) -> bool:
        """Whether the weights are final."""
        return self.checkpoint.exists() and not self.state.exists()

    def metadata(self) -> Values:
        """What stands in the checkpoint beside the weights.

        Raises:
            DataError: If nothing has been trained yet.
        """
        return read_metadata(self.checkpoint)

    def identity(self) -> Values:
        """Stage, variant, repeat, fold and fingerprints, as the run was opened with."""
        return _read_json(self.folder / "identity.json")

    def write_log(self, history: Sequence[Epoch]) -> None:
        """Write `log.jsonl`, a line an epoch; whole each time, so that nothing stands twice."""
        lines = (json.dumps(epoch.as_json(), sort_keys=True) for epoch in history)
        write_text(self.folder / "log.jsonl", "".join(line + "\n" for line in lines))


@contextmanager
def opened_run(folder: Path, purpose: Purpose, *, restart: bool = False) -> Iterator[Run]:
    """The run in `folder`, held by this process alone until the block ends.

    Args:
        folder: Made if absent.
        purpose: What the run is for.
        restart: Throw away what stands there.

    Raises:
        LockedError: If another process holds it, or it was begun for something else.
    """
    with owned(folder):
        if restart:
            _clear(folder)
        run = Run(folder)
        if (folder / "identity.json").exists():
            _require_same(folder, purpose)
        else:
            text = yaml.safe_dump(purpose.settings, sort_keys=False, allow_unicode=True)
            write_text(folder / "config.yaml", text)
            write_json(folder / "identity.json", purpose.identity)
        if not run.finished:
            (folder / SEAL).unlink(missing_ok=True)  # of an earlier run, whose weights are gone
            _note_versions(folder / "versions.json")
        yield run
        if run.finished:
            seal(folder)


def _clear(folder: Path) -> None:
    for path in folder.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        elif path.name != ".lock":
            path.unlink()


def _require_same(folder: Path, purpose: Purpose) -> None:
    stored = yaml.safe_load((folder / "config.yaml").read_text(encoding="utf-8"))
    there = {name: stored.get(name) for name in purpose.decisive}
    asked = {name: purpose.settings.get(name) for name in purpose.decisive}
    items = (
        *differences(there, asked),
        *differences(_read_json(folder / "identity.json"), purpose.identity),
    )
    if items:
        raise LockedError(
            f"run {folder.name} was begun with something else: {len(items)} difference(s)",
            hint=_NEW_NAME,
            items=items,
        )


def differences(there: Any, asked: Any, name: str = "") -> tuple[str, ...]:
    """What differs between two settings, a line each, by dotted name."""
    if isinstance(there, Mapping) and isinstance(asked, Mapping):
        keys = sorted({*there, *asked}, key=str)
        dotted = ((key, f"{name}.{key}" if name else str(key)) for key in keys)
        return tuple(
            line
            for key, full in dotted
            for line in differences(there.get(key), asked.get(key), full)
        )
    if there == asked or (isinstance(there, list | tuple) and list(there) == list(asked or ())):
        return ()
    return (f"{name}: {_shown(there)} in the folder, {_shown(asked)} asked for",)


def _shown(value: Any) -> str:
    text = str(value)
    if Path(text).is_absolute():
        return f"…/{Path(text).name}"
    return text if len(text) <= 40 else text[:12] + "…"


def environment() -> Values:
    """On what a run is done: versions, platform, threads, device."""
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "processor": platform.machine(),
        "threads": torch.get_num_threads(),
        "processes": processes.count(),
        "code": code_fingerprint(),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "packages": {name: found for name in _PACKAGES if (found := _version(name))},
    }


@lru_cache(maxsize=1)
def code_fingerprint() -> str:
    """SHA-256 of our own source, which says more than a version under development."""
    home = Path(__file__).parents[1]
    files = sorted(home.rglob("*.py"))
    return fingerprint(*(part for file in files for part in (str(file.relative_to(home)), file)))


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _note_versions(path: Path) -> None:
    """Add this environment, if the run was not last worked on in the same."""
    seen = _read_json(path)["environments"] if path.exists() else []
    here = environment()
    if not seen or seen[-1] != here:
        write_json(path, {"environments": [*seen, here]})


def _read_json(path: Path) -> Values:
    values: Values = json.loads(path.read_text(encoding="utf-8"))
    return values
