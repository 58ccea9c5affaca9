"""Every command of `sequela --help`, once, on small files that it can use.

    python tests/cli/every_command.py FOLDER

prints the exit code of each as JSON. It runs in one process, so that torch is loaded once; what the
commands start are processes of their own. Watch it with what you like, as
`strace -f -e trace=connect`.
"""

from __future__ import annotations

import contextlib
import io
import json
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent / "knowledge"), str(HERE.parent / "importers")]

from stub_server import serving  # noqa: E402

STUDY = "cohort: ../cohort\nseeds: [0]\nentries: [kaplan-meier, cox-clinical]\n"
SIZES = (
    *("simulation.patients=18", "simulation.visits.most=2", "simulation.mammogram.height=64"),
    *("simulation.mammogram.width=64", "simulation.hazard.five_year_recurrence=0.5"),
)
SMALL = ("epochs=1", "vocabulary=300", "layers=1", "dim=16", "heads=2", "tokens=24")
LABELS = "file,exam,side,view\na.png,e1,L,CC\n"
TABLE = "id,time,event\na,100,1\nb,200,0\nc,300,1\n"
MAPPING = """\
name: wide
patient_id: id
endpoints: {recurrence: {events: [{time: time, event: event}]}}
"""
NOTE = "Invasive ductal carcinoma, grade 2, 2.1 cm, margins free, pT2 N0 MX, of the left breast."


def files(folder: Path, tiny: str) -> None:
    """What the commands need beside a simulated cohort."""
    import imagecodecs
    import numpy as np
    import polars as pl
    import torch
    from test_fhir import PATIENT, RESOURCES, bundle_file
    from test_tcga import CDR

    cohort = folder / "cohort"
    (cohort / "sequela.yaml").write_text(tiny, encoding="utf-8")
    texts = pl.read_csv(cohort / "texts.csv", infer_schema=False)
    first = pl.col("text_id").is_first_distinct() & pl.col("patient_id").is_first_distinct()
    texts.with_columns(
        kind=pl.when(first).then(pl.lit("report")).otherwise("kind"),
        text=pl.when(first).then(pl.lit(NOTE)).otherwise("text"),
    ).write_csv(cohort / "texts.csv")
    shutil.copytree(cohort, folder / "purged")
    for name in ("pictures", "fhir", "studies", "tcga", "doctor"):
        (folder / name).mkdir()
    ramp = np.add.outer(np.arange(40), np.arange(40)).astype(np.uint16) * 40
    (folder / "pictures" / "a.png").write_bytes(imagecodecs.png_encode(ramp))
    (folder / "pictures" / "labels.csv").write_text(LABELS)
    bundle_file(folder / "fhir", [PATIENT, *RESOURCES])
    (folder / "tcga" / "TCGA-CDR.csv").write_text(CDR)
    (folder / "table.csv").write_text(TABLE)
    (folder / "mapping.yaml").write_text(MAPPING)
    (folder / "studies" / "small.yaml").write_text(STUDY)
    (folder / "published.csv").write_text("model,auc,auc_low,auc_high\nA,0.81,0.75,0.87\n")
    (folder / "values.json").write_text('[{"id": "unknown.value", "value": 1.0}]')
    torch.save({"a": torch.ones(2)}, folder / "model.pt")


def commands(folder: Path, url: str) -> Iterator[tuple[str, list[object]]]:
    """Each command's name and words."""
    cohort, out = folder / "cohort", folder / "out"
    walk: dict[str, list[object]] = {
        "check": [],
        "audit": [],
        "prepare": [],
        "pretrain-text": [f"pretrain_text.{word}" for word in SMALL],
        "pretrain": [],
        "train": ["-v", "st-b", "-v", "cox-text"],
        "predict": [],
        "evaluate": [],
        "compare": [],
        "explain": ["--variant", "st-b"],
        "knowledge refine": ["--model", "stub", "--url", url, "--until", 9999],
        "knowledge background": ["--cancer", "BRCA"],
        "knowledge review": ["--out", folder / "review.csv"],
        "report": [],
    }
    yield "doctor", [folder / "doctor"]
    yield "list", ["variants"]
    yield "init", [folder / "init"]
    yield "selftest fuzz", ["--n", 16]
    for name, words in walk.items():
        yield name, [cohort, *words]
    yield "study", [folder / "studies" / "small.yaml"]
    yield "verify", [cohort / "work" / "runs" / "st-b"]
    yield "purge", [folder / "purged", "SIM-00001"]
    yield "import dicom", [cohort / "dicom", "--out", out / "dicom"]
    yield "import pictures", [folder / "pictures", "--out", out / "pictures"]
    yield "import fhir", [folder / "fhir", "--out", out / "fhir"]
    mapping = ["--mapping", folder / "mapping.yaml"]
    yield "import table", [folder / "table.csv", "--out", out / "table", *mapping]
    yield "import tcga", [folder / "tcga", "--out", out / "tcga"]
    yield "deidentify", [cohort / "dicom", "--out", out / "copies", "--key", folder / "key"]
    yield "convert", [folder / "model.pt", out / "model.safetensors"]
    yield "conformance", ["--values", folder / "values.json", "--data", folder]
    yield "lint-table", [folder / "published.csv"]


def run(words: list[object]) -> int:
    """The exit code of one command."""
    from sequela.cli.main import main

    with contextlib.redirect_stdout(io.StringIO()):
        try:
            main(["--quiet", *(str(word) for word in words)])
        except SystemExit as end:
            return int(end.code or 0)
    return 0


def run_all(folder: Path) -> dict[str, int]:
    """The exit code of every command, by its name."""
    from spoken import TINY

    codes = {"simulate": run(["simulate", folder / "cohort", *SIZES])}
    files(folder, TINY.replace("tokens: 32", "tokens: 16").replace("epochs: 2", "epochs: 1"))
    with serving("good") as (url, _):
        for name, words in commands(folder, url):
            began = time.process_time()
            codes[name] = run([*name.split(), *words])
            sys.stderr.write(f"{name}: {time.process_time() - began:.1f} s\n")
    return codes


if __name__ == "__main__":
    sys.stdout.write(json.dumps(run_all(Path(sys.argv[1]))))
