from __future__ import annotations

import json
import re
import runpy
import shutil
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import polars as pl
import pytest
from spoken import Spoken, contents, speak

Walk = tuple[Path, dict[str, Spoken]]
Commands = Callable[[Path], dict[str, tuple[object, ...]]]

MODELS = {"st-i", "st-r", "lumin", "cox-clinical", "kaplan-meier", "timing-only"}


def test_every_command_ends_well_and_answers_in_json(walked: Walk) -> None:
    answers = {name: said.answer for name, said in walked[1].items()}
    assert answers["check"]["errors"] == 0
    assert answers["prepare"]["cases"] > answers["prepare"]["patients"] > 20
    assert answers["pretrain"]["runs"] == ["pretrain"]
    assert set(answers["train"]["runs"]) == MODELS
    assert set(answers["predict"]["variants"]) == MODELS
    assert {model["name"] for model in answers["evaluate"]["models"]} == MODELS
    assert len(answers["compare"]["comparisons"][0]["differences"]) == 15
    assert answers["explain"]["pictures"]
    assert answers["report"]["bytes"] > 10_000


def test_predictions_are_of_validation_and_test_patients_and_never_of_training(
    walked: Walk,
) -> None:
    work = walked[0] / "work"
    predicted = pl.read_parquet(work / "predictions.parquet")
    parts = pl.read_csv(work / "splits.csv", schema_overrides={"patient_id": pl.String})
    joined = predicted.join(parts, on="patient_id", suffix="_drawn")
    assert len(joined) == len(predicted)
    assert (joined["split"] == joined["split_drawn"]).all()
    assert set(joined["split"]) == {"validation", "test"}


def test_what_evaluate_wrote_is_what_it_answered(walked: Walk) -> None:
    cohort, said = walked
    written = json.loads((cohort / "work" / "evaluation.json").read_text(encoding="utf-8"))
    assert written == said["evaluate"].answer


class Page(HTMLParser):
    """The text of a page, what it loads, and whether its elements close."""

    VOID = frozenset({"meta", "link", "br", "img", "input", "hr", "col", "wbr"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.text: list[str] = []
        self.loaded: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in self.VOID:
            self.open.append(tag)
        self.loaded += [value or "" for name, value in attrs if name == "src"]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def test_the_report_opens_offline_and_names_every_model(walked: Walk) -> None:
    page = Page()
    page.feed((walked[0] / "work" / "report.html").read_text(encoding="utf-8"))
    text = " ".join(page.text)
    assert not page.open
    assert all(name in text for name in MODELS)
    assert "research use only" in text.lower()
    assert page.loaded
    assert all(source.startswith("data:") for source in page.loaded)


def test_what_the_walk_writes_is_its_owners_alone(walked: Walk) -> None:
    work = walked[0] / "work"
    assert {path.stat().st_mode & 0o077 for path in (work, *work.rglob("*"))} == {0}


def test_running_every_command_again_changes_no_byte(copied_walk: Path, commands: Commands) -> None:
    before = contents(copied_walk)
    for words in commands(copied_walk).values():
        assert speak("--json", *words).code == 0
    after = contents(copied_walk)
    assert {name for name in before | after if before.get(name) != after.get(name)} == set()


@pytest.mark.parametrize(
    ("words", "undone"),
    [
        (("prepare",), ("work",)),
        (("pretrain",), ("work/runs",)),
        (("train", "-v", "st-r"), ("work/runs/st-r", "work/runs/lumin")),
    ],
)
def test_a_dry_run_tells_the_cost_and_writes_nothing(
    copied_walk: Path, words: tuple[str, ...], undone: tuple[str, ...]
) -> None:
    for folder in undone:
        shutil.rmtree(copied_walk / folder)
    before = contents(copied_walk)
    command, *options = words
    told = speak("--json", command, copied_walk, "--dry-run", *options).answer
    assert told["seconds"] > 0
    assert contents(copied_walk) == before
    assert not any((copied_walk / folder).exists() for folder in undone)


README = Path(__file__).parents[2] / "README.md"


def test_the_python_of_the_readme_makes_the_same_report(
    copied_walk: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (block,) = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    script = copied_walk.parent / "walk.py"
    script.write_text(block, encoding="utf-8")
    report = copied_walk / "work" / "report.html"
    before = report.read_bytes()
    report.unlink()
    monkeypatch.chdir(script.parent)
    runpy.run_path(str(script), run_name="__main__")
    assert "shape: (5, " in capsys.readouterr().out
    assert report.read_bytes() == before
