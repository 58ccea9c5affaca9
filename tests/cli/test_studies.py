"""`sequela study`: from a file to tables and a page, and once only.

Its processes have their own tests (tests/training/test_side_by_side.py); here the tasks are done in
this one, for starting one takes longer than all of them.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from spoken import speak

from sequela.cli.studies import _complain_of
from sequela.errors import SequelaError
from sequela.storage import fingerprint
from sequela.training import study_runs
from sequela.training.study_runs import FailedRun

STUDY = """\
cohort: cohort
seeds: [0]
settings:
  train: {epochs: 1}
  evaluation: {curve_bootstraps: 0}
  text: {tiny: {vocabulary: 300, layers: 1, dim: 16, heads: 2}}
entries:
  - kaplan-meier
  - cox-clinical
  - st-r
  - lumin-without-pretraining
"""


def hashes(folder: Path) -> dict[str, str]:
    files = (
        path
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.endswith(".lock")
    )
    return {str(path.relative_to(folder)): fingerprint(path) for path in files}


def in_this_process(
    work: Callable[[Any, Callable[[int], None]], Any], tasks: Sequence[Any], **_: object
) -> list[Any]:
    return [work(task, lambda _: None) for task in tasks]


def test_a_study_ends_in_tables_and_a_page_and_again_changes_nothing(
    simulated: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(study_runs, "side_by_side", in_this_process)
    shutil.copytree(simulated, tmp_path / "cohort")
    file = tmp_path / "short.yaml"
    file.write_text(STUDY, encoding="utf-8")
    planned = speak("--json", "study", file, "--dry-run").answer
    assert (planned["runs"], planned["finished"], planned["seconds"]) == (4, 0, None)
    assert not (tmp_path / "cohort" / "work").exists()

    said = speak("--json", "study", file).answer
    assert (said["runs"], said["failed"]) == (4, [])
    assert {"table-1.md", "table-1.tex", "table-1.csv", "table-2.md"} <= set(said["tables"])
    folder = tmp_path / "cohort" / "work" / "studies" / "short"
    assert list((folder / "explanations").glob("*-map.png"))
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert "the paper's Table 1" in page.replace("&#39;", "'")
    assert "ST-R" in (folder / "tables" / "table-1.md").read_text(encoding="utf-8")

    before = hashes(folder)
    assert speak("--json", "study", file).answer == said
    assert hashes(folder) == before


def test_a_study_file_that_cannot_be_read_is_refused_with_what_to_mend(tmp_path: Path) -> None:
    file = tmp_path / "study.yaml"
    file.write_text("cohort: nowhere\nentires: [lumin]\n", encoding="utf-8")
    spoken = speak("--json", "study", file)
    assert spoken.code == 2
    assert any("did you mean entries" in item for item in spoken.error["items"])


@pytest.mark.parametrize(
    ("codes", "exit_code"),
    [(("data",), 3), (("data", "storage"), 4), (("limit", "data"), 7), (("diverged",), 3)],
)
def test_a_disk_that_refused_a_run_is_told_by_the_exit_code(
    codes: tuple[str, ...], exit_code: int
) -> None:
    failed = [FailedRun(f"run-{code}", code, "why", "mend") for code in codes]
    with pytest.raises(SequelaError) as caught:
        _complain_of(failed)
    assert caught.value.exit_code == exit_code
    assert len(caught.value.items) == len(codes)
