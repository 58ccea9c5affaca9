from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sequela.simulation.specimens import KINDS, mutated, write_specimens


def test_a_damage_is_drawn_anew_from_its_seed_alone() -> None:
    content = bytes(range(256)) * 8
    one, same = (mutated(content, np.random.default_rng([0, 5])) for _ in range(2))
    others = {mutated(content, np.random.default_rng([0, n])) for n in range(50)}
    assert one == same
    assert len(others - {content}) > 45


@pytest.mark.parametrize("content", [b"", b"x"])
def test_nothing_can_be_damaged_too(content: bytes) -> None:
    for n in range(30):
        mutated(content, np.random.default_rng(n))


def test_every_kind_has_a_specimen(tmp_path: Path) -> None:
    made = write_specimens(tmp_path)
    assert tuple(made) == KINDS
    assert all(path.stat().st_size for paths in made.values() for path in paths)
