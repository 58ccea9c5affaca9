"""What keeps data safe and whole: verify, purge, deidentify, convert."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from sequela.cli.answers import answer
from sequela.cli.words import CohortFolder, Work, next_step, work_folder
from sequela.errors import DataError


def add_to(app: typer.Typer) -> None:
    """Add these commands to the application."""
    for command in (verify, purge, deidentify, convert):
        app.command()(command)


def verify(
    folder: Annotated[
        Path,
        typer.Argument(help="A run's folder, or a work folder.", exists=True, file_okay=False),
    ],
) -> None:
    """Check that every file is what was written, and that runs and tables belong together."""
    from sequela.training import verification

    found = verification.verify(folder.resolve())
    if found.faults:
        raise DataError(
            f"{len(found.faults)} thing(s) in {folder.resolve().name} are not as they were written",
            hint="restore the file, or run the command that made it again",
            items=found.faults,
        )
    answer(asdict(found), f"{len(found.sealed)} sealed folder(s): every file is as it was written")


def purge(
    cohort: CohortFolder,
    patient: Annotated[str, typer.Argument(help="The patient's id, as the table patients has it.")],
    work: Work = None,
) -> None:
    """Take a patient out of the tables, the images, the predictions and all that was made.

    What was made of all patients together (prepared images, explanations, pages) is deleted, to
    be made anew. Weights cannot forget: the runs that saw the patient are named.
    """
    from sequela.training.purging import purge as purged

    found = purged(cohort, work_folder(cohort, work), patient)
    if found.left:
        raise DataError(
            f"{len(found.left)} file(s) still hold a name of the patient",
            hint="look at them, and delete or mend them by hand",
            items=found.left,
        )
    answer(
        asdict(found),
        *(f"{count} row(s) taken out of {escape(name)}" for name, count in found.rows.items()),
        f"{found.files} file(s) of the patient deleted; deleted to be made anew: "
        f"{escape(', '.join(found.remade)) or 'nothing'}",
        *(f"{escape(name)} was trained with the patient: delete it" for name in found.trained),
        "no file below names the patient; the pseudonyms' links and the source files lie elsewhere",
        *(
            [f"{found.short} name(s) were too short to be looked for outside tables"]
            * bool(found.short)
        ),
        next_step("prepare", cohort),
    )


def deidentify(
    source: Annotated[Path, typer.Argument(help="A folder of DICOM files, searched to any depth.")],
    out: Annotated[Path, typer.Option(help="A new folder for the copies.")],
    key: Annotated[
        Path, typer.Option(help="Key of pseudonyms, UIDs and days, outside --out; made if absent.")
    ],
) -> None:
    """Copy DICOM files without what identifies a patient (PS3.15 Annex E), dates moved.

    Letters burned into the pixels are flagged, not removed: look at the files that are named.
    """
    from sequela.modalities.deidentification import REPORT
    from sequela.modalities.deidentification import deidentify as copied

    found = copied(source, out, key)
    answer(
        asdict(found),
        f"{found.copied} file(s) copied to {escape(str(out))}",
        *(f"  {count} × {escape(reason)}" for reason, count in found.refused.items()),
        f"{len(found.burned_in)} with letters in the pixels, {len(found.unseen)} could not be "
        f"looked at: see {REPORT}",
    )


def convert(
    checkpoint: Annotated[Path, typer.Argument(help="What torch.save wrote, as model.pt.")],
    out: Annotated[Path, typer.Argument(metavar="OUT.safetensors", help="The new file.")],
) -> None:
    """Turn a foreign checkpoint into safetensors, without running code that may be in it."""
    from sequela.models.conversion import convert as converted

    count = converted(checkpoint, out)
    answer({"tensors": count}, f"{count} tensors in {escape(out.name)}; nothing else was kept")
