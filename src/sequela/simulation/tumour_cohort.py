"""A simulated cohort of resected tumours as the folder that a user would have."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import polars as pl
import yaml
from safetensors.numpy import save

from sequela.cohort.manifest import FILE_NAME, Covariate, Endpoint, Manifest, TableSource
from sequela.cohort.table_files import write_table
from sequela.errors import UsageError
from sequela.simulation.tumours import (
    GENES_OF_A_SET,
    SETS,
    STAGES,
    Kind,
    Signatures,
    Tumour,
    TumourSettings,
    draw_expression,
    draw_patches,
    draw_tumour,
    write_report,
)
from sequela.storage import atomic, make_folder, write_json, write_text

_FEATURES = "features"
_SITES = 8


def simulate_tumours(settings: TumourSettings, signatures: Signatures, folder: Path) -> None:
    """Write a cohort folder: manifest, tables, a feature file a slide, and the truth.

    A feature file is safetensors: `features`, a row a patch, and `coords`, its place in pixels.
    The manifest is written last; the same settings and signatures give the same files.

    Args:
        settings: What the cohort is like.
        signatures: By cancer type, the vectors of its claims about slides in the space of the
            patch features.
        folder: Where it goes.

    Raises:
        UsageError: If the folder holds a cohort already.
    """
    if (folder / FILE_NAME).exists():
        raise UsageError(f"{folder.name} holds a cohort already", hint="choose another folder")
    cancers = sorted(signatures)
    tumours = [draw_tumour(settings, number, cancers) for number in range(settings.patients)]
    slides = [tumour for tumour in tumours if "slide" in tumour.has]
    kinds: dict[str, list[Kind]] = {}
    for tumour in slides:
        patches, kinds[tumour.patient_id] = draw_patches(settings, tumour, signatures)
        _write_features(folder / _FEATURES / f"{tumour.patient_id}.safetensors", patches)
    write_table(_patients(tumours), folder / "patients.csv")
    write_table(_outcomes(tumours), folder / "outcomes.csv")
    write_table(_texts(settings, tumours), folder / "texts.csv")
    write_table(_slides(slides), folder / "slides.csv")
    with atomic(folder / "expression.parquet") as temporary:
        _expression(settings, tumours).write_parquet(temporary)
    write_text(folder / "sets.gmt", _sets())
    oracle = {"patient_id": [t.patient_id for t in tumours], "risk": [t.predictor for t in tumours]}
    make_folder(folder / "truth")
    for name, table in (("oracle", pl.DataFrame(oracle)), ("patches", _planted(kinds))):
        with atomic(folder / "truth" / f"{name}.parquet") as temporary:
            table.write_parquet(temporary)
    write_json(folder / "truth" / "signals.json", settings.model_dump(mode="json"))
    manifest = _manifest(settings).model_dump(exclude_defaults=True, mode="json")
    write_text(folder / FILE_NAME, yaml.safe_dump(manifest, sort_keys=False))


def _manifest(settings: TumourSettings) -> Manifest:
    files = {name: f"{name}.csv" for name in ("patients", "outcomes", "slides")}
    return Manifest(
        name=settings.name,
        description="Simulated patients, not real ones; what drives their hazard is in truth/.",
        synthetic=True,
        licence="CC0-1.0",
        endpoints={"os": Endpoint(causes={1: "death"})},
        clinical={
            "age": Covariate(kind="numeric", unit="years"),
            "stage": Covariate(kind="ordinal", levels=STAGES),
        },
        tables={
            **{name: TableSource(file=file) for name, file in files.items()},
            "texts": TableSource(file="texts.csv"),
            "expression": TableSource(file="expression.parquet", unit="z"),
            "gene_sets": TableSource(file="sets.gmt"),
        },
    )


def _patients(tumours: list[Tumour]) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "patient_id": [t.patient_id for t in tumours],
            "site": [f"hospital-{t.number % _SITES}" for t in tumours],
            "cancer_type": [t.cancer for t in tumours],
            "age": [round(t.age, 1) for t in tumours],
            "stage": [STAGES[t.stage] for t in tumours],
        }
    )


def _outcomes(tumours: list[Tumour]) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "patient_id": [t.patient_id for t in tumours],
            "endpoint": ["os"] * len(tumours),
            "time": [t.time for t in tumours],
            "event": [int(t.died) for t in tumours],
        }
    )


def _texts(settings: TumourSettings, tumours: list[Tumour]) -> pl.DataFrame:
    told = [tumour for tumour in tumours if "report" in tumour.has]
    return pl.DataFrame(
        {
            "text_id": [f"{t.patient_id}-R" for t in told],
            "patient_id": [t.patient_id for t in told],
            "day": [0] * len(told),
            "kind": ["pathology report"] * len(told),
            "text": [write_report(settings, t) for t in told],
        }
    )


def _slides(tumours: list[Tumour]) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "slide_id": [f"{t.patient_id}-S" for t in tumours],
            "patient_id": [t.patient_id for t in tumours],
            "features": [f"{_FEATURES}/{t.patient_id}.safetensors" for t in tumours],
        }
    )


def _planted(kinds: Mapping[str, Sequence[Kind]]) -> pl.DataFrame:
    """Which claim each patch is like: its cancer type, and its place among those about slides."""
    rows = [
        (patient, place, *kind)
        for patient, theirs in kinds.items()
        for place, kind in enumerate(theirs)
    ]
    schema = {"patient_id": pl.String, "patch": pl.Int64, "cancer": pl.String, "claim": pl.Int64}
    return pl.DataFrame(rows, schema=schema, orient="row")


def _genes() -> list[list[str]]:
    return [[f"SYN{s}G{g}" for g in range(GENES_OF_A_SET)] for s in range(SETS)]


def _expression(settings: TumourSettings, tumours: list[Tumour]) -> pl.DataFrame:
    told = [tumour for tumour in tumours if "genes" in tumour.has]
    values = np.stack([draw_expression(settings, tumour) for tumour in told])
    names = [gene for genes in _genes() for gene in genes]
    ids = pl.DataFrame({"patient_id": [t.patient_id for t in told]})
    return ids.hstack(pl.DataFrame(values, schema=names))


def _sets() -> str:
    return "".join(
        "\t".join([f"SYNTHETIC_{place}", "simulated", *genes]) + "\n"
        for place, genes in enumerate(_genes())
    )


def _write_features(path: Path, patches: np.ndarray) -> None:
    side = 8
    rows = np.arange(len(patches))
    coords = np.stack([rows % side, rows // side], axis=1) * 256
    told = json.dumps({"encoder": "simulated", "mpp": 0.5}, sort_keys=True)
    make_folder(path.parent)
    with atomic(path) as temporary:
        tensors = {"features": patches, "coords": coords}
        temporary.write_bytes(save(tensors, metadata={"sequela": told}))
