from __future__ import annotations

import resource

import pytest

from sequela import memory
from sequela.errors import ResourceLimitError
from sequela.memory import machine_memory, require_memory


def test_what_cannot_fit_is_refused_by_its_name_and_size() -> None:
    there = machine_memory()
    assert there > 1 << 28
    require_memory("table.csv", there)
    with pytest.raises(ResourceLimitError, match=r"^table\.csv takes about") as caught:
        require_memory("table.csv", there + 1)
    assert caught.value.exit_code == 7


def test_the_smallest_limit_counts(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (12345, 12345))
    assert machine_memory() == 12345
    monkeypatch.setattr(resource, "getrlimit", lambda _: (resource.RLIM_INFINITY,) * 2)
    group = tmp_path / "memory.max"  # type: ignore[operator]
    monkeypatch.setattr(memory, "_GROUP", group)
    group.write_text("1000\n")
    assert machine_memory() == 1000
    group.write_text("max\n")
    assert machine_memory() > 1000
