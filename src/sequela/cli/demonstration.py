"""`sequela demo`: the whole walk on synthetic patients, by the same commands that a user runs."""

from __future__ import annotations

import json
import shlex
import time
from collections.abc import Collection
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape

from sequela.cli.answers import answer, as_json, muted
from sequela.cli.number_tables import performance, probability
from sequela.cli.words import packaged
from sequela.errors import UsageError
from sequela.progress import console
from sequela.storage import write_text

_MARK = ".sequela-demo"
# Signals and settings were chosen on the patients of seed 0, which can prove nothing any more.
_SEED = 1
_WALK = ("check", "prepare", "pretrain", "train", "predict", "evaluate", "explain", "report")
_RIVALS = ("st-i", "st-r", "st-b", "l-b", "cox-clinical", "timing-only")


def add_to(app: typer.Typer) -> None:
    """Add these commands to the application."""

    @app.command()
    def demo(
        folder: Annotated[
            Path, typer.Argument(help="Where to make it; `kemm` shows slides, genes and reports.")
        ] = Path("sequela-demo"),
        other: Annotated[
            Path | None, typer.Argument(metavar="[KEMM-FOLDER]", help="Where `demo kemm` works.")
        ] = None,
        patients: Annotated[int, typer.Option(help="How many synthetic patients.", min=60)] = 480,
        seed: Annotated[int, typer.Option(help="Another seed is another cohort.", min=0)] = _SEED,
    ) -> None:
        """Make synthetic patients as real files, and walk from raw DICOM and notes to a report.

        Each step prints the command that it runs, so that you can run it on your own cohort. A
        demo that was stopped goes on where it stood.
        """
        from sequela.cli.kemm_demonstration import NAME, walk_kemm

        if str(folder) == NAME:
            walk_kemm(app, other or Path("sequela-demo-kemm"), patients, seed)
            return
        walk(app, folder, patients, seed)


def walk(app: typer.Typer, folder: Path, patients: int, seed: int) -> None:
    """Run every step, saying the command, and end with the summary and the report's path."""
    claim(folder, f"patients={patients} seed={seed}")
    started = time.monotonic()
    cohort = folder / "cohort"
    # Before the patients: a demo stopped right after them must not go on with other settings.
    if not (cohort / "sequela.yaml").exists():
        write_text(cohort / "sequela.yaml", packaged("demo.yaml"))
    if not (cohort / "cohort.yaml").exists():
        size = [f"simulation.patients={patients}", f"simulation.seed={seed}"]
        run(app, ["simulate", str(cohort), *size, *_SIMULATION])
    for command in _WALK:
        run(app, [command, str(cohort)])
    _close(cohort / "work", time.monotonic() - started)


# A mass whose size matters only where radiotherapy was omitted (image times text, for the latent
# that moderates is +1 or -1), and whose growth between visits matters most.
_SIMULATION = (
    "simulation.signals={image: 0.7, interaction: 0.7, change: 2.5, text: 0.5, shared: 0, "
    "clinical: 0.4}",
    "simulation.hazard={five_year_recurrence: 0.4}",
    "simulation.mammogram={height: 192, width: 160, growth: 0.4, size_day: 912}",
    "simulation.size_told=1.0",
    "simulation.workers=2",
)


def claim(folder: Path, purpose: str) -> None:
    """Take a new folder, or go on in one that a demo of the same patients began."""
    mark = folder / _MARK
    if mark.is_file() and mark.read_text(encoding="utf-8") == purpose:
        return
    if folder.exists() and any(folder.iterdir()):
        raise UsageError(
            f"{folder.name} is not empty and holds no demo with {purpose}",
            hint="name another folder, as in `sequela demo another-folder`",
        )
    write_text(mark, purpose)


def run(app: typer.Typer, words: list[str]) -> None:
    """Say a command and run it."""
    if not as_json.get():
        console.print(f"\n[bold]$ sequela {escape(shlex.join(words))}[/]", highlight=False)
    with muted():
        app(args=words, standalone_mode=False)


def _close(work: Path, seconds: float) -> None:
    content = json.loads((work / "evaluation.json").read_text(encoding="utf-8"))
    report = (work / "report.html").resolve()
    facts = {"report": str(report), "seconds": round(seconds, 1), "verdict": verdict(content)}
    lines = [line for line in performance(content) if not isinstance(line, str)]
    answer(
        facts,
        "\n[bold]All patients are synthetic: these numbers say that the toolkit works, and nothing "
        "about women.[/]",
        *lines,
        *(escape(sentence) for sentence in verdict(content)),
        f"\n{seconds / 60:.1f} min. The report: [bold]{escape(str(report))}[/]",
    )


def verdict(content: dict[str, Any]) -> list[str]:
    """Whether LUMIN beat each rival in AUC, as the corrected comparison has it."""
    return planned(content, "lumin", _RIVALS, ("auc", "AUC"))


def planned(
    content: dict[str, Any], ours: str, rivals: Collection[str], metric: tuple[str, str]
) -> list[str]:
    """Whether a model beat each of some rivals, a sentence each, with interval and corrected p.

    Args:
        content: `evaluation.json`.
        ours: The model.
        rivals: The models it is held against.
        metric: By what, as the comparison names it and as a reader does.
    """
    sentences = []
    for comparison in (each for each in content["comparisons"] if each["metric"] == metric[0]):
        for pair in comparison["differences"]:
            names = (pair["first"], pair["second"])
            if ours in names and set(names) & set(rivals):
                sentences.append(_sentence(pair, ours, metric[1]))
    return sentences


def _sentence(pair: dict[str, Any], ours: str, word: str) -> str:
    first = pair["first"] == ours
    rival, name = pair["second"] if first else pair["first"], ours.upper()
    difference, p = pair["difference"], pair["p_holm"]
    if difference["value"] is None or p is None:
        return f"{name} against {rival}: undefined ({pair['reason'] or difference['reason']})"
    sign = 1 if first else -1
    gain = sign * difference["value"]
    low, high = sorted(sign * difference[end] for end in ("low", "high"))
    found = f"{word} {gain:+.3f}, interval {low:+.3f} to {high:+.3f}, corrected p {probability(p)}"
    if p >= 0.05:
        return f"{name} against {rival}: no difference shown ({found})"
    return f"{name} {'beat' if gain > 0 else 'LOST to'} {rival} ({found})"
