from __future__ import annotations

import random
from typing import Any

import pytest

from sequela.cohort.cohort import read_cohort
from sequela.cohort.selection import ProtocolSettings, select_cases
from sequela.cohort.splits import Splits, SplitSettings, draw_splits
from sequela.errors import LeakageError, LockedError


def drawn(folder: Any, settings: SplitSettings) -> Splits:
    cohort = read_cohort(folder)
    return draw_splits(cohort, select_cases(cohort, ProtocolSettings(name="paper")), settings)


def test_the_draw_does_not_know_the_row_order(write: Any, little: Any) -> None:
    tables = little(40)
    before = drawn(write(tables), SplitSettings())
    for rows in tables.values():
        random.Random(2).shuffle(rows)
    assert drawn(write(tables), SplitSettings()).fingerprint == before.fingerprint
    assert drawn(write(tables), SplitSettings(seed=1)).fingerprint != before.fingerprint


def test_what_is_written_is_read(write: Any, little: Any, tmp_path: Any) -> None:
    splits = drawn(write(little(40)), SplitSettings(folds=4))
    splits.write(tmp_path)
    again = Splits.read(tmp_path)
    assert again.fingerprint == splits.fingerprint
    assert again.of(0, 3) == splits.of(0, 3)


def test_a_changed_file_is_refused(write: Any, little: Any, tmp_path: Any) -> None:
    drawn(write(little(40)), SplitSettings()).write(tmp_path)
    path = tmp_path / "splits.csv"
    text = path.read_text()
    path.write_text(text.replace("train", "test", 1))
    with pytest.raises(LockedError, match="changed"):
        Splits.read(tmp_path)
    path.write_text(text + "0,0,P0,test\n0,0,P0,train\n")
    with pytest.raises(LeakageError, match="1 patient"):
        Splits.read(tmp_path)
