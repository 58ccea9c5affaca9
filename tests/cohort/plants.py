"""One fault for every rule, and where it must be found."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.numpy


@dataclass(frozen=True)
class Plant:
    """A fault, how it is planted, and where it must be found."""

    code: str
    plant: Callable[..., Any]
    file: str
    row: int | None
    column: str = ""
    also: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return f"{self.code}-{self.file}-{self.column}"


def cell(table: str, row: int, column: str, value: object) -> Callable[..., None]:
    """Writes `value` into line `row` (the header is line 1) of a table."""

    def plant(tables: Any, manifest: Any) -> None:
        tables[table][row - 2][column] = value

    return plant


def setting(*path: str, value: object) -> Callable[..., None]:
    def plant(tables: Any, manifest: Any) -> None:
        section = manifest
        for key in path[:-1]:
            section = section[key]
        section[path[-1]] = value

    return plant


def without(table: str, column: str) -> Callable[..., None]:
    def plant(tables: Any, manifest: Any) -> None:
        for row in tables[table]:
            del row[column]

    return plant


def events(*codes: int) -> Callable[..., None]:
    def plant(tables: Any, manifest: Any) -> None:
        for row, code in zip(tables["outcomes"], codes, strict=True):
            row["event"] = code

    return plant


def every(table: str, column: str, value: Callable[[int], object]) -> Callable[..., None]:
    def plant(tables: Any, manifest: Any) -> None:
        for number, row in enumerate(tables[table]):
            row[column] = value(number)

    return plant


def on_disk(change: Callable[[Path], object]) -> Callable[..., Callable[[Path], object]]:
    """A fault of the files themselves, planted once they are written."""
    return lambda tables, manifest: change


def rewritten(file: str, change: Callable[[bytes], bytes]) -> Callable[..., Any]:
    def plant(folder: Path) -> None:
        path = folder / file
        path.write_bytes(change(path.read_bytes()))

    return on_disk(plant)


def linked_out(folder: Path) -> None:
    path = folder / "dicom" / "P0-E0-LCC.dcm"
    path.unlink()
    outside = folder.parent / "outside.dcm"
    outside.touch()
    path.symlink_to(outside)


def folder_linked_out(folder: Path) -> None:
    outside = folder.parent / "dicom-outside"
    (folder / "dicom").rename(outside)
    (folder / "dicom").symlink_to(outside)


def short_followup(tables: Any, manifest: Any) -> None:
    tables["outcomes"] *= 4
    tables["exams"], tables["images"], tables["texts"] = ([], [], [])
    for table in ("exams", "images", "texts"):
        del manifest["tables"][table], tables[table]
    for number, row in enumerate(tables["outcomes"]):
        tables["outcomes"][number] = {**row, "patient_id": f"P{number}", "time": 10 + number}
    tables["patients"] = [
        {"patient_id": f"P{number}", "age": 50, "grade": 1} for number in range(16)
    ]


def genes(
    change: Callable[[Any], Any] = lambda rows: rows,
    *,
    table: str = "expression",
    unit: str | None = "log",
    sets: str | None = None,
) -> Callable[..., Any]:
    """A gene table of three genes, `change` done to its rows; and perhaps a GMT file."""

    def plant(tables: Any, manifest: Any) -> Any:
        rows = [
            {"patient_id": row["patient_id"], "TP53": 2.5 + n, "VHL": 0.25 * n, "BAX": 1.0}
            for n, row in enumerate(tables["patients"])
        ]
        if table == "mutation":
            rows = [
                {name: 0 if name != "patient_id" else row[name] for name in row} for row in rows
            ]
        tables[table] = change(rows) or rows
        manifest["tables"][table] = {"file": f"{table}.csv"} | ({"unit": unit} if unit else {})
        if sets is not None:
            manifest["tables"]["gene_sets"] = {"file": "sets.gmt"}
            return lambda folder: (folder / "sets.gmt").write_text(sets)
        return None

    return plant


def gene(row: int, column: str, value: object) -> Callable[[Any], None]:
    def change(rows: Any) -> None:
        rows[row - 2][column] = value

    return change


ENSEMBL = [f"ENSG0000014151{number}" for number in range(3)]


def in_ensembl(rows: Any) -> Any:
    return [dict(zip(["patient_id", *ENSEMBL], row.values(), strict=True)) for row in rows]


def versioned(rows: Any) -> Any:
    names = ["patient_id", f"{ENSEMBL[0]}.1", f"{ENSEMBL[0]}.2", ENSEMBL[1]]
    return [dict(zip(names, row.values(), strict=True)) for row in rows]


def with_words(rows: Any) -> None:
    for row in rows:
        row["sample_type"] = "tumour"


SETS = "A\tna\tTP53\tVHL\n"

PLANTS = [
    Plant("C037", cell("texts", 4, "text", "  "), "texts.csv", 4, "text"),
    Plant("C012", genes(gene(3, "patient_id", "")), "expression.csv", 3, "patient_id"),
    Plant("C015", genes(gene(3, "patient_id", "P9")), "expression.csv", 3, "patient_id"),
    Plant("C021", genes(gene(3, "VHL", "high")), "expression.csv", 3, "VHL"),
    Plant("C022", genes(gene(3, "VHL", "inf")), "expression.csv", 3, "VHL"),
    Plant("C061", genes(gene(3, "VHL", -1.3), unit="counts"), "expression.csv", None),
    Plant("C061", genes(gene(3, "VHL", 812.0), unit="log"), "expression.csv", None),
    Plant("C061", genes(unit="z"), "expression.csv", None),
    Plant("C062", genes(in_ensembl, sets=SETS), "sets.gmt", None),
    Plant("C063", genes(gene(4, "patient_id", "P1")), "expression.csv", 4, "patient_id"),
    Plant("C064", genes(versioned), "expression.csv", None, f"{ENSEMBL[0]}.2"),
    Plant("C065", genes(with_words), "expression.csv", None, "sample_type"),
    Plant("C066", genes(sets=SETS + "B na TP53\n"), "sets.gmt", 2),
    Plant("C013", genes(sets=SETS + SETS), "sets.gmt", 2),
    Plant("C067", genes(sets=SETS + "B\tna\tKRAS\n"), "sets.gmt", None),
    Plant("C068", genes(unit=None), "cohort.yaml", None, "tables.expression.unit"),
    Plant("C069", genes(gene(3, "VHL", 2), table="mutation"), "mutation.csv", None),
    Plant("C001", on_disk(lambda folder: (folder / "cohort.yaml").unlink()), "cohort.yaml", None),
    Plant("C002", setting("colour", value="blue"), "cohort.yaml", None),
    Plant("C003", on_disk(lambda folder: (folder / "texts.csv").unlink()), "texts.csv", None),
    Plant("C004", rewritten("exams.csv", lambda text: text + b"a,b,c,d,e,f\n"), "exams.csv", None),
    Plant("C004", rewritten("exams.csv", lambda text: text + b'"a,b\n'), "exams.csv", None),
    Plant(
        "C004",
        rewritten("exams.csv", lambda text: text.replace(b"vendor", b"day", 1)),
        "exams.csv",
        1,
    ),
    Plant(
        "C005", rewritten("patients.csv", lambda t: t.replace(b"P2", b"P\xe9")), "patients.csv", 4
    ),
    Plant("C006", without("outcomes", "event"), "outcomes.csv", None, "event"),
    Plant("C006", without("patients", "age"), "patients.csv", None, "age"),
    Plant(
        "C007", rewritten("texts.csv", lambda t: t.partition(b"\n")[0] + b"\n"), "texts.csv", None
    ),
    Plant("C007", rewritten("texts.csv", lambda t: b""), "texts.csv", None, "", ("C006",) * 5),
    Plant("C008", rewritten("exams.csv", lambda t: t.replace(b",", b";")), "exams.csv", None),
    Plant(
        "C010",
        setting("tables", "exams", "columns", value={"dya": "d"}),
        "cohort.yaml",
        None,
        "dya",
    ),
    Plant("C011", every("exams", "modalty", lambda n: "MG"), "exams.csv", None, "modalty"),
    Plant("C012", cell("texts", 4, "text_id", ""), "texts.csv", 4, "text_id"),
    Plant("C012", cell("outcomes", 3, "patient_id", "NA"), "outcomes.csv", 3, "patient_id"),
    Plant("C013", cell("texts", 7, "text_id", "P0-E0-T"), "texts.csv", 7, "text_id"),
    Plant("C013", cell("images", 9, "image_id", "P0-E0-LCC"), "images.csv", 9, "image_id"),
    Plant("C014", cell("texts", 5, "text_id", "P1-E0-T "), "texts.csv", 5, "text_id"),
    Plant("C015", cell("images", 5, "exam_id", "P9-E9"), "images.csv", 5, "exam_id"),
    Plant("C015", cell("outcomes", 2, "patient_id", "P9"), "outcomes.csv", 2, "patient_id"),
    Plant("C016", cell("texts", 2, "exam_id", "P1-E0"), "texts.csv", 2, "exam_id"),
    Plant(
        "C017",
        cell("texts", 2, "patient_id", "../P0"),
        "texts.csv",
        2,
        "patient_id",
        ("C015", "C016"),
    ),
    Plant("C021", cell("patients", 3, "age", "61 years"), "patients.csv", 3, "age"),
    Plant("C021", cell("outcomes", 3, "time", "1,5"), "outcomes.csv", 3, "time"),
    Plant("C022", cell("outcomes", 3, "time", "inf"), "outcomes.csv", 3, "time"),
    Plant("C023", cell("outcomes", 4, "time", "2019-03-04"), "outcomes.csv", 4, "time"),
    Plant("C023", cell("exams", 4, "day", "20190304"), "exams.csv", 4, "day"),
    Plant("C023", cell("texts", 4, "day", "4.3.2019"), "texts.csv", 4, "day"),
    Plant("C024", cell("outcomes", 4, "time", ""), "outcomes.csv", 4, "time"),
    Plant("C025", cell("images", 4, "side", "left"), "images.csv", 4, "side"),
    Plant("C025", cell("images", 4, "view", "ML"), "images.csv", 4, "view"),
    Plant("C026", events(1, 2, 2, 1), "outcomes.csv", None, "event"),
    Plant("C027", cell("outcomes", 5, "event", 3), "outcomes.csv", 5, "event"),
    Plant("C027", cell("outcomes", 5, "event", 0.5), "outcomes.csv", 5, "event"),
    Plant("C028", cell("outcomes", 5, "endpoint", "relapse"), "outcomes.csv", 5, "endpoint"),
    Plant("C029", setting("endpoints", "os", value={}), "cohort.yaml", None, "os"),
    Plant("C031", cell("outcomes", 2, "time", -3), "outcomes.csv", 2, "time", ("C034",) * 3),
    Plant("C031", cell("outcomes", 2, "time", 0), "outcomes.csv", 2, "time", ("C034",) * 2),
    Plant(
        "C032",
        every("outcomes", "entry", lambda n: 910 if n == 0 else 5),
        "outcomes.csv",
        2,
        "entry",
    ),
    Plant("C033", cell("outcomes", 4, "patient_id", "P0"), "outcomes.csv", 4, "patient_id"),
    Plant("C034", cell("outcomes", 2, "time", 400), "exams.csv", 4, "day"),
    Plant("C035", cell("texts", 3, "available_day", 300), "texts.csv", 3, "available_day"),
    Plant("C036", short_followup, "outcomes.csv", None, "time"),
    Plant("C041", on_disk(lambda f: (f / "dicom/P0-E0-LCC.dcm").unlink()), "images.csv", 2, "path"),
    Plant("C042", on_disk(linked_out), "images.csv", 2, "path"),
    Plant("C042", on_disk(folder_linked_out), "images.csv", 2, "path", ("C042",) * 47),
    Plant("C042", cell("images", 3, "path", "../x.dcm"), "images.csv", 3, "path"),
    Plant("C042", cell("images", 3, "path", "/etc/hostname"), "images.csv", 3, "path"),
    Plant(
        "C042",
        setting("tables", "texts", "file", value="../texts.csv"),
        "cohort.yaml",
        None,
        "tables.texts.file",
    ),
    Plant("C043", cell("images", 3, "path", "dicom/P0-E0-LCC.dcm"), "images.csv", 3, "path"),
    Plant("C051", every("patients", "shoe_size", lambda n: n), "patients.csv", None, "shoe_size"),
    Plant("C052", cell("patients", 3, "grade", "4"), "patients.csv", 3, "grade"),
    Plant("C053", every("patients", "age", lambda n: ""), "patients.csv", None, "age"),
    Plant(
        "C054",
        setting("clinical", "grade", value={"kind": "ordinal"}),
        "cohort.yaml",
        None,
        "grade",
    ),
    Plant(
        "C055",
        setting("clinical", "grade", value={"kind": "binary"}),
        "patients.csv",
        3,
        "grade",
        ("C055",),
    ),
]
PLANTS += [
    Plant(
        "C009",
        lambda tables, manifest: manifest["tables"].pop("exams"),
        "cohort.yaml",
        None,
        "tables",
        ("C015",) * 12,
    ),
    Plant(
        "C020", setting("tables", "exam", value={"file": "x.csv"}), "cohort.yaml", None, "tables"
    ),
    Plant(
        "C009",
        lambda tables, manifest: manifest["tables"].pop("outcomes"),
        "cohort.yaml",
        None,
        "tables",
    ),
]


def slides(
    features: Sequence[tuple[str, dict[str, np.ndarray] | bytes]], mpp: object = None
) -> Callable[..., Callable[[Path], None]]:
    """A slides table whose rows name these files, which are written."""

    def plant(tables: Any, manifest: Any) -> Callable[[Path], None]:
        manifest["tables"]["slides"] = {"file": "slides.csv"}
        tables["slides"] = [
            {"slide_id": f"S{n}", "patient_id": "P1", "features": name, "mpp": mpp}
            for n, (name, _) in enumerate(features)
        ]

        def written(folder: Path) -> None:
            for name, content in features:
                data = content if isinstance(content, bytes) else safetensors.numpy.save(content)
                (folder / name).write_bytes(data)

        return written

    return plant


def bag(patches: int = 3, width: int = 4, coords: int | None = None) -> dict[str, np.ndarray]:
    """What a feature file holds."""
    found = {"features": np.ones((patches, width), dtype=np.float32)}
    return found if coords is None else found | {"coords": np.zeros((coords, 2))}


_SLIDES = ("slides.csv", 2)
PLANTS += [
    Plant("C071", slides([("a.pt", b"")]), *_SLIDES, "features"),
    Plant("C072", slides([("a.csv", b"")]), *_SLIDES, "features"),
    Plant("C073", slides([("a.safetensors", bag())], mpp=40), *_SLIDES, "mpp"),
    Plant("C073", slides([("a.safetensors", bag())], mpp=0), *_SLIDES, "mpp"),
    Plant("C074", slides([("a.safetensors", bag(0))]), *_SLIDES, "features"),
    Plant("C074", slides([("a.safetensors", bag(3, 4, 2))]), *_SLIDES, "features"),
    Plant("C074", slides([("a.safetensors", {"x": np.ones(3)})]), *_SLIDES, "features"),
    Plant("C074", slides([("a.safetensors", b"\xff" * 40)]), *_SLIDES, "features"),
    Plant(
        "C075",
        slides([(f"{n}.safetensors", bag(2, width)) for n, width in enumerate((8, 4, 4))]),
        *_SLIDES,
        "features",
    ),
]
