from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from spoken import speak


@pytest.fixture
def lung(tmp_path: Path) -> Path:
    """Eight patients under the name of a published table."""
    (tmp_path / "lung.csv").write_text("time,status\n1,2\n2,2\n3,1\n4,2\n5,1\n6,2\n7,1\n8,1\n")
    return tmp_path


def values(folder: Path, **expected: float) -> Path:
    file = folder / "values.json"
    file.write_text(json.dumps({"km": expected}))
    return file.rename(folder / "lung.json")


def test_conformance_answers_as_json(lung: Path) -> None:
    file = values(lung, **{"S(2)": 0.75, "mode": 3.0})
    answer = speak("conformance", "--values", file, "--data", lung, "--json").answer
    assert answer["values"] == [
        {"id": "lung.km.S(2)", "expected": 0.75, "got": 0.75, "relative_error": 0.0}
    ]
    assert [entry["id"] for entry in answer["not_recomputed"]] == ["lung.km.mode"]


def test_conformance_ends_with_3_on_a_miss_and_says_which(lung: Path) -> None:
    said = speak("conformance", "--values", values(lung, **{"S(2)": 0.7}), "--data", lung)
    assert said.code == 3
    assert "missed: lung.km.S(2): expected 0.7, got 0.75" in said.out
    assert "1 of 1 values recomputed, 1 missed" in said.out


def test_conformance_names_what_it_left_out(lung: Path) -> None:
    said = speak("conformance", "--values", values(lung, mode=1, mean=2), "--data", lung)
    assert said.code == 0
    assert "2 value(s), for no such computation is known: lung.km.mode, lung.km.mean" in said.out


def test_conformance_needs_its_files(lung: Path) -> None:
    assert speak("conformance", "--values", lung / "none.json", "--data", lung).code == 2
    assert speak("conformance", "--values", values(lung, mode=1), "--data", lung / "no").code == 2


@pytest.fixture
def results(tmp_path: Path) -> Path:
    file = tmp_path / "results.csv"
    file.write_text("model,Area,HR,p\n[a],0.75 (0.80–0.90),2.00 (1.50–2.67),0.30\n")
    return file


def test_a_table_with_a_contradiction_ends_with_3(results: Path) -> None:
    said = speak("lint-table", results)
    assert said.code == 3
    assert "row 1, [a]: L005 contradiction: p 0.30 does not fit hazard_ratio 2.00" in said.out
    assert "columns not looked at: Area" in said.out
    mapped = speak("lint-table", results, "--column", "auc=Area", "--json")
    assert mapped.code == 3
    found = json.loads(mapped.out)
    assert [one["code"] for one in found["findings"]] == ["L001", "L005"]
    assert found["columns"] == {"auc": "Area", "hazard_ratio": "HR", "p": "p"}


def test_a_table_with_remarks_alone_ends_with_0(results: Path) -> None:
    answer = speak("lint-table", results, "--not-wald", "--json").answer
    assert answer["contradictions"] == 0


def test_bad_flags_of_lint_table_are_usage_faults(results: Path) -> None:
    for words in (
        ("--level", "95"),
        ("--prevalence", "many"),
        ("--column", "auc"),
        ("--group", "x"),
    ):
        assert speak("lint-table", results, *words).code == 2
    assert speak("lint-table", results.with_name("none.csv")).code == 2


@pytest.mark.parametrize("command", ["conformance", "lint-table"])
def test_scrutiny_starts_without_torch(command: str) -> None:
    code = (
        "import sys; from sequela.cli.main import main\n"
        f"try: main(['{command}', '--help'])\n"
        "except SystemExit: print('torch' in sys.modules, file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "False"
