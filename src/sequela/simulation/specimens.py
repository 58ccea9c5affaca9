"""One good small file of every kind that is read from outside, and ways in which it may be bad."""

from __future__ import annotations

import gzip
import io
import json
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

import h5py
import imagecodecs
import numpy as np
import polars as pl
import tifffile
from safetensors.numpy import save

from sequela.simulation.hostile import ordinary
from sequela.simulation.settings import TransferSyntax
from sequela.simulation.slide_files import aperio_slide, tissue

_SYNTAXES: tuple[TransferSyntax, ...] = ("explicit", "implicit", "deflated", "jpeg-2000")
_NUMBERS = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF)
_WORDS = (
    *(b"", b"\x00", b"NaN", b"-inf", b"1e999", b"99999999999999999999", b"-1", b"\xff\xfe", b'"'),
    *(b"\n", b",,,", b"../../etc/passwd", b"/dev/zero", b"null", b"[" * 300, b"{" * 300, b"&a *a "),
    *(
        b"<a>" * 200,
        b"<!DOCTYPE a [<!ENTITY b 'c'>]>&b;",
        b"!!python/object:os.system",
        b"0001-13-45",
    ),
)


def _picture() -> bytes:
    ramp = np.add.outer(np.arange(40), np.arange(40)).astype(np.uint16) * 40
    return bytes(imagecodecs.png_encode(ramp))


def _npy() -> bytes:
    file = io.BytesIO()
    np.save(file, np.add.outer(np.arange(40), np.arange(40)).astype(np.uint16) * 40)
    return file.getvalue()


def _parquet(table: pl.DataFrame, **metadata: str) -> bytes:
    file = io.BytesIO()
    table.write_parquet(file, metadata=metadata or None)
    return file.getvalue()


PATIENTS = pl.DataFrame(
    {
        "patient_id": [f"p{n:02d}" for n in range(12)],
        "site": ["a", "b"] * 6,
        "age": [40.0 + n for n in range(12)],
    }
)
OUTCOMES = pl.DataFrame(
    {
        "patient_id": PATIENTS["patient_id"],
        "endpoint": ["recurrence"] * 12,
        "time": [100.0 * (n + 1) for n in range(12)],
        "event": [n % 2 for n in range(12)],
    }
)
MANIFEST = b"""\
name: specimen
time_unit: days
endpoints:
  recurrence: {causes: {1: recurrence}}
clinical:
  age: {kind: numeric, unit: years}
tables:
  patients: {file: patients.csv}
  outcomes: {file: outcomes.csv}
"""


def _predictions() -> bytes:
    rows = OUTCOMES.with_columns(
        *(pl.lit(word).alias(name) for name, word in (("model", "m"), ("variant", "m"))),
        *(pl.lit(0, pl.Int64).alias(name) for name in ("repeat", "fold", "seed")),
        pl.lit("test").alias("split"),
        pl.lit(0.0).alias("landmark"),
        pl.lit(None, pl.Float64).alias("entry"),
        pl.col("event").cast(pl.Int64),
        (pl.col("time") / -1000.0).alias("risk"),
        pl.lit(0.7).alias("survival_365"),
    )
    return _parquet(rows, sequela=json.dumps({"protocol": "landmark", "cause": 1}))


def _resources() -> list[dict[str, object]]:
    patient: dict[str, object] = {
        "resourceType": "Patient",
        "id": "p1",
        "birthDate": "1950-01-01",
        "gender": "female",
    }
    condition: dict[str, object] = {
        "resourceType": "Condition",
        "code": {"text": "Malignant neoplasm of breast"},
        "onsetDateTime": "2001-02-03",
    }
    report: dict[str, object] = {
        "resourceType": "DiagnosticReport",
        "effectiveDateTime": "2001-03-04",
        "conclusion": "two masses, left breast",
    }
    return [patient, condition, report]


def _fhir_json() -> bytes:
    entries = [{"resource": resource} for resource in _resources()]
    return json.dumps({"resourceType": "Bundle", "type": "collection", "entry": entries}).encode()


def _fhir_xml() -> bytes:
    return (
        b'<?xml version="1.0"?><Bundle xmlns="http://hl7.org/fhir"><entry><resource><Patient>'
        b'<id value="p1"/><gender value="female"/><birthDate value="1950-01-01"/></Patient>'
        b"</resource></entry><entry><resource><Condition><code><text value="
        b'"Malignant neoplasm of breast"/></code><onsetDateTime value="2001-02-03"/></Condition>'
        b"</resource></entry></Bundle>"
    )


def _hdf5() -> bytes:
    """A bag as CLAM writes it: chunked, packed, with attributes."""
    file = io.BytesIO()
    generator = np.random.default_rng(0)
    with h5py.File(file, "w") as bag:
        features = generator.normal(size=(1, 12, 8)).astype(np.float32)
        bag.create_dataset("features", data=features, chunks=(1, 6, 8), compression="gzip")
        bag["coords"] = np.arange(24).reshape(12, 2)
        bag.attrs["encoder"] = "colours"
        bag["coords"].attrs["patch_size"] = 256
    return file.getvalue()


def _slide() -> bytes:
    plain = np.full((16, 24, 3), 200, np.uint8)
    return aperio_slide(tissue(128), label=plain, macro=plain)


def _tiff() -> bytes:
    """Tiles without a scanner's description."""
    file = io.BytesIO()
    tifffile.imwrite(file, tissue(128), tile=(64, 64), photometric="rgb", compression="deflate")
    return file.getvalue()


def _xlsx() -> bytes:
    cells = '<row r="1"><c r="A1" t="s"><v>0</v></c><c r="B1"><v>2</v></c></row>'
    main = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
    parts = {
        "xl/workbook.xml": f'<workbook {main}><sheets><sheet name="TCGA-CDR"/></sheets></workbook>',
        "xl/worksheets/sheet1.xml": f"<worksheet {main}><sheetData>{cells}</sheetData></worksheet>",
        "xl/sharedStrings.xml": f"<sst {main}><si><t>bcr_patient_barcode</t></si></sst>",
    }
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in parts.items():
            archive.writestr(zipfile.ZipInfo(name), text, zipfile.ZIP_DEFLATED)
    return file.getvalue()


def _gzip() -> bytes:
    return gzip.compress(PATIENTS.write_csv(separator="\t").encode(), mtime=0)


def _safetensors() -> bytes:
    tensors: dict[str, np.ndarray] = {"a": np.ones((3, 4), np.float32), "b": np.ones(2, np.int64)}
    return bytes(save(tensors, metadata={"sequela": json.dumps({"variant": "x"})}))


def _features() -> bytes:
    tensors: dict[str, np.ndarray] = {"features": np.ones((6, 4), np.float32)}
    tensors["coords"] = np.ones((6, 2), np.int64)
    return bytes(save(tensors, metadata={"sequela": json.dumps({"encoder": "colours"})}))


def _csv(table: pl.DataFrame) -> bytes:
    return table.write_csv().encode()


PLAIN: Mapping[str, Callable[[], bytes]] = MappingProxyType(
    {
        "picture": _picture,
        "npy": _npy,
        "csv": lambda: _csv(PATIENTS),
        "parquet": lambda: _parquet(PATIENTS),
        "yaml": lambda: MANIFEST,
        "fhir-json": _fhir_json,
        "fhir-xml": _fhir_xml,
        "safetensors": _safetensors,
        "features": _features,
        "hdf5": _hdf5,
        "slide": _slide,
        "tiff": _tiff,
        "xlsx": _xlsx,
        "gzip": _gzip,
        "predictions": _predictions,
    }
)
"""What makes a good file of each kind but DICOM, which has several."""

KINDS = ("dicom", *PLAIN)


def write_specimens(folder: Path) -> dict[str, tuple[Path, ...]]:
    """Write good files of every kind; several of DICOM, one an encoding."""
    made: dict[str, tuple[Path, ...]] = {}
    for syntax in _SYNTAXES:
        ordinary(folder / f"dicom-{syntax}", syntax)
    made["dicom"] = tuple(folder / f"dicom-{syntax}" for syntax in _SYNTAXES)
    for kind, make in PLAIN.items():
        (folder / kind).write_bytes(make())
        made[kind] = (folder / kind,)
    return made


def mutated(content: bytes, generator: np.random.Generator) -> bytes:
    """The content after one to four changes; most fall near its beginning, where headers are."""
    data = bytearray(content)
    for _ in range(int(min(4, generator.geometric(0.6)))):
        _change(data, generator)
    return bytes(data)


def _change(data: bytearray, generator: np.random.Generator) -> None:
    if not data:
        return
    reach = len(data) if generator.random() < 0.4 else min(len(data), 1024)
    at = int(generator.integers(reach))
    end = min(len(data), at + int(generator.integers(1, 64)))
    match int(generator.integers(7)):
        case 0:
            data[at] ^= 1 << int(generator.integers(8))
        case 1:
            size = int(generator.choice([1, 2, 4, 8]))
            number = int(generator.choice(_NUMBERS)) & ((1 << (8 * size)) - 1)
            data[at : at + size] = number.to_bytes(size, "little" if at % 2 else "big")
        case 2:
            data[at:end] = b""
        case 3:
            data[at:at] = data[at:end] * int(generator.integers(1, 20))
        case 4:
            data[at:end] = generator.bytes(end - at)
        case 5:
            data[at:end] = _WORDS[int(generator.integers(len(_WORDS)))]
        case _:
            del data[int(generator.integers(len(data))) :]
