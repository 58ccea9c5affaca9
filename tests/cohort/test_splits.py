from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from sequela.cohort.cohort import Cohort, read_cohort
from sequela.cohort.protocol import ProtocolSettings
from sequela.cohort.selection import Selection, select_cases
from sequela.cohort.splits import Splits, SplitSettings, draw_splits
from sequela.errors import DataError, LeakageError, LockedError

PAPER = ProtocolSettings(name="paper")
Draw = Callable[..., Splits]


def chosen(folder: Path) -> tuple[Cohort, Selection]:
    cohort = read_cohort(folder)
    return cohort, select_cases(cohort, PAPER)


@pytest.fixture
def draw(write: Any, little: Any) -> Draw:
    folder = write(little(40))

    def drawn(**settings: Any) -> Splits:
        return draw_splits(*chosen(folder), SplitSettings(**settings))

    return drawn


def shares(splits: Splits, fold: int = 0) -> Counter[str]:
    return Counter(splits.of(0, fold).values())


def test_the_paper_splits_seventy_thirty_and_then_eighty_twenty(draw: Draw) -> None:
    assert shares(draw()) == {"test": 12, "validation": 6, "train": 22}


def test_events_are_spread_evenly(draw: Draw) -> None:
    parts = draw(folds=5).of(0, 2)
    for part in ("train", "validation", "test"):
        numbers = [int(name[1:]) for name, where in parts.items() if where == part]
        with_event = sum(number % 2 for number in numbers)
        assert abs(with_event - len(numbers) / 2) <= 1


def test_the_draw_does_not_know_the_row_order(write: Any, little: Any) -> None:
    tables = little(40)
    before = draw_splits(*chosen(write(tables)), SplitSettings(folds=3))
    for rows in tables.values():
        random.Random(2).shuffle(rows)
    after = draw_splits(*chosen(write(tables)), SplitSettings(folds=3))
    assert after.fingerprint == before.fingerprint


def test_seed_and_repeat_change_the_draw(draw: Draw) -> None:
    splits = draw(repeats=2)
    assert splits.of(0) != splits.of(1)
    assert splits.of(0) == draw().of(0)
    assert splits.of(0) != draw(seed=1).of(0)


def test_each_patient_is_tested_once_over_the_folds(draw: Draw) -> None:
    splits = draw(folds=4)
    tested = [
        name for fold in range(4) for name, where in splits.of(0, fold).items() if where == "test"
    ]
    assert sorted(tested) == sorted(splits.of(0, 0))
    assert all(shares(splits, fold)["validation"] == 6 for fold in range(4))


def test_a_site_stays_in_one_part(write: Any, little: Any) -> None:
    tables = little(60)
    for number, row in enumerate(tables["patients"]):
        row["site"] = f"S{number % 12}"
    splits = draw_splits(*chosen(write(tables)), SplitSettings(folds=3, group="site"))
    for fold in range(3):
        site_parts: dict[str, set[str]] = {}
        for name, where in splits.of(0, fold).items():
            site_parts.setdefault(f"S{int(name[1:]) % 12}", set()).add(where)
        assert all(len(parts) == 1 for parts in site_parts.values())
        assert shares(splits, fold)["test"] == 20


def test_sites_are_needed_to_keep_them_together(write: Any, little: Any) -> None:
    tables = little(10)
    tables["patients"][3]["site"] = ""
    with pytest.raises(DataError, match=r"1 patient\(s\) have no site"):
        draw_splits(*chosen(write(tables)), SplitSettings(group="site"))


def test_without_a_test_part_everyone_trains_or_validates(draw: Draw) -> None:
    assert shares(draw(test=0)) == {"validation": 8, "train": 32}
    assert shares(draw(test=0, validation=0)) == {"train": 40}


def test_a_part_with_one_class_is_refused_by_name(write: Any, little: Any) -> None:
    tables = little(40)
    for number, row in enumerate(tables["outcomes"]):
        row["event"] = int(number == 0)
    with pytest.raises(DataError) as caught:
        draw_splits(*chosen(write(tables)), SplitSettings())
    assert any("validation" in item and "0 with the event" in item for item in caught.value.items)


def test_an_event_after_the_horizon_is_none(write: Any, little: Any) -> None:
    folder = write(little(40))
    cohort = read_cohort(folder)
    selection = select_cases(cohort, ProtocolSettings(horizon=100))
    with pytest.raises(DataError, match="cannot be used"):
        draw_splits(cohort, selection, SplitSettings())


def test_what_is_written_is_read(draw: Draw, tmp_path: Path) -> None:
    splits = draw(folds=4)
    splits.write(tmp_path)
    again = Splits.read(tmp_path)
    assert again.table.equals(splits.table)
    assert (again.fingerprint, again.settings, again.cohort) == (
        splits.fingerprint,
        splits.settings,
        splits.cohort,
    )
    splits.write(tmp_path)
    with pytest.raises(LockedError, match="another division"):
        draw(folds=4, seed=9).write(tmp_path)


def test_a_changed_file_is_refused(draw: Draw, tmp_path: Path) -> None:
    draw().write(tmp_path)
    path = tmp_path / "splits.csv"
    text = path.read_text()
    path.write_text(text.replace("train", "test", 1))
    with pytest.raises(LockedError, match="changed"):
        Splits.read(tmp_path)
    path.write_text(text.replace("train", "tset", 1))
    with pytest.raises(DataError, match="names a part"):
        Splits.read(tmp_path)
    path.write_text(text.replace("0,0", "0,x", 1))
    with pytest.raises(DataError, match="whole number"):
        Splits.read(tmp_path)


def test_a_patient_in_two_parts_is_leakage(draw: Draw, tmp_path: Path) -> None:
    draw().write(tmp_path)
    path = tmp_path / "splits.csv"
    path.write_text(path.read_text() + "0,0,P0,test\n0,0,P0,train\n")
    with pytest.raises(LeakageError, match="1 patient") as caught:
        Splits.read(tmp_path)
    assert caught.value.items == ("repeat 0, fold 0",)


@pytest.mark.parametrize("seal", [None, "{", "[]", '{"hash": "x"}'])
def test_a_lost_seal_is_refused(draw: Draw, tmp_path: Path, seal: str | None) -> None:
    draw().write(tmp_path)
    (tmp_path / "splits.json").unlink()
    if seal is not None:
        (tmp_path / "splits.json").write_text(seal)
    with pytest.raises(LockedError):
        Splits.read(tmp_path)


def test_a_stranger_to_the_splits_is_refused(write: Any, little: Any) -> None:
    splits = draw_splits(*chosen(write(little(20))), SplitSettings())
    _, selection = chosen(write(little(22)))
    with pytest.raises(LockedError, match=r"2 patient\(s\)"):
        splits.require_patients(selection)


def published(folder: Path, rows: list[tuple[int, str, str]]) -> SplitSettings:
    table = pl.DataFrame(rows, schema=["fold", "split", "patient_id"], orient="row")
    table.write_csv(folder / "folds.csv")
    return SplitSettings(file="folds.csv")


def test_published_folds_are_followed_and_validation_is_drawn_from_training(
    write: Any, little: Any
) -> None:
    folder = write(little(40))
    rows = [
        (fold, "val" if number // 2 % 4 == fold else "train", f"P{number}")
        for fold in range(4)
        for number in range(40)
    ]
    settings = published(folder, [*rows, (0, "train", "somebody-else")])
    splits = draw_splits(*chosen(folder), settings)
    for fold in range(4):
        tested = {name for name, where in splits.of(0, fold).items() if where == "test"}
        assert tested == {name for f, where, name in rows if f == fold and where == "val"}
        assert shares(splits, fold)["validation"] == 6
        assert "somebody-else" not in splits.of(0, fold)


def test_published_folds_that_leak_or_lack_a_patient_are_refused(write: Any, little: Any) -> None:
    folder = write(little(4))
    rows = [(0, ("train", "test")[number // 2], f"P{number}") for number in range(4)]
    with pytest.raises(LeakageError):
        draw_splits(*chosen(folder), published(folder, [*rows, (0, "test", "P0")]))
    with pytest.raises(DataError, match=r"1 patient\(s\) are in no part of fold 0"):
        draw_splits(*chosen(folder), published(folder, rows[:3]))
    with pytest.raises(DataError, match="no split file"):
        draw_splits(*chosen(folder), SplitSettings(file="none.csv"))
