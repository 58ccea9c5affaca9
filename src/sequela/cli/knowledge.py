"""Reports into fields with evidence, background claims, and a person's review of both."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from sequela.cli.answers import answer
from sequela.cli.words import CohortFolder, DryRun, Work, next_step, work_folder
from sequela.errors import UsageError

if TYPE_CHECKING:
    from sequela.knowledge.client import ModelClient

knowledge = typer.Typer(
    help="What reports say, with the words that say it, and what is known of a cancer.",
    no_args_is_help=True,
)

Model = Annotated[
    str, typer.Option(help="A language model at --url reads or writes; rules do without it.")
]
Url = Annotated[str, typer.Option(help="An OpenAI-compatible endpoint, up to its version.")]
AllowRemote = Annotated[
    str, typer.Option(metavar="HOST", help="The one host that texts may be sent to.")
]
KeyFile = Annotated[Path | None, typer.Option(help="A file with the endpoint's key.")]
_URL = "http://127.0.0.1:8080/v1"


def add_to(app: typer.Typer) -> None:
    """Add these commands to the application."""
    app.add_typer(knowledge, name="knowledge")


@knowledge.command()
def refine(
    cohort: CohortFolder,
    work: Work = None,
    model: Model = "",
    url: Url = _URL,
    allow_remote: AllowRemote = "",
    key_file: KeyFile = None,
    until: Annotated[
        float, typer.Option(help="Read what was available until this day from the index date.")
    ] = 0.0,
    dry_run: DryRun = False,
) -> None:
    """Read every report into fixed fields, each with its words; freeze them with their hash."""
    from sequela.cohort.cohort import read_cohort
    from sequela.knowledge.refine import questions
    from sequela.knowledge.refine import refine as read_reports

    folder, opened = work_folder(cohort, work), read_cohort(cohort)
    if dry_run:
        asked, answered = questions(opened, folder, model, until)
        _tell_plan(model, asked, answered)
        return
    client = _client(model, url, allow_remote, key_file)
    made = read_reports(
        opened, folder, ask=client.answer if client else None, model=model, until=until
    )
    reported = made.patients - made.empty
    answer(
        asdict(made),
        f"{reported} of {made.patients} patients have a report; {made.empty} have none of 50 "
        f"characters, and every field of theirs is unknown",
        *(f"  {name}: known of {count}" for name, count in made.known.items()),
        *(f"  {count} × {escape(reason)}" for reason, count in made.failures.items()),
        f"{made.later} report(s) were available only later; {made.kept} reviewed finding(s) kept",
        f"knowledge.json {made.fingerprint[:12]}; {next_step('knowledge background', cohort)}",
    )


@knowledge.command()
def background(
    cohort: CohortFolder,
    work: Work = None,
    cancer: Annotated[
        list[str] | None, typer.Option(help="A cancer type; those of the patients if not given.")
    ] = None,
    model: Model = "",
    url: Url = _URL,
    allow_remote: AllowRemote = "",
    key_file: KeyFile = None,
    dry_run: DryRun = False,
) -> None:
    """Freeze claims on what marks a high and a low risk: the packaged ones, or a model's."""
    from sequela.knowledge.sources import cancer_types
    from sequela.knowledge.writing import write_background

    cancers = tuple(cancer) if cancer else cancer_types(cohort)
    if dry_run:
        answer({"cancers": list(cancers), "model": model}, f"claims on {', '.join(cancers)}")
        return
    client = _client(model, url, allow_remote, key_file)
    folder = work_folder(cohort, work)
    made = write_background(cancers, folder, ask=client.answer if client else None, model=model)
    answer(
        asdict(made),
        *(f"{escape(name)}: {count} claims" for name, count in made.claims.items()),
        *(escape(text) for text in dict.fromkeys(made.review.values())),
        f"knowledge.json {made.fingerprint[:12]}; {next_step('knowledge review', cohort)}",
    )


@knowledge.command()
def review(
    cohort: CohortFolder,
    work: Work = None,
    out: Annotated[Path | None, typer.Option(help="Write the findings as CSV to look at.")] = None,
    take: Annotated[
        Path | None, typer.Option(help="Take that CSV back, accepted or corrected.")
    ] = None,
) -> None:
    """Have a person accept or correct findings in a table; without options, say how far it is."""
    from sequela.knowledge.frozen import FILE_NAME, FrozenKnowledge
    from sequela.knowledge.review import review_status, take_review, write_review

    if out and take:
        raise UsageError("--out and --take exclude each other", hint="give one of them")
    folder = work_folder(cohort, work)
    written = 0
    if take:
        status = take_review(folder, take)
    else:
        frozen = FrozenKnowledge.read(folder / FILE_NAME)
        status = review_status(frozen.reports)
        written = write_review(frozen, out) if out else 0
    lines = [f"{name}: {count}" for name, count in status.items()]
    if out:
        lines.append(
            f"wrote {written} rows to {escape(out.name)}; change value or review (accepted), then "
            f"take it back with --take"
        )
    answer({**status, "written": written}, *lines)


def _client(model: str, url: str, allow_remote: str, key_file: Path | None) -> ModelClient | None:
    """The model to ask; None where rules or the packaged claims are meant."""
    if not model:
        if url != _URL or allow_remote or key_file:
            raise UsageError(
                "an endpoint was named, but no model", hint="add --model NAME, or leave it out"
            )
        return None
    from sequela.knowledge.client import ModelClient, ModelSettings
    from sequela.settings import validated

    values = {"model": model, "url": url, "allow_remote": allow_remote, "key_file": key_file}
    return ModelClient(validated(ModelSettings, values, where="the command line"))


def _tell_plan(model: str, asked: int, answered: int) -> None:
    plan = f"{asked} report(s) would be read by {model or 'rules'}"
    kept = f"; {answered} of them were answered before" if model else ""
    facts = {"reports": asked, "answered": answered, "reader": model or "rules"}
    answer(facts, escape(plan + kept))
