"""A tiny world for crashes.py: two cohorts, foreign data, and a command for every stage."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

LUMIN = """\
protocol: {name: landmark, endpoint: recurrence, horizon: 1095}
split: {test: 0.3, validation: 0.3}
images: {size: 32}
text: {encoder: tiny, tokens: 16, tiny: {vocabulary: 300, layers: 1, dim: 8, heads: 1}}
model:
  dim: 8
  heads: 1
  layers: 1
  image: {name: resnet10t, options: {channels: [4, 4, 4, 4], stem_width: 4}}
head: {kind: discrete-hazard}
pretrain_text: {epochs: 1, vocabulary: 300, layers: 1, dim: 8, heads: 1, tokens: 16}
pretrain: {epochs: 2, batch: 16}
train: {epochs: 2, batch: 16}
evaluation: {bootstraps: 4, curve_bootstraps: 0}
explain: {patients: 1, checked: 1, nodes: 2, probed: 0, scattered: 0}
machine: {threads: 1, jobs: 1, workers: 0, device: cpu}
"""
KEMM = """\
protocol: {name: cross-validation, endpoint: os, horizon: null}
split: {test: 0.3, validation: 0.3}
model: {family: kemm, reads: [slide, genes, report, clinical], dim: 8, heads: 1}
train: {epochs: 2, batch: 16}
evaluation: {bootstraps: 4, curve_bootstraps: 0}
machine: {threads: 1, jobs: 1, workers: 0, device: cpu}
"""
STUDY = "cohort: lumin\nentries: [cox-clinical, st-r]\n"
SIMULATION = (
    "simulation.patients=16",
    "simulation.seed=3",
    "simulation.visits={fewest: 2, most: 2, missing_view: 0.5}",
    "simulation.hazard.five_year_recurrence=0.6",
    "simulation.mammogram={height: 64, width: 64, transfer_syntaxes: [explicit]}",
)
TABLE = "id,age,days,dead\n" + "".join(f"A{n},{50 + n},{100 + 7 * n},{n % 2}\n" for n in range(12))
MAPPING = """\
name: wide
patient_id: id
endpoints:
  os: {causes: {1: death}, events: [{time: days, event: dead}]}
clinical: {age: {kind: numeric}}
"""
CDR = "bcr_patient_barcode,type,age_at_initial_pathologic_diagnosis,gender,OS,OS.time\n" + "".join(
    f"TCGA-A{n % 3}-000{n},KIRC,{60 + n},MALE,{n % 2},{900 - n}\n" for n in range(6)
)


@dataclass(frozen=True)
class Stage:
    """A command, tried on the world as the stages before it left it.

    Attributes:
        words: The command.
        needs: The folders and files that it reads or changes, and those alone are put back.
    """

    words: tuple[str, ...]
    needs: tuple[str, ...]


STAGES: dict[str, Stage] = {
    "init": Stage(("init", "new"), ()),
    "simulate": Stage(("simulate", "drawn", *SIMULATION), ()),
    "import-dicom": Stage(
        ("import", "dicom", "lumin/dicom", "--out", "mg", "--key", "key"), ("lumin", "key")
    ),
    "import-pictures": Stage(
        ("import", "pictures", "pictures", "--out", "p", "--key", "key"), ("pictures", "key")
    ),
    "import-fhir": Stage(("import", "fhir", "fhir", "--out", "f", "--key", "key"), ("fhir", "key")),
    "import-table": Stage(
        ("import", "table", "wide.csv", "--out", "t", "--mapping", "wide.yaml", "--key", "key"),
        ("wide.csv", "wide.yaml", "key"),
    ),
    "import-tcga": Stage(("import", "tcga", "gdc", "--out", "g", "--copy"), ("gdc",)),
    "deidentify": Stage(
        ("deidentify", "lumin/dicom", "--out", "plain", "--key", "key"),
        ("lumin", "key"),
    ),
    "convert": Stage(("convert", "a.pt", "a.safetensors"), ("a.pt",)),
    "audit": Stage(("audit", "lumin"), ("lumin",)),
    "prepare": Stage(("prepare", "lumin"), ("lumin",)),
    "pretrain-text": Stage(("pretrain-text", "lumin"), ("lumin",)),
    "pretrain": Stage(("pretrain", "lumin"), ("lumin",)),
    "train": Stage(("train", "lumin", "-v", "lumin", "-v", "cox-clinical"), ("lumin",)),
    "predict": Stage(("predict", "lumin", "--without", "varying"), ("lumin",)),
    "evaluate": Stage(("evaluate", "lumin"), ("lumin",)),
    "explain": Stage(("explain", "lumin"), ("lumin",)),
    "report": Stage(("report", "lumin"), ("lumin",)),
    "study": Stage(("study", "short.yaml"), ("lumin", "short.yaml")),
    "purge": Stage(("purge", "lumin", "PATIENT"), ("lumin",)),
    "refine": Stage(("knowledge", "refine", "kemm"), ("kemm",)),
    "background": Stage(("knowledge", "background", "kemm"), ("kemm",)),
    "review": Stage(("knowledge", "review", "kemm", "--out", "kemm/work/review.csv"), ("kemm",)),
    "prepare-kemm": Stage(("prepare", "kemm"), ("kemm",)),
    "train-kemm": Stage(("train", "kemm", "-v", "kemm"), ("kemm",)),
    "predict-kemm": Stage(("predict", "kemm"), ("kemm",)),
}


def write_checkpoint(world: Path) -> None:
    """What `convert` reads."""
    import torch

    torch.save({"state_dict": {"a": torch.ones(3, 4)}}, world / "a.pt")


def write_sources(world: Path) -> None:
    """What the other stages read and no stage makes; called in a process of its own."""
    import imagecodecs
    import numpy as np

    from sequela.simulation.specimens import PLAIN
    from sequela.simulation.tumour_cohort import simulate_tumours
    from sequela.simulation.tumours import TumourSettings

    generator = np.random.default_rng(1)
    signatures = {name: generator.normal(size=(2, 8)) for name in ("KIRC", "LUAD")}
    simulate_tumours(TumourSettings(patients=24, seed=1, patches=6), signatures, world / "kemm")
    (world / "kemm" / "sequela.yaml").write_text(KEMM)
    (world / "lumin" / "sequela.yaml").write_text(LUMIN)
    (world / "short.yaml").write_text(STUDY)
    (world / "wide.csv").write_text(TABLE)
    (world / "wide.yaml").write_text(MAPPING)
    (world / "key").write_text("ab" * 32 + "\n")
    (world / "gdc").mkdir()
    (world / "gdc" / "TCGA-CDR.csv").write_text(CDR)
    (world / "fhir").mkdir()
    (world / "fhir" / "a.json").write_bytes(PLAIN["fhir-json"]())
    (world / "pictures").mkdir()
    rows = ["file,exam,side,view,patient,day"]
    for number, (side, view) in enumerate((s, v) for s in "LR" for v in ("CC", "MLO")):
        picture = np.full((20, 20), 100 * number, np.uint16)
        (world / "pictures" / f"{number}.png").write_bytes(imagecodecs.png_encode(picture))
        rows.append(f"{number}.png,x1,{side},{view},p1,0")
    (world / "pictures" / "labels.csv").write_text("\n".join(rows) + "\n")


def words_of(stage: Stage, world: Path) -> list[str]:
    """The command, with the id of a patient of this world where one is asked for."""
    lines = (world / "lumin" / "patients.csv").read_text().splitlines() if stage.needs else []
    return [lines[1].split(",")[0] if word == "PATIENT" else word for word in stage.words]


def in_this_process() -> None:
    """Have what child processes do done here, so that it is in reach of what fails."""
    from sequela import workers
    from sequela.errors import DiskFullError, SequelaError, StorageError
    from sequela.training import side_by_side

    def each(function: Callable[..., Any], tasks: Sequence[tuple[object, ...]], **_: object) -> Any:
        for index, task in enumerate(tasks):
            try:
                yield workers.Done(index, function(*task), 0.01)
            except SequelaError as error:
                if isinstance(error, StorageError | DiskFullError):
                    raise
                yield workers.Done(index, workers.Failure(error.message), 0.01)
            except Exception as error:  # noqa: BLE001 - as `workers.serve` has it
                reason = f"cannot be read ({type(error).__name__})"
                yield workers.Done(index, workers.Failure(reason), 0.01)

    def beside(work: Callable[..., Any], tasks: Sequence[Any], **_: object) -> list[Any]:
        return [work(task, lambda _: None) for task in tasks]

    exchanged = {id(workers.each): each, id(side_by_side.side_by_side): beside}
    for name, module in list(sys.modules.items()):
        if name.startswith("sequela."):
            for key, value in list(vars(module).items()):
                if id(value) in exchanged:
                    setattr(module, key, exchanged[id(value)])


def told_of_time(name: str, content: bytes) -> bytes:
    """A file's content without what only tells how long something took."""
    if name.endswith("log.jsonl"):
        lines = [json.loads(line) for line in content.splitlines()]
        kept = [{k: v for k, v in line.items() if "seconds" not in k} for line in lines]
        return json.dumps(kept).encode()
    if name.endswith("seal.json"):
        sealed = json.loads(content)
        files = {k: v for k, v in sealed["files"].items() if not k.endswith("log.jsonl")}
        return json.dumps({**sealed, "files": files, "names": sorted(sealed["files"])}).encode()
    return content
