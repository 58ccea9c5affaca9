"""What is made once for all runs: exclusions, the division, prepared images, a tiny encoder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sequela.cohort.sites import site_overlap
from sequela.cohort.splits import draw_splits
from sequela.encoders.slide_features import SlideReport, prepare_slides
from sequela.modalities import contact_sheet
from sequela.modalities.preparation import PreparationReport, prepare_images
from sequela.modalities.shared_words import only_words, shared_words
from sequela.modalities.store import ImageStore
from sequela.modalities.text import joined, train_tiny_encoder
from sequela.seal import SEAL, seal
from sequela.storage import owned
from sequela.training.patient_sources import SLIDES
from sequela.training.project import TINY, Fold, Project


@dataclass(frozen=True)
class Prepared:
    """What a preparation made.

    Attributes:
        cases: How many the protocol makes.
        patients: Whose they are.
        exclusions: How many rows `exclusions.csv` has.
        images: What became of the images, None where the cohort has none.
        encoders: How many tiny text encoders were made, one a fold.
        slides: What became of the slides, None where the cohort has none.
        site_overlap: Of each fold, the share of test patients whose site is trained on too.
    """

    cases: int
    patients: int
    exclusions: int
    images: PreparationReport | None
    encoders: int
    site_overlap: tuple[float, ...] = ()
    slides: SlideReport | None = None


def prepare(project: Project, *, divide: bool = True) -> Prepared:
    """Make all that runs need; what was made before and still fits is left as it is.

    Args:
        project: An opened cohort.
        divide: False for a cohort that is only predicted on: no division, no encoder.

    Raises:
        DataError: If a part of the division lacks patients with or without the event.
        LockedError: If the work folder holds another division, or another process works in it.
    """
    with owned(project.work):
        return _prepared(project, divide=divide)


def _prepared(project: Project, *, divide: bool) -> Prepared:
    selection = project.selection
    selection.write_exclusions(project.work / "exclusions.csv")
    overlap: tuple[float, ...] = ()
    if divide:
        splits = draw_splits(project.cohort, selection, project.configuration.split)
        splits.write(project.work)
        overlap = site_overlap(project.cohort, splits.table)
    report = _prepare_images(project) if project.cohort.image_paths else None
    return Prepared(
        cases=len(selection.cases),
        patients=len({case.patient_id for case in selection.cases}),
        exclusions=len(selection.exclusions),
        images=report,
        encoders=_make_encoders(project) if divide else 0,
        site_overlap=overlap,
        slides=_prepare_slides(project),
    )


def _prepare_slides(project: Project) -> SlideReport | None:
    """Bags of patch features of every slide that has a picture or features."""
    slides = [
        slide
        for patient in project.cohort.patients
        for slide in patient.slides
        if slide.path or slide.features
    ]
    if not slides:
        return None
    configuration = project.configuration
    machine = configuration.machine
    folder = project.work / SLIDES
    report = prepare_slides(
        slides, folder, configuration.slides, machine.cores, device=machine.torch_device()
    )
    if report.made:
        (folder / SEAL).unlink(missing_ok=True)
    seal(folder)
    return report


def _prepare_images(project: Project) -> PreparationReport:
    """The store of prepared images, and a contact sheet of it for eyes."""
    folder = project.work / "prepared"
    report = prepare_images(
        project.cohort.image_paths.items(),
        folder,
        project.configuration.images,
        project.configuration.machine.cores,
    )
    sheet = folder / contact_sheet.FILE_NAME
    if report.decoded or not sheet.exists():
        exams = (exam for patient in project.cohort.patients for exam in patient.exams)
        labels = {
            image.image_id: f"{image.side} {image.view}" for exam in exams for image in exam.images
        }
        contact_sheet.write_contact_sheet(ImageStore.open(folder), labels, sheet)
        (folder / SEAL).unlink(missing_ok=True)
    seal(folder)
    return report


def _make_encoders(project: Project) -> int:
    if project.configuration.text.encoder != TINY or not project.has_texts:
        return 0
    made = 0
    for fold in project.folds:
        folder = Path(project.text_encoder(fold))
        if not (folder / "config.json").exists():
            seed = project.configuration.train.seed
            train_tiny_encoder(
                training_texts(project, fold), folder, project.configuration.text, seed=seed
            )
            made += 1
        seal(folder)
    return made


def training_texts(project: Project, fold: Fold) -> list[str]:
    """Every text of an exam of the fold's training patients, in words that several of them share.

    Each different text once.
    """
    patients = [project.cohort.patient(name) for name in sorted(project.patients("train", fold))]
    texts = [(one.patient_id, joined(exam.texts)) for one in patients for exam in one.exams]
    words = shared_words(texts)
    return [text for text in dict.fromkeys(only_words(text, words) for _, text in texts) if text]
