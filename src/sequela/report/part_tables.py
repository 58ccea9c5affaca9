"""What the parts of a model tell, as tables, and t-SNE of them as drawings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sequela.report.estimates import Estimate
from sequela.report.svg import COLOURS, canvas, inline, styled
from sequela.report.tables import Cell, Column, Table

_MARKS = (("series-1", "o"), ("series-2", "s"), ("series-3", "^"), ("muted", "D"))
_ORDER = (
    "image",
    "text",
    "shared",
    "complementary",
    "invariant",
    "varying",
    "first",
    "between",
    "second",
    "clinical",
)
_TITLES = {"modalities": "Parts of the landmark’s visit", "visits": "Parts of time"}


@dataclass(frozen=True)
class Panel:
    """A t-SNE panel: its caption, and a name for its file."""

    label: str
    name: str


def part_tables(explanations: Mapping[str, Any]) -> tuple[Table, ...]:
    """Three tables: what each part tells, what parts tell of each other, how alike they are."""
    study = explanations.get("parts") or {}
    models: Sequence[Mapping[str, Any]] = study.get("models") or ()
    if len(models) < 2:
        return ()
    patients = int(study["patients"])
    return (_leakage(models, patients), _probes(models), _similarity(models))


def _leakage(models: Sequence[Mapping[str, Any]], patients: int) -> Table:
    """Row a part: which modality, which visit and which outcome it tells."""
    names = sorted(models[0]["event"], key=_place)
    kinds = [kind for kind in ("image", "text") if kind in names]
    headings = [*(f"{kind} (R²)" for kind in kinds), "which visit (share right)", "event (AUC)"]
    columns = [
        Column(f"{heading}, {_short(model)}", style="number")
        for heading in headings
        for model in models
    ]
    rows: list[tuple[Cell, ...]] = []
    for name in names:
        cells: list[Cell] = [name]
        for kind in kinds:
            cells += [_told(model, name, kind) for model in models]
        cells += [_estimate(model["visit"].get(name)) for model in models]
        cells += [_estimate(model["event"][name]) for model in models]
        rows.append(tuple(cells))
    return Table(
        "part-leakage",
        f"What a linear probe reads in each part, of {patients} test patients",
        (Column("part"), *columns),
        tuple(rows),
        (
            "Cross-validated by patient. R² is of the landmark’s visit: 0 tells nothing. Chance is "
            "one half for visit and event. What shuffled weights have too was not learned.",
        ),
    )


def _probes(models: Sequence[Mapping[str, Any]]) -> Table:
    trained, other = (
        sorted(model["tells"], key=lambda row: (_place(row["from"]), _place(row["to"])))
        for model in models
    )
    rows = tuple(
        (
            one["from"],
            one["to"],
            int(one["patients"]),
            Estimate.of(one["r2"]),
            Estimate.of(two["r2"]),
        )
        for one, two in zip(trained, other, strict=True)
    )
    columns = (
        Column("read"),
        Column("told"),
        Column("patients", style="count"),
        *(Column(f"R², {_short(model)}", style="number") for model in models),
    )
    caption = "How much of a part a linear probe tells from another"
    return Table("part-probes", caption, columns, rows)


def _similarity(models: Sequence[Mapping[str, Any]]) -> Table:
    pairs = zip(models[0]["alike"], models[1]["alike"], strict=True)
    rows = tuple(
        (
            " and ".join(one["parts"]),
            int(one["patients"]),
            *(cell for side in (one, two) for cell in (Estimate.of(side["cka"]), side["chance"])),
        )
        for one, two in pairs
    )
    measured = [
        Column(f"{what}, {_short(model)}", style="number")
        for model in models
        for what in ("CKA", "chance")
    ]
    return Table(
        "part-similarity",
        "How alike two parts arrange the patients (linear CKA)",
        (Column("parts"), Column("patients", style="count"), *measured),
        rows,
        (
            "1 is the same but for rotation and scale. Chance is the mean over all ways of pairing "
            "the patients; it grows as patients get fewer.",
        ),
    )


def _told(model: Mapping[str, Any], source: str, target: str) -> Cell:
    found = [row for row in model["tells"] if (row["from"], row["to"]) == (source, target)]
    return _estimate(found[0]["r2"]) if found else None


def _estimate(node: Mapping[str, Any] | None) -> Estimate | None:
    return None if node is None else Estimate.of(node)


def _short(model: Mapping[str, Any]) -> str:
    return {"as trained": "trained", "weights shuffled": "shuffled"}.get(
        str(model["name"]), str(model["name"])
    )


def scatter_figures(explanations: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """Each t-SNE panel: its caption, a name for its file, and its SVG."""
    models = (explanations.get("parts") or {}).get("models") or ()
    panels = [(panel, model) for model in models for panel in model.get("panels", ())]
    found = []
    for panel, model in sorted(panels, key=lambda one: str(one[0]["title"])):
        name = f"{panel['title']}-{_short(model)}"
        caption = f"{_TITLES.get(panel['title'], panel['title'])}, {model['name']}"
        found.append((caption, name, _scatter(panel, f"parts-{name}", caption)))
    return found


def _place(part: str) -> int:
    """The part's place in the model's order, since JSON keeps the alphabet's."""
    return _ORDER.index(part) if part in _ORDER else len(_ORDER)


def _scatter(panel: Mapping[str, Any], name: str, caption: str) -> str:
    with styled():
        figure, (axis,) = canvas(3.2)
        for (colour, marker), (part, points) in zip(
            _MARKS, sorted(panel["points"].items(), key=lambda one: _place(one[0])), strict=False
        ):
            across, up = [one[0] for one in points], [one[1] for one in points]
            axis.plot(
                across, up, marker, color=COLOURS[colour], markersize=3, alpha=0.75, label=part
            )
        axis.set_xticks([])
        axis.set_yticks([])
        axis.grid(visible=False)
        for side in ("left", "bottom"):
            axis.spines[side].set_color(COLOURS["rule"])
        figure.legend(loc="outside upper center", ncols=4, handletextpad=0.1, columnspacing=0.8)
        counts = ", ".join(f"{len(points)} of {part}" for part, points in panel["points"].items())
        return inline(figure, name, f"t-SNE. {caption}: {counts}")
