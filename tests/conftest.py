"""Shapes are checked as tests run, sockets reach no further than loopback."""

from __future__ import annotations

import copy
import os
import socket
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ["HF_HUB_OFFLINE"] = "1"

from jaxtyping import install_import_hook

install_import_hook("sequela", "beartype.beartype")

import polars as pl
import pytest
import yaml

from sequela.errors import SequelaError
from sequela.workers import Done, Failure

SHARED_DATA = Path(__file__).parents[2] / "shared" / "data"
SHARED_REFERENCE = SHARED_DATA.parent / "reference"


@pytest.fixture(autouse=True)
def only_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: object) -> None:
        host = address[0] if isinstance(address, tuple) else address
        if self.family != socket.AF_UNIX and host not in ("127.0.0.1", "::1", "localhost"):
            raise AssertionError("a test tried to reach the network")
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", guarded)


@pytest.fixture
def each_here() -> Callable[..., Iterator[Done[object]]]:
    """`workers.each` without child processes."""

    def each(
        function: Callable[..., object], tasks: Sequence[tuple[object, ...]], **_: object
    ) -> Iterator[Done[object]]:
        for index, task in enumerate(tasks):
            try:
                yield Done(index, function(*task), 0.01)
            except SequelaError as error:
                yield Done(index, Failure(error.message), 0.01)

    return each


TCGA: dict[str, Any] = {
    "name": "tcga",
    "endpoints": {"os": {"causes": {1: "death"}}, "dss": {}, "dfi": {}, "pfi": {}},
    "clinical": {
        "age": {"kind": "numeric", "unit": "years"},
        "sex": {"kind": "binary", "levels": ["female", "male"]},
    },
    "tables": {
        "patients": {"file": "patients.csv"},
        "outcomes": {"file": "outcomes.csv"},
        "texts": {"file": "texts.csv", "constants": {"day": 0}},
    },
}
"""The manifest of the public pathology cohorts."""


@pytest.fixture
def tcga(shared_data: Path, tmp_path: Path) -> Callable[..., Path]:
    """Makes a cohort folder of a public pathology cohort's patients, outcomes and reports."""

    def make(cancer: str, **tables: object) -> Path:
        manifest = copy.deepcopy(TCGA)
        manifest["tables"] |= tables
        for name in TCGA["tables"]:
            table = pl.read_csv(shared_data / "tcga" / cancer / f"{name}.csv", infer_schema=False)
            table.write_csv(tmp_path / f"{name}.csv")
            if table.is_empty():
                del manifest["tables"][name]
        (tmp_path / "cohort.yaml").write_text(yaml.safe_dump(manifest))
        return tmp_path

    return make


@pytest.fixture(scope="session")
def shared_data() -> Path:
    if not SHARED_DATA.is_dir():
        pytest.skip("public development data (../shared/data) are not beside this checkout")
    return SHARED_DATA


@pytest.fixture(scope="session")
def shared_reference() -> Path:
    if not SHARED_REFERENCE.is_dir():
        pytest.skip("reference values (../shared/reference) are not beside this checkout")
    return SHARED_REFERENCE


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how many tests ran on the public development data, and on R's reference values."""
    passed = terminalreporter.stats.get("passed", [])
    used = sum(bool({"shared_data", "shared_reference"} & set(each.keywords)) for each in passed)
    terminalreporter.write_line(f"{used} tests ran on the public development data beside this")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        for name in {"shared_data", "shared_reference"} & set(getattr(item, "fixturenames", ())):
            item.keywords[name] = True
