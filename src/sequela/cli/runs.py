"""From a cohort to predictions and their reasons: prepare, pretrain, train, predict, explain."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from sequela.cli.answers import answer
from sequela.cli.projects import (
    Restart,
    claimed,
    opened,
    require_unclaimed,
    tell_plan,
    together,
)
from sequela.cli.words import (
    CohortFolder,
    Config,
    DryRun,
    ForeignRun,
    Overrides,
    Work,
    next_step,
    work_folder,
)
from sequela.errors import UsageError
from sequela.storage import require_free

if TYPE_CHECKING:
    from sequela.training.project import Project
    from sequela.training.run import Run

Variants = Annotated[
    list[str] | None,
    typer.Option(
        "--variant", "-v", help="A model, as often as you like; `sequela list variants` names them."
    ),
]


def add_to(app: typer.Typer) -> None:
    """Add these commands to the application."""
    for command in (prepare, pretrain, train, predict, explain):
        app.command()(command)


def prepare(
    cohort: CohortFolder,
    overrides: Overrides = None,
    work: Work = None,
    config: Config = None,
    dry_run: DryRun = False,
    external: Annotated[
        bool, typer.Option("--external", help="Only to be predicted on: draw no split.")
    ] = False,
    run: ForeignRun = None,
) -> None:
    """Decode every image and slide once, draw the split once, say who was left out and why."""
    if not dry_run:
        require_free(work_folder(cohort, work))
    from sequela.cohort.sites import shared_sites
    from sequela.training import preparation

    external = external or run is not None
    project = opened(cohort, work, config, overrides, run)
    if dry_run:
        _tell_estimate(project)
        return
    made = preparation.prepare(project, divide=not external)
    lines = [f"{made.cases} cases of {made.patients} patients; {made.exclusions} exclusion(s)"]
    if made.images:
        images = made.images
        lines.append(
            f"{images.images} images, {images.decoded} of them decoded now; "
            f"{len(images.failed)} unreadable, {images.warned} with a remark (images.parquet)"
        )
    if made.slides:
        slides = made.slides
        lines.append(
            f"{slides.slides} slides, {slides.made} of them read now; {slides.patches:,} patches; "
            f"{len(slides.failed)} unreadable (slides.parquet)"
        )
    shared = shared_sites(made.site_overlap) if project.configuration.split.file else None
    lines += [shared] if shared else []
    after = f"predict --run {escape(str(run or 'RUN'))}" if external else "pretrain"
    answer(asdict(made), *lines, next_step(after, cohort))


def _tell_estimate(project: Project) -> None:
    from sequela.modalities.preparation import estimate_preparation

    configuration = project.configuration
    cost = estimate_preparation(
        project.cohort.image_paths.items(), configuration.images, configuration.machine.cores
    )
    duration = "an unknown time" if cost.seconds is None else f"about {cost.seconds:.0f} s"
    answer(
        asdict(cost),
        f"{len(project.selection.cases)} cases; {cost.images} images to decode, {duration}, "
        f"{cost.bytes / 1e6:.0f} MB; nothing was written",
    )


def pretrain(
    cohort: CohortFolder,
    overrides: Overrides = None,
    work: Work = None,
    config: Config = None,
    dry_run: DryRun = False,
    restart: Restart = False,
) -> None:
    """Align image and text of training patients' exams (LUMIN, equations 1 to 3)."""
    if not dry_run:
        require_unclaimed(cohort, work, (PRETRAINING,))
    project = opened(cohort, work, config, overrides)
    with together(project):
        if dry_run:
            from sequela.training.planning import plan_pretraining

            tell_plan(plan_pretraining(project))
            return
        from sequela.training.stages import pretrain_all

        with claimed(project, (PRETRAINING,)):
            runs = pretrain_all(project, restart=restart)
    answer({"runs": [run.name for run in runs]}, _finished(runs), next_step("train", cohort))


def train(
    cohort: CohortFolder,
    overrides: Overrides = None,
    variants: Variants = None,
    work: Work = None,
    config: Config = None,
    dry_run: DryRun = False,
    restart: Restart = False,
) -> None:
    """Train models and baselines to predict the outcome; `lumin` and its rivals by default."""
    names = variants or list(DEFAULT_VARIANTS)
    if not dry_run:
        require_unclaimed(cohort, work, names)
    project = opened(cohort, work, config, overrides)
    with together(project):
        if dry_run:
            from sequela.training.planning import plan_training

            tell_plan(plan_training(project, names))
            return
        from sequela.training.stages import require_known, train_all, with_members

        require_known(names)
        with claimed(project, with_members(names)):
            runs = train_all(project, names, restart=restart)
    answer({"runs": [run.name for run in runs]}, _finished(runs), next_step("predict", cohort))


PRETRAINING = "pretrain"
DEFAULT_VARIANTS = (
    "kaplan-meier",
    "timing-only",
    "cox-clinical",
    "st-i",
    "st-r",
    "st-b",
    "l-b",
    "lumin",
)


def predict(
    cohort: CohortFolder,
    overrides: Overrides = None,
    work: Work = None,
    config: Config = None,
    run: ForeignRun = None,
    without: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PART",
            help="Also predict with a part of the trained models taken away: varying, shared, "
            "te-dke, images, texts …; as often as you like.",
        ),
    ] = None,
) -> None:
    """Predict validation and test patients with every finished run, in one table."""
    from sequela.training.stages import predict_all, predict_external

    if run and without:
        raise UsageError("--without takes a part from this cohort's own runs, not from --run")
    project = opened(cohort, work, config, overrides, run)
    predictions = (
        predict_external(project, run) if run else predict_all(project, without=without or ())
    )
    table = predictions.table
    variants = table["variant"].unique(maintain_order=True).to_list()
    answer(
        {"rows": len(table), "patients": table["patient_id"].n_unique(), "variants": variants},
        f"{len(table)} predictions of {len(variants)} model(s) "
        f"in {escape(str(project.work / 'predictions.parquet'))}",
        next_step("evaluate", cohort)
        if table["time"].is_not_null().any()
        else "nobody knows what followed for these patients, so there is nothing to evaluate",
    )


def explain(
    cohort: CohortFolder,
    overrides: Overrides = None,
    work: Work = None,
    config: Config = None,
    variant: Annotated[
        str | None,
        typer.Option(
            "--variant", "-v", help="Whose predictions; lumin, or kemm where that is configured."
        ),
    ] = None,
    show_texts: Annotated[
        bool,
        typer.Option(
            "--show-texts", help="Write out real notes and reports too, which may hold names."
        ),
    ] = False,
) -> None:
    """Show what predictions looked at: mammograms and words, or patches, gene sets and reports."""
    from sequela.interpretation.explain import FILE_NAME, furthest_off
    from sequela.interpretation.explain import explain as explained
    from sequela.models.kemm_config import KemmConfig
    from sequela.report.patient_page import write_patient_pages
    from sequela.training.run import Run

    project = opened(cohort, work, config, overrides)
    name = variant or ("kemm" if isinstance(project.configuration.model, KemmConfig) else "lumin")
    run = Run(project.run_folder(name, project.folds[0]))
    folder = explained(run, project, show_texts=show_texts or None)
    manifest = project.cohort.manifest
    pages = write_patient_pages(folder, manifest.name, synthetic=manifest.synthetic)
    pictures = sorted(path.name for path in folder.glob("*.png"))
    off = furthest_off(json.loads((folder / FILE_NAME).read_text(encoding="utf-8")))
    answer(
        {
            "run": run.name,
            "pictures": pictures,
            "pages": [path.name for path in pages],
            "furthest_off": off,
        },
        f"{len(pictures)} pictures{', ' + str(len(pages)) + ' pages' if pages else ''} and "
        f"explanations.json in {escape(str(folder))}",
        *(
            f"the weights of {kind} sum to what they move the score by, off by {wrong:.1e} at most"
            for kind, wrong in off.items()
        ),
        next_step("report", cohort),
    )


def _finished(runs: Sequence[Run]) -> str:
    return f"finished: {escape(', '.join(run.name for run in runs))}"
