"""Bring data in and look at them: init, simulate, import, check, audit."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.markup import escape

from sequela.cli.answers import answer, end_with
from sequela.cli.words import (
    CohortFolder,
    Config,
    Overrides,
    Work,
    configuration_file,
    next_step,
    packaged,
    work_folder,
)
from sequela.errors import DataError, LeakageError

if TYPE_CHECKING:
    from sequela.importers.import_report import ImportReport

imports = typer.Typer(
    help="Bring foreign data into a cohort folder, one command a format.", no_args_is_help=True
)


def add_to(app: typer.Typer) -> None:
    """Add these commands to the application."""
    app.command()(init)
    app.command()(simulate)
    app.add_typer(imports, name="import")
    app.command()(check)
    app.command()(audit)


def init(folder: Annotated[Path, typer.Argument(help="A new folder.")]) -> None:
    """Write an annotated cohort.yaml, empty tables and a configuration to start from."""
    from sequela.cohort.template import write_cohort_template

    written = write_cohort_template(folder, {"sequela.yaml": packaged("starter.yaml")})
    answer(
        {"written": [str(path.relative_to(folder)) for path in written]},
        *(f"wrote {escape(path.name)}" for path in written),
        f"fill in the tables; {next_step('check', folder)}",
    )


def simulate(
    folder: Annotated[Path, typer.Argument(help="A new folder.")], overrides: Overrides = None
) -> None:
    """Write a cohort of synthetic patients, with a known truth, as the files a hospital has."""
    from sequela.settings import Settings, read_settings
    from sequela.simulation.cohort import simulate as write_cohort
    from sequela.simulation.settings import SimulationSettings

    class Sections(Settings):
        simulation: SimulationSettings = SimulationSettings()

    settings = read_settings(Sections, None, overrides or ()).simulation
    write_cohort(settings, folder)
    answer(
        {"folder": folder.name, "patients": settings.patients, "seed": settings.seed},
        f"{settings.patients} synthetic patients in {escape(str(folder))}; "
        + next_step("check", folder),
    )


def check(cohort: CohortFolder) -> None:
    """Check every table of a cohort and print all findings, as a compiler does."""
    from sequela.cohort.checks import check_cohort

    findings = check_cohort(cohort)
    errors = sum(finding.severity == "error" for finding in findings)
    warnings = len(findings) - errors
    facts = {
        "findings": [asdict(finding) for finding in findings],
        "errors": errors,
        "warnings": warnings,
    }
    after = "each code has a page in docs/findings" if errors else next_step("prepare", cohort)
    answer(
        facts,
        *(escape(str(finding)) for finding in findings),
        f"{errors} error(s), {warnings} warning(s); {after}",
    )
    if errors:
        end_with(
            DataError(
                f"{errors} error(s) in the cohort",
                hint="mend each as its finding says, and check again",
                items=tuple(str(one) for one in findings if one.severity == "error"),
            )
        )


def audit(
    cohort: CohortFolder,
    overrides: Overrides = None,
    work: Work = None,
    config: Config = None,
    accept: Annotated[
        bool,
        typer.Option(
            "--accept-biased-design",
            help="Outcome-dependent sampling is known and meant: a warning, not a leak.",
        ),
    ] = False,
) -> None:
    """Look for what makes a cohort's numbers better than they are: leaks, and odd labels.

    Settings are those of the section protocol. Exit code 5 says that the outcome reaches the
    inputs.
    """
    from sequela.audit.audit import audit_cohort
    from sequela.cohort.protocol import ProtocolSettings
    from sequela.settings import read_section
    from sequela.storage import write_json

    file = configuration_file(cohort, config)
    protocol = read_section("protocol", ProtocolSettings, file, overrides or ())
    folder = work_folder(cohort, work)
    audited = audit_cohort(cohort, protocol, work=folder, accept_biased_design=accept)
    facts = audited.as_json()
    write_json(folder / "audit.json", facts)
    answer(
        facts,
        *(escape(str(finding)) for finding in audited.findings),
        *(f"{escape(name)}: {escape(text)}" for name, text in audited.in_words().items()),
        f"{facts['leaks']} leak(s), {facts['warnings']} warning(s) under the protocol "
        f"{protocol.name}; each code has a page in docs/findings",
    )
    if audited.leaks:
        end_with(
            LeakageError(
                f"{facts['leaks']} leak(s) in the cohort or its split",
                hint="mend each as its page in docs/findings says, and audit again",
                items=tuple(str(one) for one in audited.findings),
            )
        )


Source = Annotated[Path, typer.Argument(help="A folder, searched to any depth.")]
OutCohort = Annotated[Path, typer.Option(help="The cohort folder to make.")]
Key = Annotated[
    Path | None,
    typer.Option(help="Key of the pseudonyms, outside the cohort; made beside it if not given."),
]


KeepIds = Annotated[
    bool, typer.Option("--keep-ids", help="Ids are pseudonyms already: take them as they are.")
]
IndexDates = Annotated[
    Path | None,
    typer.Option(help="CSV: patient_id, index_date. Without it, day 0 is the first exam."),
]


@imports.command("dicom")
def import_dicom(
    source: Source,
    out: OutCohort,
    key: Key = None,
    index_dates: IndexDates = None,
    link: Annotated[bool, typer.Option("--link", help="Link files instead of copying.")] = False,
) -> None:
    """Mammograms in DICOM: patients, exams and images; whatever is set aside is in a report."""
    from sequela.importers.dicom import import_dicom as imported

    transfer: Literal["copy", "link"] = "link" if link else "copy"
    report = imported(source, out, key=key, index_dates=index_dates, transfer=transfer)
    _tell_imported(report, out)


@imports.command("pictures")
def import_pictures(
    source: Source,
    out: OutCohort,
    labels: Annotated[
        str, typer.Option(help="CSV in SOURCE: file, exam, side, view; patient and day if known.")
    ] = "labels.csv",
    key: Key = None,
    keep_ids: KeepIds = False,
) -> None:
    """Mammograms as 16-bit PNG or NPY, with a table of labels."""
    from sequela.importers.pictures import import_pictures as imported

    _tell_imported(imported(source, out, labels=labels, key=key, keep_ids=keep_ids), out)


@imports.command("fhir")
def import_fhir(
    source: Source, out: OutCohort, key: Key = None, index_dates: IndexDates = None
) -> None:
    """FHIR bundles, one patient each (DSTU 2 XML or R4 JSON): dated notes and ages."""
    from sequela.importers.fhir import import_fhir as imported

    _tell_imported(imported(source, out, key=key, index_dates=index_dates), out)


@imports.command("table")
def import_table(
    source: Annotated[Path, typer.Argument(help="CSV, TSV or Parquet, a row a patient.")],
    out: OutCohort,
    mapping: Annotated[
        Path, typer.Option(help="YAML: what its columns mean; docs/cohorts/ has examples.")
    ],
    key: Key = None,
    keep_ids: KeepIds = False,
) -> None:
    """A survival table with a row a patient: outcomes and clinical covariates."""
    from sequela.importers.survival_table import import_table as imported

    _tell_imported(imported(source, out, mapping, key=key, keep_ids=keep_ids), out)


@imports.command("tcga")
def import_tcga(
    source: Source,
    out: OutCohort,
    cancer: Annotated[str, typer.Option(help="A cancer type to keep, as KIRC.")] = "",
    unit: Annotated[
        str, typer.Option(help="The column of STAR counts to take.")
    ] = "tpm_unstranded",
    copy: Annotated[
        bool, typer.Option("--copy", help="Copy slides and features instead of linking them.")
    ] = False,
) -> None:
    """Downloads of TCGA: TCGA-CDR or clinical.tsv, STAR counts or a matrix, reports, slides."""
    from sequela.importers.tcga import import_tcga as imported

    report = imported(source, out, cancer=cancer, unit=unit, transfer="copy" if copy else "link")
    _tell_imported(report, out)


def _tell_imported(report: ImportReport, out: Path) -> None:
    counts = ", ".join(f"{count} {name}" for name, count in report.counts.items())
    reasons = report.reasons()
    answer(
        {"counts": report.counts, "set_aside": reasons, "messages": list(report.messages)},
        f"imported {counts}",
        *(escape(f"  {count} × {reason}") for reason, count in reasons.items()),
        *(escape(message) for message in report.messages),
        next_step("check", out),
    )
