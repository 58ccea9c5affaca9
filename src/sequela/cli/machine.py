"""What this machine can do, and what there is to choose from: doctor, list."""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import os
import platform
import shutil
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from sequela.cli.answers import answer
from sequela.workers import available_cores

_GIB = 2**30
_TRANSFER_SYNTAXES = {
    "1.2.840.10008.1.2": "Implicit VR Little Endian",
    "1.2.840.10008.1.2.1": "Explicit VR Little Endian",
    "1.2.840.10008.1.2.1.99": "Deflated Explicit VR",
    "1.2.840.10008.1.2.2": "Explicit VR Big Endian",
    "1.2.840.10008.1.2.5": "RLE Lossless",
    "1.2.840.10008.1.2.4.50": "JPEG Baseline",
    "1.2.840.10008.1.2.4.51": "JPEG Extended",
    "1.2.840.10008.1.2.4.57": "JPEG Lossless",
    "1.2.840.10008.1.2.4.70": "JPEG Lossless SV1",
    "1.2.840.10008.1.2.4.80": "JPEG-LS Lossless",
    "1.2.840.10008.1.2.4.81": "JPEG-LS Near-Lossless",
    "1.2.840.10008.1.2.4.90": "JPEG 2000 Lossless",
    "1.2.840.10008.1.2.4.91": "JPEG 2000",
}
_FRAME_DECODER = {
    "1.2.840.10008.1.2.5": "DICOMRLE",
    "1.2.840.10008.1.2.4.50": "JPEG8",
    "1.2.840.10008.1.2.4.51": "JPEG8",
    "1.2.840.10008.1.2.4.57": "LJPEG",
    "1.2.840.10008.1.2.4.70": "LJPEG",
    "1.2.840.10008.1.2.4.80": "JPEGLS",
    "1.2.840.10008.1.2.4.81": "JPEGLS",
    "1.2.840.10008.1.2.4.90": "JPEG2K",
    "1.2.840.10008.1.2.4.91": "JPEG2K",
}


@dataclass(frozen=True)
class Symptom:
    """One thing that was looked at: its state, and the line that mends a lack."""

    name: str
    state: str
    well: bool = True
    mend: str = ""


def add_to(app: typer.Typer) -> None:
    """Add these commands to the application."""
    app.command()(doctor)
    app.command("list")(list_)


def doctor(
    folder: Annotated[Path, typer.Argument(help="Where you mean to work.")] = Path(),
) -> None:
    """Say what this machine has, what it lacks, and the line that mends each lack."""
    symptoms = [*_machine(folder), *_packages(), _device(), *_network(), *_decoders()]
    table = Table("", "what", "state", "mend", title="doctor", box=None, title_justify="left")
    for symptom in symptoms:
        mark = "[green]✓[/]" if symptom.well else "[red]✗[/]"
        table.add_row(mark, symptom.name, escape(symptom.state), escape(symptom.mend))
    lacks = sum(not symptom.well for symptom in symptoms)
    closing = "nothing is missing" if not lacks else f"{lacks} lack(s); each has its mend beside it"
    answer({"symptoms": [asdict(symptom) for symptom in symptoms]}, table, closing)


def _machine(folder: Path) -> list[Symptom]:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / _GIB
    free = shutil.disk_usage(folder).free / _GIB
    return [
        Symptom("Python", platform.python_version()),
        Symptom("processor", f"{available_cores()} cores usable, {platform.machine()}"),
        Symptom(
            "memory",
            f"{memory:.1f} GiB",
            memory >= 4,
            "" if memory >= 4 else "4 GiB are needed: lower train.batch and prepare.workers",
        ),
        Symptom(
            "disk here",
            f"{free:.1f} GiB free",
            free >= 5,
            "" if free >= 5 else "free some space, or put results elsewhere with --work",
        ),
    ]


def _packages() -> list[Symptom]:
    names = ("torch", "timm", "transformers", "pydicom", "imagecodecs", "polars")
    return [_package(name) for name in names]


def _package(name: str) -> Symptom:
    if importlib.util.find_spec(name) is None:
        return Symptom(name, "missing", False, f"python3 -m uv pip install {name}")
    return Symptom(name, importlib.metadata.version(name))


def _device() -> Symptom:
    import torch

    if torch.cuda.is_available():
        properties = torch.cuda.get_device_properties(0)
        memory = properties.total_memory / _GIB
        count = torch.cuda.device_count()
        return Symptom("device", f"{count} × {properties.name}, {memory:.0f} GiB each")
    if torch.backends.mps.is_available():
        return Symptom("device", "Apple GPU")
    return Symptom("device", f"processor only, {torch.get_num_threads()} torch threads")


def _network() -> list[Symptom]:
    offline = os.environ.get("HF_HUB_OFFLINE", "0") not in ("", "0")
    state = (
        "off (HF_HUB_OFFLINE is set)" if offline else "only for encoders that you name from a hub"
    )
    return [Symptom("network", state)]


def _decoders() -> list[Symptom]:
    return [_decoder(uid, name) for uid, name in _TRANSFER_SYNTAXES.items()]


def _decoder(uid: str, name: str) -> Symptom:
    import imagecodecs
    from pydicom.pixels.decoders.base import get_decoder

    codec = _FRAME_DECODER.get(uid)
    own = [f"imagecodecs {codec}"] if codec and getattr(imagecodecs, codec).available else []
    decoder = get_decoder(uid)
    plugins = [f"pydicom {plugin}" for plugin in decoder.available_plugins]
    native = ["pydicom"] if codec is None and decoder.is_available else []
    found = [*own, *plugins, *native]
    return Symptom(
        f"DICOM {name}",
        ", ".join(found) or "no decoder",
        bool(found),
        "" if found else "python3 -m uv pip install imagecodecs",
    )


class Kind(StrEnum):
    """What can be listed."""

    variants = "variants"
    encoders = "encoders"
    metrics = "metrics"
    protocols = "protocols"


_SOURCES = {
    Kind.variants: ("sequela.models.build", "describe_variants"),
    Kind.encoders: ("sequela.encoders.catalogue", "describe_encoders"),
    Kind.metrics: ("sequela.evaluation.metrics", "describe_metrics"),
    Kind.protocols: ("sequela.cohort.selection", "describe_protocols"),
}


def list_(kind: Kind) -> None:
    """List what can be named in a configuration, a sentence each."""
    module, function = _SOURCES[kind]
    rows: dict[str, str] = getattr(importlib.import_module(module), function)()
    table = Table(kind.value, "what it is", box=None, title_justify="left")
    for name, sentence in rows.items():
        table.add_row(escape(name), escape(sentence))
    answer({kind.value: rows}, table)
