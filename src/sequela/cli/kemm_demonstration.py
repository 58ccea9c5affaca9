"""`sequela demo kemm`: slides as features, genes and reports, to the table with its controls."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer
from rich.markup import escape

from sequela.cli.answers import answer
from sequela.cli.demonstration import claim, planned, run
from sequela.cli.words import packaged
from sequela.storage import write_text

if TYPE_CHECKING:
    import numpy as np

NAME = "kemm"
_STUDY = "demo.yaml"
_RIVALS = ("cox-clinical", "cox-expression", "learned-queries", "wrong-cancer-pbk")


def walk_kemm(app: typer.Typer, folder: Path, patients: int, seed: int) -> None:
    """Make the patients, study KEMM beside its controls, and say whether each did as it must."""
    from sequela.simulation.tumour_cohort import simulate_tumours
    from sequela.simulation.tumours import TumourSettings

    claim(folder, f"kemm patients={patients} seed={seed}")
    started = time.monotonic()
    if not (folder / _STUDY).exists():
        write_text(folder / _STUDY, packaged("demo-kemm.yaml"))
    cohort = folder / "cohort"
    if not (cohort / "cohort.yaml").exists():
        settings = TumourSettings(patients=patients, seed=seed)
        simulate_tumours(settings, signatures(), cohort)
    run(app, ["check", str(cohort)])
    run(app, ["study", str(folder / _STUDY), "--jobs", "2"])
    _close(cohort / "work" / "studies" / "demo", time.monotonic() - started)


def signatures() -> dict[str, np.ndarray]:
    """What each claim about slides looks like to an encoder that shares the claims' space."""
    from torch.nn.functional import normalize

    from sequela.encoders.frozen_text import encode_sentences
    from sequela.knowledge.background import CANCER_TYPES, read_pack

    claims = {
        cancer: [one.text for one in read_pack(cancer) if one.modality == "slide"]
        for cancer in CANCER_TYPES
    }
    return {
        cancer: normalize(encode_sentences(texts), dim=1).double().numpy()
        for cancer, texts in claims.items()
    }


def _close(study: Path, seconds: float) -> None:
    content = json.loads((study / "evaluation.json").read_text(encoding="utf-8"))
    report, said = (study / "report.html").resolve(), verdict(content)
    pages = sorted(path.name for path in (study / "explanations").glob("patient-*.html"))
    answer(
        {"report": str(report), "pages": pages, "seconds": round(seconds, 1), "verdict": said},
        "\n[bold]All patients are synthetic: these numbers say that the toolkit works, and nothing "
        "about cancer.[/]",
        *(escape(sentence) for sentence in said),
        f"{len(pages)} patients have a page, in explanations beside the report, which links to "
        "them.",
        f"\n{seconds / 60:.1f} min. The report: [bold]{escape(str(report))}[/]",
    )


def verdict(content: dict[str, Any]) -> list[str]:
    """Whether KEMM beat its rivals and each control; where knowledge was planted it must."""
    return planned(content, "kemm", _RIVALS, ("harrell_c", "C"))
