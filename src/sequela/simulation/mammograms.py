"""All images of one patient, drawn, encoded and written; and the truth about them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sequela.cohort.patient import Side, View
from sequela.simulation.dicom import Acquisition, mammogram, vendor_of, write_mammogram
from sequela.simulation.patients import SimulatedPatient, Stream
from sequela.simulation.phantom import (
    VIEWS,
    Breast,
    Brightness,
    Lesion,
    draw_breast,
    draw_display,
    place_lesion,
    position,
    view_key,
)
from sequela.simulation.settings import SimulationSettings
from sequela.simulation.stored import stored_pixels


@dataclass(frozen=True)
class DrawnImage:
    """A row of the images table, and where its mass is."""

    image_id: str
    exam_id: str
    side: Side
    view: View
    path: str
    lesion: Lesion | None


def planned_images(
    settings: SimulationSettings, patient: SimulatedPatient
) -> tuple[Acquisition, ...]:
    """The images that are taken of a patient: her views, less the missing ones."""
    views = [(side, view) for side in patient.sides for view in VIEWS]
    mammograms = settings.mammogram
    images: list[Acquisition] = []
    for exam in range(len(patient.days)):
        draws = patient.generator(Stream.EXAM, exam).random(len(views))
        draws[int(draws.argmax())] = 1.0  # one view is always left
        display = mammograms.displays[(patient.number + exam) % len(mammograms.displays)]
        for (side, view), draw in zip(views, draws, strict=True):
            if draw >= settings.visits.missing_view:
                turn = patient.number * 3 + exam * len(views) + view_key(side, view)
                syntax = mammograms.transfer_syntaxes[turn % len(mammograms.transfer_syntaxes)]
                images.append(
                    Acquisition(exam, side, view, view_key(side, view) + 1, syntax, display)
                )
    return tuple(images)


def write_images(
    settings: SimulationSettings, patient: SimulatedPatient, folder: Path
) -> tuple[DrawnImage, ...]:
    """Draw and write every image of a patient under `folder`/dicom."""
    breasts: dict[tuple[Side, View], Breast] = {}
    rows = []
    for taken in planned_images(settings, patient):
        key = (taken.side, taken.view)
        if key not in breasts:
            breasts[key] = draw_breast(settings.mammogram, patient, *key)
        rows.append(_write_image(settings, patient, taken, breasts[key], folder))
    return tuple(rows)


def _write_image(
    settings: SimulationSettings,
    patient: SimulatedPatient,
    taken: Acquisition,
    breast: Breast,
    folder: Path,
) -> DrawnImage:
    lesion = lesion_in(settings, patient, taken)
    placed = position(settings.mammogram, patient, taken.exam, view_key(taken.side, taken.view))
    brightness = draw_display(settings.mammogram, breast, placed, lesion)
    pixels = stored_pixels(brightness, taken.display, vendor_of(patient).detector)
    exam_id, name = patient.exam_id(taken.exam), f"{taken.side}-{taken.view}"
    path = f"dicom/{patient.patient_id}/{exam_id}/{name}.dcm"
    write_mammogram(mammogram(patient, taken, pixels), taken.syntax, folder / path)
    return DrawnImage(f"{exam_id}-{name}", exam_id, taken.side, taken.view, path, lesion)


def lesion_in(
    settings: SimulationSettings, patient: SimulatedPatient, taken: Acquisition
) -> Lesion | None:
    """The mass in an image, or None in the other breast."""
    if taken.side != patient.side:
        return None
    return place_lesion(settings.mammogram, patient, taken.exam, taken.view)


def intended_display(
    settings: SimulationSettings, patient: SimulatedPatient, taken: Acquisition
) -> Brightness:
    """What a display should show of an image, drawn anew from its keys."""
    mammograms, key = settings.mammogram, view_key(taken.side, taken.view)
    breast = draw_breast(mammograms, patient, taken.side, taken.view)
    placed = position(mammograms, patient, taken.exam, key)
    return draw_display(mammograms, breast, placed, lesion_in(settings, patient, taken))
